"""Log-mel spectrograms by the definitions of librosa, torchaudio and Kaldi, without these: they import for seconds."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy import fft
from scipy.signal import get_window

from asd.features.mel_params import MelParams

CHUNK = 2**19  # [samples] of frames at a time: bounds the memory; the larger, the less threads wait
GROUP = 16  # [mels] at a time: neighbours share their few bins of the spectrum, the rest is zeros


class Block(NamedTuple):
    """The part of a mel filter bank that is not zero for some neighbouring mels."""

    mels: slice
    bins: slice
    weights: np.ndarray  # (bins, mels)


def log_mel(waveform: np.ndarray, params: MelParams) -> np.ndarray:
    """Compute a log-mel spectrogram: of the DCASE baseline, Chu and Qian 2025, Dasheng or EfficientAT.

    By default as ``10 log10(max(librosa.feature.melspectrogram(y, sr, n_fft, hop_length, n_mels, fmin, fmax), eps))``:
    periodic Hann window, frames centred on multiples of the hop with zeros beyond the ends, power, Slaney's mel scale
    and area normalisation (Harada et al., "First-shot anomaly sound detection for machine condition monitoring",
    EUSIPCO 2023). The description says where another front end differs.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : MelParams

    Returns
    -------
    np.ndarray [shape=(1 + samples // hop_length, n_mels), dtype=float32]
        [dB] or [nat] re full scale 1. One sample less with pre-emphasis.
    """
    if params.pre_emphasis:
        waveform = waveform[1:] - np.float32(params.pre_emphasis) * waveform[:-1]
    padding = "constant" if params.padding == "zeros" else "reflect"
    frames = framed(waveform.astype(np.float32, copy=False), params.n_fft, params.hop_length, padding)
    power = np.empty((len(frames), params.n_mels), np.float32)
    step = max(1, CHUNK // params.n_fft)
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        _mel_power(frames[part], params, power[part])
    return _logarithm(power, params)


def framed(waveform: np.ndarray, n_fft: int, hop_length: int, padding: Any = "constant") -> np.ndarray:
    """View a waveform as frames centred on multiples of the hop, (1 + samples // hop_length, n_fft)."""
    padding = padding if len(waveform) > n_fft // 2 else "constant"  # too short to be reflected
    padded = np.pad(waveform, n_fft // 2, mode=padding)
    if len(padded) < n_fft:  # a clip of one sample and an odd n_fft
        padded = np.pad(padded, (0, n_fft - len(padded)))
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]


@lru_cache
def hann(n_fft: int, length: int = 0, periodic: bool = True) -> np.ndarray:
    """Make a Hann window (float32) of some length, by default n_fft, amid n_fft samples."""
    window: np.ndarray = get_window("hann", length or n_fft, fftbins=periodic).astype(np.float32)
    before = (n_fft - len(window)) // 2
    return np.pad(window, (before, n_fft - len(window) - before))


def _mel_power(frames: np.ndarray, params: MelParams, out: np.ndarray) -> None:
    window = hann(params.n_fft, params.window_length, params.window == "periodic")
    spectrum = fft.rfft(frames * window, axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    for block in mel_blocks(
        params.sample_rate, params.n_fft, params.n_mels, params.f_min, params.f_max, params.mel_scale
    ):
        np.matmul(power[:, block.bins], block.weights, out=out[:, block.mels])


def _logarithm(power: np.ndarray, params: MelParams) -> np.ndarray:
    """Take the logarithm in place."""
    floor_by = np.maximum if params.floor_by == "maximum" else np.add
    floor_by(power, np.float32(params.floor), out=power)
    if params.unit == "nat":
        return np.log(power, out=power)
    decibel: np.ndarray = np.log10(power, out=power)
    decibel *= 10
    if params.top_db:
        np.maximum(decibel, decibel.max() - np.float32(params.top_db), out=decibel)
    return decibel


@lru_cache
def mel_blocks(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, scale: str, dtype: type = np.float32
) -> list[Block]:
    """Divide a :func:`mel_filter_bank` into blocks without most of its zeros."""
    bank: np.ndarray = mel_filter_bank(sample_rate, n_fft, n_mels, f_min, f_max, scale).astype(dtype)
    blocks = []
    for start in range(0, n_mels, GROUP):
        mels = slice(start, min(start + GROUP, n_mels))
        used = np.flatnonzero(bank[mels].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
        blocks.append(Block(mels, bins, np.ascontiguousarray(bank[mels, bins].T)))
    return blocks


def mel_filter_bank(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, scale: str = "slaney"
) -> np.ndarray:
    """Make triangular filters evenly spaced on a mel scale.

    ``slaney``: each of unit area, equal to ``librosa.filters.mel`` in float64 with its defaults (Slaney, "Auditory
    Toolbox", 1998). ``htk``: of height 1, as ``torchaudio.functional.melscale_fbanks``. ``kaldi``: of height 1, the
    sides straight in mel rather than in Hz, and without the last bin, as ``torchaudio.compliance.kaldi``.

    Returns
    -------
    np.ndarray [shape=(n_mels, 1 + n_fft // 2), dtype=float64]
    """
    to_mel, to_hz = _SCALES[scale]
    marks = np.linspace(to_mel(np.float64(f_min)), to_mel(np.float64(f_max)), n_mels + 2)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges, places = (marks, to_mel(bins)) if scale == "kaldi" else (to_hz(marks), bins)
    slopes = edges[:, None] - places
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    if scale == "kaldi":
        triangles[:, -1] = 0
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None] if scale == "slaney" else triangles


# Slaney's mel scale: linear below 1000 Hz (15 mels), 27 mels to a factor of 6.4 above
_LINEAR = 200 / 3  # [Hz per mel]
_KNEE = 1000.0  # [Hz]
_STEP = np.log(6.4) / 27


def _hz_to_slaney(frequency: np.ndarray) -> np.ndarray:
    above = _KNEE / _LINEAR + np.log(np.maximum(frequency, _KNEE) / _KNEE) / _STEP
    return np.where(frequency < _KNEE, frequency / _LINEAR, above)


def _slaney_to_hz(mels: np.ndarray) -> np.ndarray:
    knee = _KNEE / _LINEAR
    return np.where(mels < knee, mels * _LINEAR, _KNEE * np.exp(_STEP * (np.maximum(mels, knee) - knee)))


_SCALES = {
    "slaney": (_hz_to_slaney, _slaney_to_hz),
    "htk": (lambda hz: 2595 * np.log10(1 + hz / 700), lambda mel: 700 * (10 ** (mel / 2595) - 1)),
    "kaldi": (lambda hz: 1127 * np.log1p(hz / 700), lambda mel: 700 * np.expm1(mel / 1127)),
}
