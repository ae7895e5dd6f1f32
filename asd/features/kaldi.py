"""Kaldi's log-mel filter bank, as EAT and BEATs hear, in double precision."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal.windows import hann

from asd.features.mel import CHUNK, mel_blocks
from asd.features.params import FbankParams

FRAME = 25.0  # [ms]
PRE_EMPHASIS = 0.97
LOWEST = 20.0  # [Hz] of the first filter
FLOOR = np.finfo(np.float32).eps  # of power


def kaldi_fbank(waveform: np.ndarray, params: FbankParams) -> np.ndarray:
    """Compute the filter bank of EAT - of the waveform less its mean, with Hann windows - or of BEATs; no dither.

    W. Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024; S. Chen et al.,
    "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023, which takes the waveform as 16-bit numbers and
    Povey's window, a Hann window to the power of 0.85. Each frame less its mean is pre-emphasised, windowed, and
    transformed at the next power of two (Kaldi's ``compute-fbank-feats --htk-compat --use-energy=false``). Rows are
    not normalised: ``mean`` and ``deviation`` of the description are for the reader.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : FbankParams

    Returns
    -------
    np.ndarray [shape=(frames, n_mels), dtype=float32]
        [natural log of power]; whole frames only, so none of a clip shorter than 25 ms.
    """
    length, shift = (int(params.sample_rate * ms / 1000) for ms in (FRAME, params.frame_shift))
    if len(waveform) < length:
        return np.empty((0, params.n_mels), np.float32)
    signal = waveform.astype(np.float64)
    signal = (signal - signal.mean() if params.zero_mean else signal) * params.scale
    power = np.empty((1 + (len(signal) - length) // shift, params.n_mels))
    step = max(1, CHUNK // (2 * length))
    for start in range(0, len(power), step):
        part = signal[start * shift : (start + step - 1) * shift + length]
        _mel_power(part, length, shift, params, power[start : start + step])
    single = np.maximum(power, FLOOR, out=power).astype(np.float32)
    return np.log(single, out=single)


def _mel_power(signal: np.ndarray, length: int, shift: int, params: FbankParams, out: np.ndarray) -> None:
    n_fft = 1 << (length - 1).bit_length()
    frames = np.zeros((len(out), n_fft))
    _emphasised(signal, length, shift, frames[:, :length])
    frames[:, :length] *= _window(length, params.window)
    spectrum = fft.rfft(frames, axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    highest = params.f_max or params.sample_rate / 2
    for block in mel_blocks(params.sample_rate, n_fft, params.n_mels, LOWEST, highest, "kaldi", np.float64):
        np.matmul(power[:, block.bins], block.weights, out=out[:, block.mels])


def _emphasised(signal: np.ndarray, length: int, shift: int, out: np.ndarray) -> None:
    """Fill in frames less their means, pre-emphasised: linear, so the signal is emphasised once for all frames."""
    means = sliding_window_view(signal, length)[::shift].mean(axis=1)[:, None]
    emphasised = np.r_[0.0, signal[1:] - PRE_EMPHASIS * signal[:-1]]
    np.subtract(sliding_window_view(emphasised, length)[::shift], (1 - PRE_EMPHASIS) * means, out=out)
    out[:, 0] = (1 - PRE_EMPHASIS) * (signal[: len(signal) - length + 1 : shift] - means[:, 0])


@lru_cache
def _window(length: int, name: str) -> np.ndarray:
    window: np.ndarray = hann(length)
    return window**0.85 if name == "povey" else window
