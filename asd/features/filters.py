"""Butterworth filters as second-order sections, causal: nothing of the future leaks into a frame."""

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.signal import butter, sosfilt

Kind = Literal["highpass", "bandpass"]
ORDER = 4  # of the prototype: 24 dB per octave at each edge


def high_pass(waveform: np.ndarray, cutoff: float, sample_rate: int) -> np.ndarray:
    """Remove what lies below a frequency.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    cutoff : float
        [Hz], where the gain is -3 dB.
    sample_rate : int
        [Hz]

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        Filtered from rest (zero state) in double precision, for a low cut-off needs it.
    """
    return _filtered(waveform, "highpass", (cutoff,), sample_rate)


def band_pass(waveform: np.ndarray, low: float, high: float, sample_rate: int) -> np.ndarray:
    """Keep what lies between two frequencies [Hz]; else as :func:`high_pass`."""
    return _filtered(waveform, "bandpass", (low, high), sample_rate)


def _filtered(waveform: np.ndarray, kind: Kind, edges: tuple[float, ...], sample_rate: int) -> np.ndarray:
    filtered: np.ndarray = sosfilt(_sections(kind, edges, sample_rate), waveform.astype(np.float64))
    return filtered


@lru_cache
def _sections(kind: Kind, edges: tuple[float, ...], sample_rate: int) -> np.ndarray:
    sections: np.ndarray = butter(ORDER, np.squeeze(edges), kind, fs=sample_rate, output="sos")
    return sections
