"""Log-mel spectrogram by librosa's definition, without librosa, whose first use compiles for seconds."""

import sys
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.signal import get_window

from asd.features.filters import high_pass
from asd.features.params import LogMelParams

FLOOR = sys.float_info.epsilon  # of power, as in the DCASE baseline: -156.5 dB
CHUNK = 2**17  # [samples] of frames at a time: they stay in the cache, and a long recording takes no more memory
GROUP = 16  # [mels] at a time: neighbours share their few bins of the spectrum, the rest is zeros


class Block(NamedTuple):
    """The part of a mel filter bank that is not zero for some neighbouring mels."""

    mels: slice
    bins: slice
    weights: np.ndarray  # (bins, mels)


def log_mel(waveform: np.ndarray, params: LogMelParams) -> np.ndarray:
    """Compute the log-mel spectrogram of the DCASE baseline, or of seed 002 with looping and a high-pass.

    As ``10 log10(max(librosa.feature.melspectrogram(y, sr, n_fft, hop_length, n_mels, fmin, fmax), eps))``:
    periodic Hann window, frames centred on multiples of the hop with zeros beyond the ends, power, Slaney's mel scale
    and area normalisation (Harada et al., "First-shot anomaly sound detection for machine condition monitoring",
    EUSIPCO 2023). A clip shorter than ``loop_seconds`` is repeated to that length; then comes the high-pass.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : LogMelParams

    Returns
    -------
    np.ndarray [shape=(1 + samples // hop_length, n_mels), dtype=float32]
        [dB] re full scale 1.
    """
    length = round(params.loop_seconds * params.sample_rate)
    if len(waveform) < length:
        waveform = np.resize(waveform, length)  # repeats
    if params.high_pass:
        waveform = high_pass(waveform, params.high_pass, params.sample_rate)
    frames = _frames(waveform.astype(np.float32, copy=False), params.n_fft, params.hop_length)
    power = np.empty((len(frames), params.n_mels), np.float32)
    step = max(1, CHUNK // params.n_fft)
    for start in range(0, len(frames), step):
        part = slice(start, start + step)
        _mel_power(frames[part], params, power[part])
    decibel: np.ndarray = np.log10(np.maximum(power, FLOOR, out=power), out=power)
    decibel *= 10
    return decibel


def _frames(waveform: np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    padded = np.pad(waveform, n_fft // 2)
    if len(padded) < n_fft:  # a clip of one sample and an odd n_fft
        padded = np.pad(padded, (0, n_fft - len(padded)))
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]


def _mel_power(frames: np.ndarray, params: LogMelParams, out: np.ndarray) -> None:
    spectrum = fft.rfft(frames * _hann(params.n_fft), axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    for block in _blocks(params.sample_rate, params.n_fft, params.n_mels, params.f_min, params.f_max):
        np.matmul(power[:, block.bins], block.weights, out=out[:, block.mels])


@lru_cache
def _hann(n_fft: int) -> np.ndarray:
    window: np.ndarray = get_window("hann", n_fft).astype(np.float32)
    return window


@lru_cache
def _blocks(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> list[Block]:
    bank = mel_filter_bank(sample_rate, n_fft, n_mels, f_min, f_max).astype(np.float32)
    blocks = []
    for start in range(0, n_mels, GROUP):
        mels = slice(start, min(start + GROUP, n_mels))
        used = np.flatnonzero(bank[mels].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
        blocks.append(Block(mels, bins, np.ascontiguousarray(bank[mels, bins].T)))
    return blocks


def mel_filter_bank(sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    """Make triangular filters evenly spaced on Slaney's mel scale, each of unit area.

    Equal to ``librosa.filters.mel`` in float64 with its defaults (Slaney, "Auditory Toolbox", 1998).

    Returns
    -------
    np.ndarray [shape=(n_mels, 1 + n_fft // 2), dtype=float64]
    """
    edges = _mel_to_hz(np.linspace(_hz_to_mel(f_min), _hz_to_mel(f_max), n_mels + 2))
    slopes = edges[:, None] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None]


# Slaney's mel scale: linear below 1000 Hz (15 mels), 27 mels to a factor of 6.4 above
_LINEAR = 200 / 3  # [Hz per mel]
_KNEE = 1000.0  # [Hz]
_STEP = np.log(6.4) / 27


def _hz_to_mel(frequency: float) -> float:
    if frequency < _KNEE:
        return frequency / _LINEAR
    return float(_KNEE / _LINEAR + np.log(frequency / _KNEE) / _STEP)


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    knee = _KNEE / _LINEAR
    return np.where(mels < knee, mels * _LINEAR, _KNEE * np.exp(_STEP * (np.maximum(mels, knee) - knee)))
