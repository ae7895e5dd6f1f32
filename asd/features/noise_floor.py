"""The noise floor of a power spectrum: its level without lines."""

import numpy as np
from scipy.ndimage import percentile_filter

QUARTILE = -np.log(3 / 4)  # of the exponential distribution of unit mean, which a periodogram of noise has
WIDENING = 0.04  # width of the window at high frequencies, relative to its centre
SPREAD = (1 / 3) / QUARTILE**2  # relative variance of the quartile of n exponential variables, times n
NEIGHBOURS = 1 + 2 * (4 / 9) ** 2 + 2 * (1 / 36) ** 2  # cells of a Hann window's periodogram as alike as one
LEAST = 1e-15  # of a spectrum's largest power: less is the rounding of 32-bit samples


def noise_floor(power: np.ndarray, cells: int) -> np.ndarray:
    """Estimate the mean power of the noise about each cell from lower quartiles of its neighbours.

    The quartile is low since a dense series of lines may fill half of the cells; the geometric mean of those below
    and above is right on slopes, too. The windows grow with frequency, as lines do that wander; near zero, where
    spectra are steep, they are an octave, and the rest of the slope is removed in a second pass.

    Parameters
    ----------
    power : np.ndarray [shape=(cells,)]
    cells : int
        Least number of cells of the two windows together.

    Returns
    -------
    np.ndarray [shape=(cells,)]
    """
    power = np.maximum(power, max(power.max() * LEAST, np.finfo(float).tiny))
    noise = np.empty(len(power))
    start, width = 0, cells
    while start < len(power):
        part = slice(max(0, start - width), (end := int(width / WIDENING)) + width)
        sides = _beside(power[part], width // 2)
        noise[start:end] = sides[start - part.start :][: max(0, min(end, len(power)) - start)] / QUARTILE
        start, width = end, 2 * width + 1
    steep = power[: 2 * (octave := cells)]
    flat = np.ones(len(steep))
    for _ in range(2):
        flat *= np.maximum(_octaves(steep / flat), np.finfo(float).eps) / QUARTILE
    noise[:octave] = flat[:octave]
    return noise


def floor_freedom(cells: int, window: int) -> np.ndarray:
    """Give the degrees of freedom of :func:`noise_floor` about each cell: how well it is known.

    A quartile of n cells varies; the chi-square distribution with as large a relative variance has these degrees.
    A line's level over such a floor has an F distribution under noise, whose tail is longer than the exponential one.

    Parameters
    ----------
    cells : int
        Of the power spectrum.
    window : int
        As for :func:`noise_floor`.

    Returns
    -------
    np.ndarray [shape=(cells,)]
    """
    cell = np.arange(cells)
    doublings = np.maximum(np.floor(np.log2(np.maximum(cell * WIDENING / window, 1))) + (cell * WIDENING >= window), 0)
    half = np.where(cell < window, (cell + 1) / 2, (window * 2**doublings) / 2)
    other = np.where(cell < window, cell + 1.0, half)
    variance = SPREAD * NEIGHBOURS / 4 * (1 / np.maximum(half, 1) + 1 / np.maximum(other, 1))  # of a geometric mean
    freedom: np.ndarray = 2 / variance
    return freedom


def _beside(power: np.ndarray, half: int) -> np.ndarray:
    """Take the geometric mean of the quartiles of so many cells below and above each."""
    quartile = np.pad(percentile_filter(power, 25, 2 * (half // 2) + 1, mode="nearest"), half // 2, mode="edge")
    mean: np.ndarray = np.sqrt(quartile[: len(power)] * quartile[-len(power) :])
    return mean


def _octaves(power: np.ndarray) -> np.ndarray:
    """Take the geometric mean of the quartiles of the octave below and above each cell."""
    cell = np.arange(len(power))
    below = _quartiles(power, (cell + 1) // 2, cell + 1)
    above = _quartiles(power, cell, np.minimum(2 * cell + 1, len(power)))
    return np.sqrt(below * above)


def _quartiles(power: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Give the lower quartile of each range of cells; many times faster than one by one."""
    cells = start[:, None] + np.arange((end - start).max())
    ordered = np.sort(np.where(cells < end[:, None], power[np.minimum(cells, len(power) - 1)], np.inf), axis=1)
    rank, part = np.divmod(end - start - 1, 4)
    low, high = (
        np.take_along_axis(ordered, p[:, None], 1)[:, 0] for p in (rank, np.minimum(rank + 1, end - start - 1))
    )
    quartile: np.ndarray = low + part / 4 * (high - low)
    return quartile
