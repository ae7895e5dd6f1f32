"""Envelope of a band, and power spectra."""

from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.signal.windows import hann


def squared_envelope(y: np.ndarray, sr: int, low: float, high: float) -> np.ndarray:
    """Compute the squared envelope of a band through its analytic signal.

    The one-sided spectrum is cut to the band, an ideal filter without delay (Randall and Antoni, MSSP 25, 2011).

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Sample rate.
    low, high : float
        [Hz] Edges of the band.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        ``|z|^2`` of the analytic signal z.
    """
    points = fft.next_fast_len(len(y), real=True)
    spectrum = fft.rfft(np.asarray(y, np.float64), points)
    frequency = fft.rfftfreq(points, 1 / sr)
    one_sided = np.zeros(points, np.complex128)
    one_sided[: len(spectrum)] = np.where((frequency >= low) & (frequency <= high), 2 * spectrum, 0)
    # twice the positive frequencies and none of the negative: the analytic signal
    analytic = fft.ifft(one_sided, overwrite_x=True)[: len(y)]
    squared: np.ndarray = analytic.real**2 + analytic.imag**2
    return squared


def periodogram(signal: np.ndarray, sr: int, highest: float) -> np.ndarray:
    """Compute the power spectrum of a signal less its mean, with a Hann window, up to a frequency.

    Parameters
    ----------
    signal : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Sample rate.
    highest : float
        [Hz]

    Returns
    -------
    np.ndarray [shape=(cells,)]
        At 0, 1 / T, 2 / T ... for a signal of T seconds.
    """
    spectrum = fft.rfft((signal - signal.mean()) * periodic_hann(len(signal)))
    part = spectrum[: int(highest * len(signal) / sr) + 1]
    power: np.ndarray = part.real**2 + part.imag**2
    return power


@lru_cache(maxsize=4)
def periodic_hann(length: int) -> np.ndarray:
    """Make a periodic Hann window ``(length,)``, float64, read-only."""
    window: np.ndarray = hann(length, sym=False)
    window.setflags(write=False)
    return window
