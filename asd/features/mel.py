"""Mel filter banks by the definitions of librosa, torchaudio and Kaldi, without these: they import for seconds."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import fft

CHUNK = 2**19  # [samples] of frames at a time: bounds the memory; the larger, the less threads wait
GROUP = 16  # [mels] at a time: neighbours share their few bins of the spectrum, the rest is zeros


class Block(NamedTuple):
    """The part of a mel filter bank that is not zero for some neighbouring mels."""

    mels: slice
    bins: slice
    weights: np.ndarray  # (bins, mels)


def mel_power(
    frames: np.ndarray,
    windowed: Callable[[np.ndarray], np.ndarray],
    n_fft: int,
    blocks: list[Block],
    frames_at_once: int,
) -> np.ndarray:
    """Compute the power of windowed frames in mel bands, some frames at a time.

    Parameters
    ----------
    frames : np.ndarray [shape=(n_frames, samples)]
    windowed : callable
        Windows some of the frames, ``(some, samples)``.
    n_fft : int
        [samples] Of the Fourier transform, at least those of a frame.
    blocks : list of Block
        The filter bank; see :func:`mel_blocks`.
    frames_at_once : int
        Bounds the memory.

    Returns
    -------
    np.ndarray [shape=(n_frames, n_mels)]
        In the precision of the filter bank.
    """
    power = np.empty((len(frames), blocks[-1].mels.stop), blocks[0].weights.dtype)
    for start in range(0, len(frames), frames_at_once):
        part = slice(start, start + frames_at_once)
        spectrum = fft.rfft(windowed(frames[part]), n_fft, axis=1, overwrite_x=True)  # (some, 1 + n_fft // 2)
        squared = spectrum.real**2 + spectrum.imag**2
        for block in blocks:
            np.matmul(squared[:, block.bins], block.weights, out=power[part, block.mels])
    return power


@lru_cache
def mel_blocks(
    sr: int, n_fft: int, n_mels: int, f_min: float, f_max: float, scale: str, dtype: type = np.float32
) -> list[Block]:
    """Divide a :func:`mel_filter_bank`, of the same parameters, into blocks without most of its zeros."""
    bank: np.ndarray = mel_filter_bank(sr, n_fft, n_mels, f_min, f_max, scale).astype(dtype)
    blocks = []
    for start in range(0, n_mels, GROUP):
        mels = slice(start, min(start + GROUP, n_mels))
        used = np.flatnonzero(bank[mels].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)
        blocks.append(Block(mels, bins, np.ascontiguousarray(bank[mels, bins].T)))
    return blocks


def mel_filter_bank(sr: int, n_fft: int, n_mels: int, f_min: float, f_max: float, scale: str = "slaney") -> np.ndarray:
    """Make triangular filters evenly spaced on a mel scale.

    Parameters
    ----------
    sr : int
        [Hz] Sample rate.
    n_fft : int
        [samples] Of the Fourier transform.
    n_mels : int
        Number of filters.
    f_min, f_max : float
        [Hz] Lower edge of the first filter, upper edge of the last.
    scale : str
        ``slaney``: each of unit area, equal to ``librosa.filters.mel`` in float64 with its defaults (Slaney, "Auditory
        Toolbox", 1998). ``htk``: of height 1, as ``torchaudio.functional.melscale_fbanks``. ``kaldi``: of height 1,
        the sides straight in mel rather than in Hz, and without the last bin, as ``torchaudio.compliance.kaldi``.

    Returns
    -------
    np.ndarray [shape=(n_mels, 1 + n_fft // 2), dtype=float64]

    Examples
    --------
    >>> mel_filter_bank(16000, 1024, 128, 0, 8000).shape
    (128, 513)
    """
    to_mel, to_hz = SCALES[scale]
    marks = np.linspace(to_mel(np.float64(f_min)), to_mel(np.float64(f_max)), n_mels + 2)
    bins = np.fft.rfftfreq(n_fft, 1 / sr)
    edges, centres = (marks, to_mel(bins)) if scale == "kaldi" else (to_hz(marks), bins)
    slopes = edges[:, None] - centres
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


SCALES = {  # from Hz and back
    "slaney": (_hz_to_slaney, _slaney_to_hz),
    "htk": (lambda hz: 2595 * np.log10(1 + hz / 700), lambda mel: 700 * (10 ** (mel / 2595) - 1)),
    "kaldi": (lambda hz: 1127 * np.log1p(hz / 700), lambda mel: 700 * np.expm1(mel / 1127)),
}
