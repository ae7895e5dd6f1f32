"""Lines of a power spectrum: their level over the local noise floor, and the p-value of it under noise alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import label, percentile_filter, uniform_filter1d
from scipy.special import fdtrc, gammaincc

from asd.features.noise_floor import floor_freedom, noise_floor

NEAR_CELLS = 25  # whose median a single tone must stand above as well, lest a resonance pass for one
SPREADS = (0.0, 0.003, 0.01)  # relative half widths of a line: slip and wander widen all harmonics in proportion
FREEDOM = 40.0  # most degrees of freedom of an average: the floor itself is known to 5 %
LOUDEST = 1e12  # re the floor; a level beyond is none of physics
MOST = 25.0  # [nats]
WIDEST, GRID = 80, 8192  # of the table of p-values: cells from which on FREEDOM holds, steps of the mean
SEEN = 4.6  # [nats] of a line that is there: 1 % by chance
SKIRT_CELLS, SKIRT = 5, 4.0  # a line goes on as long as the mean level of five cells is above 4


@dataclass
class Lines:
    """A power spectrum in which lines are sought, and removed once they are found."""

    step: float
    """[Hz] between cells; the first is at 0."""
    level: np.ndarray
    """Power over the local floor, shape (cells,)."""
    tone: np.ndarray
    """Power over the larger of the floor and the median of the nearest cells, as ``-ln p``; shape (cells,)."""
    mean: np.ndarray
    """Mean level over the width of a line about each cell, shape (spreads, cells)."""
    neg_log_p: np.ndarray
    """``-ln`` of the probability that noise alone has such a mean, at most 25; shape (spreads, cells)."""
    freedom: np.ndarray | None = None
    """Degrees of freedom of the floor about each cell, shape (cells,); None takes the floor for known."""

    @property
    def highest(self) -> float:
        """Of the last cell [Hz]."""
        return (len(self.level) - 1) * self.step

    def strength(self, frequencies: np.ndarray, spread: int) -> np.ndarray:
        """Look up log levels over the floor [nats] at frequencies [Hz]."""
        return self.strength_in(cells_of(frequencies, self.step), spread)

    def strength_in(self, cells: np.ndarray, spread: int) -> np.ndarray:
        """Look up log levels over the floor [nats] in cells."""
        return np.log(np.maximum(look_up(self.mean[spread], cells), 1))

    def neg_log_p_at(self, frequencies: np.ndarray, spread: int) -> np.ndarray:
        """Look up ``-ln p`` of the levels at frequencies [Hz]."""
        return at(self.neg_log_p[spread], frequencies, self.step)


def at(values: np.ndarray, frequencies: np.ndarray, step: float) -> np.ndarray:
    """Look values up at frequencies.

    Parameters
    ----------
    values : np.ndarray [shape=(cells,)]
    frequencies : np.ndarray
        [Hz] 0 and above.
    step : float
        [Hz] between cells; the first is at 0.

    Returns
    -------
    np.ndarray [shape=frequencies.shape]
        0 beyond the end.
    """
    return look_up(values, cells_of(frequencies, step))


def cells_of(frequencies: np.ndarray, step: float) -> np.ndarray:
    """Find the cells nearest to frequencies [Hz]."""
    return np.rint(frequencies / step).astype(np.intp)


def look_up(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Look values up in cells; 0 beyond the end."""
    return np.append(values, 0.0).take(cells, mode="clip")


def lines_of(power: np.ndarray, step: float, lowest: float, window: int, estimated: bool = False) -> Lines:
    """Compare each cell of a periodogram with the cells about it.

    Parameters
    ----------
    power : np.ndarray [shape=(cells,)]
        Periodogram with a Hann window.
    step : float
        [Hz] between cells.
    lowest : float
        [Hz] Below this nothing counts as a line.
    window : int
        Least number of cells whose lower quartile is the floor.
    estimated : bool
        Count with what is unknown about the floor, which makes high levels more likely under noise.

    Returns
    -------
    Lines
    """
    under = np.maximum(noise_floor(power, window), np.finfo(float).tiny)
    near = percentile_filter(power, 50, NEAR_CELLS, mode="nearest") / np.log(2)
    level, tone = (np.minimum(power / below, LOUDEST) for below in (under, np.maximum(under, near)))
    first = int(np.ceil(lowest / step))
    level[:first] = tone[:first] = 1
    freedom = floor_freedom(len(power), window) if estimated else None
    if freedom is not None:
        tone = _single(tone, freedom)
    return Lines(step, level, tone, *_measured(level, freedom), freedom)


def remove(lines: Lines, centres: np.ndarray, spread: int) -> None:
    """Remove lines, in place: the cells about each centre, out to where the level comes down, become noise.

    Parameters
    ----------
    lines : Lines
    centres : np.ndarray [shape=(n,)]
        [Hz]
    spread : int
        Index of the width of the lines among :data:`SPREADS`.
    """
    cells = len(lines.level)
    middle = centres[(centres > 0) & (centres < cells * lines.step)] / lines.step
    reach = np.maximum(4.0, 1.3 * SPREADS[spread] * middle)
    marks = np.zeros(cells + 1, int)
    np.add.at(marks, np.maximum(middle - reach, 0).astype(int), 1)
    np.add.at(marks, np.minimum(middle + reach + 1, cells).astype(int), -1)
    gone = np.cumsum(marks[:-1]) > 0
    skirts, _ = label(uniform_filter1d(np.minimum(lines.level, 100), SKIRT_CELLS) > SKIRT)
    gone |= np.isin(skirts, np.setdiff1d(skirts[gone], 0))
    lines.level[gone] = lines.tone[gone] = 1
    lines.mean, lines.neg_log_p = _measured(lines.level, lines.freedom)


def without(lines: Lines, centres: np.ndarray, cells: int) -> Lines:
    """Copy a spectrum without some lines: so many cells to either side of each centre become noise.

    Parameters
    ----------
    lines : Lines
    centres : np.ndarray [shape=(n,)]
        [Hz]
    cells : int

    Returns
    -------
    Lines
    """
    gone = (cells_of(centres, lines.step)[:, None] + np.arange(-cells, cells + 1)).ravel()
    gone = gone[(gone >= 0) & (gone < len(lines.level))]
    level, tone = lines.level.copy(), lines.tone.copy()
    level[gone] = tone[gone] = 1
    return Lines(lines.step, level, tone, *_measured(level, lines.freedom), lines.freedom)


def _measured(level: np.ndarray, freedom: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Average the level over the widths a line may have, and compute ``-ln p`` of the averages, (spreads, cells).

    Averages of noise have a gamma distribution, of fewer degrees of freedom than cells: a Hann window makes
    neighbours alike.
    """
    total = np.r_[0.0, np.cumsum(level)]
    mean, nats = [level], [np.minimum(level if freedom is None else _single(level, freedom), MOST)]
    for spread in SPREADS[1:]:
        low, high = _reach(len(level), spread)
        mean.append(np.where(high - low > 1, (total[high] - total[low]) / (high - low), level))
        width = high - low
        nats.append(_neg_log_p(mean[-1], width) if freedom is None else _estimated(mean[-1], width, freedom))
    return np.array(mean), np.array(nats)


@lru_cache(32)
def _reach(cells: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the first cell of a line about each cell, and the one behind its last."""
    cell = np.arange(cells)
    reach = np.floor(spread * cell + 0.5).astype(int)
    return np.maximum(cell - reach, 0), np.minimum(cell + reach + 1, cells)


def _single(level: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Give ``-ln`` of the probability that one cell of noise stands so high over a floor of so many degrees."""
    nats: np.ndarray = freedom / 2 * np.log1p(2 * level / freedom)
    return nats


def _estimated(mean: np.ndarray, width: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Give ``-ln`` of the probability that noise has such a mean of so many cells over an estimated floor."""
    tail = fdtrc(2 * _cells_alike(width), freedom, mean)
    nats: np.ndarray = np.minimum(-np.log(np.maximum(tail, np.exp(-MOST))), MOST)
    return nats


def _cells_alike(width: np.ndarray) -> np.ndarray:
    """Give the number of independent cells that vary as much as so many, which a Hann window makes alike."""
    alike: np.ndarray = 1 + 8 / 9 * (1 - 1 / width) + 1 / 18 * np.maximum(1 - 2 / width, 0)
    return width / alike


def _neg_log_p(mean: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Give ``-ln`` of the probability that noise has such a mean of so many cells; of one cell it is the mean."""
    table = _tails()
    width = np.minimum(width, len(table)) - 1
    position = np.minimum(mean, MOST) * (GRID / MOST)
    cell = np.minimum(position.astype(np.intp), GRID - 1)
    low, high = table[width, cell], table[width, cell + 1]
    nats: np.ndarray = low + (position - cell) * (high - low)
    return nats


@lru_cache(1)
def _tails() -> np.ndarray:
    """Tabulate ``-ln p`` by width and mean, since the exact values take most of the time otherwise."""
    width = np.arange(1, WIDEST + 1)[:, None]
    freedom = np.minimum(_cells_alike(width), FREEDOM)
    tail = gammaincc(freedom, freedom * np.linspace(0, MOST, GRID + 1))
    nats: np.ndarray = np.minimum(-np.log(np.maximum(tail, np.exp(-MOST))), MOST)
    return nats
