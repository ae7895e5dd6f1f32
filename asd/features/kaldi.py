"""Kaldi's log-mel filter bank, as EAT and BEATs hear, without torchaudio."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal.windows import hann

from asd.features.mel import CHUNK, mel_blocks
from asd.features.mel_params import FbankParams

FRAME = 25.0  # [ms]
PRE_EMPHASIS = np.float32(0.97)
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
    signal = (waveform - waveform.mean() if params.zero_mean else waveform) * np.float32(params.scale)
    frames = sliding_window_view(signal.astype(np.float32, copy=False), length)[::shift]
    power = np.empty((len(frames), params.n_mels))
    step = max(1, CHUNK // (2 * length))
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        _mel_power(frames[part], params, power[part])
    single = np.maximum(power, FLOOR, out=power).astype(np.float32)
    return np.log(single, out=single)


def _mel_power(frames: np.ndarray, params: FbankParams, out: np.ndarray) -> None:
    length = frames.shape[1]
    n_fft = 1 << (length - 1).bit_length()
    spectrum = fft.rfft(_windowed(frames, params.window).astype(np.float64), n_fft, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    highest = params.f_max or params.sample_rate / 2
    for block in mel_blocks(params.sample_rate, n_fft, params.n_mels, LOWEST, highest, "kaldi", np.float64):
        np.matmul(power[:, block.bins], block.weights, out=out[:, block.mels])


def _windowed(frames: np.ndarray, window: str) -> np.ndarray:
    """Take the means away, pre-emphasise and window, in single precision: so loud tones leak as they do in Kaldi."""
    frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    frames[:, 1:] -= PRE_EMPHASIS * frames[:, :-1]
    frames[:, 0] -= PRE_EMPHASIS * frames[:, 0]
    frames *= _window(frames.shape[1], window)
    return frames


@lru_cache
def _window(length: int, name: str) -> np.ndarray:
    window: np.ndarray = hann(length)
    return (window**0.85 if name == "povey" else window).astype(np.float32)
