"""Harmonic series in a power spectrum: a fundamental, its harmonics and their side bands, found one after the other."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import maximum_filter

from asd.features.fisher import combined, largest
from asd.features.spectral_lines import SEEN, SPREADS, Lines, cells_of, lines_of, look_up, remove

ORDERS = 12  # harmonics that are compared
TRIED = (1, 2, 3, 4, 6, 8, 12)  # numbers of harmonics that a series may have
STRONG = 5  # harmonics whose levels make a series' strength
SCREEN = 4.0  # [nats] that a harmonic must have to count
MULTIPLES = (2, 3, 5)  # of which sub-multiples are tried, again and again
ABSENT, PRESENT = 6.0, 10.0  # [nats] of the harmonics that only the lower of two fundamentals has
ALIKE = 1.4  # [nats] 6 dB: most that these may lie below those that both have
WIDEST = 0.015  # largest relative half width of a line
FINENESS = 8  # candidates per cell of the spectrum
HARMONICS = 40  # that are listed at most
CARRIERS, SIDE_ORDERS = 4, 4  # harmonics that side bands are sought about; bands to either side that are removed
SIDE_BANDS = 7.0  # [nats] beyond what so many distances would give by chance
MODULATIONS = 6  # distances of side bands that are listed at most
LINE_CELLS = 2  # from the centre of a line to its edge, with a Hann window
STICKING_OUT = 2.0  # [nats] above the harmonics beside it: a line of another series
MOST_SERIES = 6
WEAKEST = 2.5  # [nats] strength below which a series, though no chance, is of no use


@dataclass
class HarmonicSeries:
    """Lines at multiples of one frequency."""

    frequency: float
    """[Hz]"""
    harmonics: list[int]
    """Orders of the lines that are there, from 1."""
    side_bands: float
    """[Hz] from a line to the bands beside it: what modulates the series; 0 where there are none."""
    strength: float
    """[nats] Sum of the log levels of the first five harmonics over the local noise floor."""
    confidence: float
    """1 less the probability that noise alone holds a series of as low a p-value anywhere."""
    distances: tuple[float, ...] = ()
    """[Hz] at which side bands stand, the strongest first; the first alone where side bands are removed."""


@dataclass
class _Candidate:
    """A fundamental [Hz] whose harmonics are lines of the width ``SPREADS[spread]``."""

    strength: float
    frequency: float
    spread: int
    neg_log_p: float


def harmonic_series(
    power: np.ndarray,
    step: float,
    lowest: float,
    highest: float,
    false_alarms: float,
    least: int = 2,
    window: int = 121,
    thorough: bool = False,
) -> list[HarmonicSeries]:
    """Find all harmonic series in a power spectrum, the strongest first.

    For each fundamental on a fine grid the p-values of its first K harmonics are combined (Fisher's method), for K of
    2 to 12 and three widths of the lines. The bound is that of Bonferroni over all that was tried, so that a spectrum
    of noise yields a series at most as often as stated. Of the series beyond it the one with the largest log levels is
    taken, its true fundamental found among multiples and sub-multiples, its side bands sought, and its lines are
    removed before the next.

    Parameters
    ----------
    power : np.ndarray [shape=(cells,)]
        Periodogram with a Hann window, the first cell at 0.
    step : float
        [Hz] between cells.
    lowest, highest : float
        [Hz] Limits of the fundamental.
    false_alarms : float
        Share of spectra of noise in which a series may be found.
    least : int
        Harmonics that must be seen of a series; fewer are found as single tones, if these are sharp enough.
    window : int
        Least number of cells of the local noise floor.
    thorough : bool
        Count with what is unknown about the floor, and remove a series' harmonics alone: the side bands of one series
        may be the harmonics of another, as those of a shaft at the distance of a cage lie where a bearing's fault is.

    Returns
    -------
    list of HarmonicSeries
    """
    lines = lines_of(power, step, lowest, window, thorough)
    limits = lowest, min(highest, lines.highest)
    found: list[HarmonicSeries] = []
    for _ in range(MOST_SERIES):
        if (series := _strongest(lines, limits, false_alarms, least, thorough)) is None:
            break
        found.append(series)
    return sorted((series for series in found if series.strength >= WEAKEST), key=lambda series: -series.strength)


def _strongest(
    lines: Lines, limits: tuple[float, float], false_alarms: float, least: int, thorough: bool
) -> HarmonicSeries | None:
    """Find the strongest series that noise does not explain, and remove its lines."""
    lowest, highest = limits
    fundamentals, cells = _grid(lowest, highest, lines.step)
    trials = np.log(max(len(fundamentals), 1) * len(SPREADS) * len(TRIED))
    bound = trials - np.log(false_alarms)  # Bonferroni
    best, tone = _best_series(lines, fundamentals, cells, bound, least), _best_tone(lines, highest)
    if tone.neg_log_p >= bound and (best is None or tone.strength > best.strength):
        best = tone
    elif best is None:
        return None
    else:
        best.frequency = _true_fundamental(lines, best.frequency, best.spread, lowest)
    best.frequency = _refined(lines, best.frequency, best.spread)
    return _described(lines, best, lowest, trials, thorough)


def _described(lines: Lines, best: _Candidate, lowest: float, trials: float, thorough: bool) -> HarmonicSeries:
    """List a candidate's harmonics and side bands, and remove its lines."""
    frequency, spread = best.frequency, best.spread
    orders = np.arange(1, min(HARMONICS, int(lines.highest / frequency)) + 1)
    harmonics = [int(k) for k in orders[lines.neg_log_p_at(orders * frequency, spread) > SEEN]] or [1]
    distances = _side_bands(lines, frequency, harmonics, lowest, MODULATIONS if thorough else 1)
    side_bands = distances[0] if distances else 0.0
    strength = float(lines.strength(frequency * np.arange(1, STRONG + 1), spread).sum())
    _remove_series(lines, frequency, spread, 0.0 if thorough else side_bands)
    confidence = float(-np.expm1(min(0.0, trials - best.neg_log_p)))  # 1 - trials * p
    return HarmonicSeries(frequency, harmonics, side_bands, strength, confidence, distances)


def _true_fundamental(lines: Lines, frequency: float, spread: int, lowest: float) -> float:
    """Go up where only every m-th harmonic is there, and down where lines stand between the harmonics as well.

    Down only where these are of like strength: the lines between the harmonics of a bearing's fault may be side
    bands of its cage, the n-th part of it.
    """
    while by := next((m for m in MULTIPLES if _skips(lines, frequency, m, spread)), 0):
        frequency *= by
    while by := next((m for m in MULTIPLES if _fills(lines, frequency, m, spread, lowest)), 0):
        frequency /= by
    return frequency


def _skips(lines: Lines, fundamental: float, multiple: int, spread: int) -> bool:
    """Tell whether nothing stands between the multiples of a multiple."""
    return (
        fundamental * multiple < lines.highest and _neg_log_p(_between(lines, fundamental, multiple, spread)) < ABSENT
    )


def _fills(lines: Lines, frequency: float, multiple: int, spread: int, lowest: float) -> bool:
    """Tell whether lines as strong as the harmonics stand between them, too."""
    if (fundamental := frequency / multiple) < lowest:
        return False
    new = _between(lines, fundamental, multiple, spread)
    orders = np.arange(1, STRONG * multiple + 1)
    strength, shared = lines.strength(orders * fundamental, spread), orders % multiple == 0
    alike = strength[~shared].mean() >= strength[shared].mean() - ALIKE
    return bool(alike and (new > SEEN).sum() > 1 and _neg_log_p(new) > PRESENT)


def _between(lines: Lines, fundamental: float, multiple: int, spread: int) -> np.ndarray:
    """Look up ``-ln p`` at the first harmonics that are not those of a multiple."""
    orders = np.array([k for k in range(1, ORDERS * multiple) if k % multiple])[:ORDERS]
    frequencies = orders * fundamental
    return lines.neg_log_p_at(frequencies[frequencies < lines.highest], spread)


def _neg_log_p(nats: np.ndarray) -> float:
    return float(largest(nats, TRIED))


def _refined(lines: Lines, frequency: float, spread: int) -> float:
    """Estimate a fundamental [Hz] from the centres of its harmonics; higher ones are more exact and weigh more."""
    weighed = weights = 0.0
    for order in range(1, ORDERS + 1):
        middle = order * frequency / lines.step
        if middle + 2 >= len(lines.level) or lines.neg_log_p[spread, round(middle)] < SCREEN:
            continue
        centre, reach = _centre(lines.level, middle)
        weight = order / (1 + reach) ** 2
        weighed += weight * centre * lines.step / order
        weights += weight
        frequency = weighed / weights
    return frequency


def _centre(level: np.ndarray, middle: float) -> tuple[float, float]:
    """Find the centre of a line, in cells, and its half width, of the cells above a tenth of its peak."""
    reach = max(1.6, WIDEST * middle)
    cells = np.arange(max(0, int(np.ceil(middle - reach))), min(len(level), int(middle + reach) + 1))
    power = level[cells] - 1
    power = np.where(power > power.max() / 10, power.clip(0), 0)
    if not power.any():
        return middle, reach
    centre = float(power @ cells / power.sum())
    return centre, float(np.sqrt(power @ (cells - centre) ** 2 / power.sum()))


def _best_tone(lines: Lines, highest: float) -> _Candidate:
    """Choose the strongest single line."""
    cell = int(lines.tone[: int(highest / lines.step) + 1].argmax())
    return _Candidate(float(np.log(max(lines.tone[cell], 1))), cell * lines.step, 0, float(lines.tone[cell]))


@lru_cache(8)
def _grid(lowest: float, highest: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the fundamentals [Hz] that are tried, and the cells of their harmonics ``(orders, fundamentals)``."""
    fundamentals = np.arange(lowest, highest, step / FINENESS)
    return fundamentals, cells_of(np.outer(np.arange(1, ORDERS + 1), fundamentals), step)


def _best_series(
    lines: Lines, fundamentals: np.ndarray, cells: np.ndarray, bound: float, least: int
) -> _Candidate | None:
    """Choose the strongest series whose ``-ln p`` is above the bound."""
    # most fundamentals have no line at all among their first three harmonics: these are dropped at once
    loud = np.append(lines.neg_log_p.max(axis=0) >= SCREEN, False)
    few = np.flatnonzero(np.any(loud.take(cells[:3], mode="clip"), axis=0))
    fundamentals, cells = fundamentals[few], cells.take(few, axis=1)
    of_width = (_best_of_width(lines, fundamentals, cells, spread, bound, least) for spread in range(len(SPREADS)))
    candidates = [candidate for candidate in of_width if candidate]
    return max(candidates, key=lambda candidate: candidate.strength, default=None)


def _best_of_width(
    lines: Lines, fundamentals: np.ndarray, cells: np.ndarray, spread: int, bound: float, least: int
) -> _Candidate | None:
    """Choose the strongest series of lines of one width; see :func:`_best_series`."""
    nats = look_up(lines.neg_log_p[spread], cells)  # (orders, fundamentals)
    seen = np.flatnonzero((nats > SEEN).sum(axis=0) >= least)
    if not len(seen):
        return None
    neg_log_p = largest(nats.take(seen, axis=1), TRIED[1:])
    strength = lines.strength_in(cells[:STRONG].take(seen, axis=1), spread).sum(axis=0)
    strength[neg_log_p < bound] = 0
    top = int(strength.argmax())
    if strength[top] <= 0:
        return None
    return _Candidate(float(strength[top]), float(fundamentals[seen[top]]), spread, float(neg_log_p[top]))


def _side_bands(lines: Lines, frequency: float, harmonics: list[int], lowest: float, most: int) -> tuple[float, ...]:
    """Find distances [Hz] at which bands stand to both sides of the first harmonics, the strongest first."""
    carriers = np.array([k for k in harmonics if k <= ORDERS // 2][:CARRIERS]) * frequency
    distances = np.arange(max(lowest, 4 * lines.step), 0.48 * frequency, lines.step / 4)
    if not len(carriers) or not len(distances):
        return ()
    # below and above each carrier: (2 * carriers, distances)
    frequencies = np.concatenate([carriers[:, None] - distances, carriers[:, None] + distances])
    strength = lines.strength(frequencies, 0).sum(axis=0)
    strength[combined(lines.neg_log_p_at(frequencies, 0)) < np.log(len(distances)) + SIDE_BANDS] = 0
    found: list[float] = []
    while len(found) < most and strength.any():
        found.append(float(distances[strength.argmax()]))
        strength[np.abs(distances - found[-1]) <= LINE_CELLS * lines.step] = 0
    return tuple(found)


def _remove_series(lines: Lines, frequency: float, spread: int, side_bands: float) -> None:
    """Take a series' lines away, but those that stick out among the harmonics beside them: they are another's."""
    orders = np.arange(1, int(len(lines.level) * lines.step / frequency) + 1)
    strength = lines.strength(frequency * orders, spread)
    beside = maximum_filter(strength, footprint=[1, 1, 0, 1, 1], mode="nearest")
    of_series = (strength <= beside + STICKING_OUT) | (orders <= 2)
    offsets = side_bands * np.arange(-SIDE_ORDERS, SIDE_ORDERS + 1) if side_bands else np.zeros(1)
    remove(lines, (frequency * orders[of_series][:, None] + offsets).ravel(), spread)
