"""Butterworth filters as second-order sections: causal, or forwards and backwards for no shift in phase."""

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.signal import butter, sosfilt, sosfiltfilt

Kind = Literal["highpass", "bandpass"]
Phase = Literal["causal", "zero"]
ORDER = 4  # of the prototype: 24 dB per octave at each edge
REACH = 8  # [samples per sample of the slowest period over 2 pi] that a zero-phase filter looks beyond the ends


def high_pass(waveform: np.ndarray, cutoff: float, sample_rate: int, phase: Phase = "causal") -> np.ndarray:
    """Remove frequencies below a cut-off.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    cutoff : float
        [Hz], where the gain is -3 dB (-6 dB at zero phase).
    sample_rate : int
        [Hz]
    phase : str
        ``causal``: filtered once, from rest (zero state), so that nothing of the future leaks into a frame;
        ``zero``: forwards and backwards over odd extensions of the ends, twice as steep.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        Filtered in double precision, for a low cut-off needs it.
    """
    return _filtered(waveform, "highpass", (cutoff,), sample_rate, phase)


def band_pass(waveform: np.ndarray, low: float, high: float, sample_rate: int, phase: Phase = "causal") -> np.ndarray:
    """Remove frequencies outside of a band.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    low, high : float
        [Hz] Edges, where the gain is -3 dB (-6 dB at zero phase).
    sample_rate : int
        [Hz]
    phase : str
        See :func:`high_pass`.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
    """
    return _filtered(waveform, "bandpass", (low, high), sample_rate, phase)


def _filtered(waveform: np.ndarray, kind: Kind, edges: tuple[float, ...], sample_rate: int, phase: Phase) -> np.ndarray:
    sections, signal = _sections(kind, edges, sample_rate), waveform.astype(np.float64)
    if phase == "causal":
        causal: np.ndarray = sosfilt(sections, signal)
        return causal
    reach = min(int(REACH * sample_rate / (2 * np.pi * edges[0])), len(signal) - 1)
    zero: np.ndarray = sosfiltfilt(sections, signal, padlen=reach)
    return zero


@lru_cache
def _sections(kind: Kind, edges: tuple[float, ...], sample_rate: int) -> np.ndarray:
    sections: np.ndarray = butter(ORDER, np.squeeze(edges), kind, fs=sample_rate, output="sos")
    return sections
