"""Families of lines: a fundamental, its harmonics and their side bands, found by a comb and taken away in turn."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import maximum_filter

from asd.features.fundamentals import ORDERS, SCREEN, STRONG, TRIED, refined, true_fundamental
from asd.features.lines import SEEN, SPREADS, Lines, cells_of, lines_of, look_up, remove
from asd.features.surprise import combined, largest

FINENESS = 8  # candidates per cell of the spectrum
HARMONICS = 40  # that are listed at most
CARRIERS, SIDE_ORDERS = 4, 4  # harmonics that side bands are sought about; bands to either side that are removed
SIDE_BANDS = 7.0  # [nats] beyond what so many distances would give by chance
STICKING_OUT = 2.0  # [nats] above the harmonics beside it: a line of another family
MOST_FAMILIES = 6
WEAKEST = 2.5  # [nats] strength below which a family, though no chance, is of no use


@dataclass
class Family:
    """Lines at multiples of one frequency."""

    frequency: float
    """[Hz]"""
    harmonics: list[int]
    """Orders of the lines that are there, from 1."""
    side_bands: float
    """[Hz] from a line to the bands beside it: what modulates the family; 0 where there are none."""
    strength: float
    """[nats] Sum of the log levels of the first five harmonics over the local noise floor."""
    confidence: float
    """1 less the probability that noise alone holds a family as surprising as this anywhere."""


@dataclass
class _Comb:
    strength: float
    frequency: float
    spread: int
    surprise: float


def families(
    power: np.ndarray,
    step: float,
    lowest: float,
    highest: float,
    false_alarms: float,
    least: int = 2,
    window: int = 121,
) -> list[Family]:
    """Find all families of lines in a power spectrum, the strongest first.

    For each fundamental on a fine grid the surprise of its first K harmonics is combined, for K of 2 to 12 and three
    widths of the lines. The bound is that of Bonferroni over all that was tried, so that a spectrum of noise yields a
    family at most as often as stated. Of the families beyond it the one with the largest log levels is taken, its
    true fundamental found among multiples and sub-multiples, its side bands sought, and its lines are removed before
    the next.

    Parameters
    ----------
    power : np.ndarray [shape=(cells,)]
        Periodogram with a Hann window, the first cell at 0.
    step : float
        [Hz] between cells.
    lowest, highest : float
        [Hz] Limits of the fundamental.
    false_alarms : float
        Share of spectra of noise in which a family may be found.
    least : int
        Harmonics that must be seen of a comb; fewer are found as single tones, if these are sharp enough.
    window : int
        Least number of cells of the local noise floor.

    Returns
    -------
    list of Family
    """
    lines = lines_of(power, step, lowest, window)
    found: list[Family] = []
    while len(found) < MOST_FAMILIES:
        family = _strongest(lines, lowest, min(highest, lines.highest), false_alarms, least)
        if family is None:
            break
        found.append(family)
    return sorted((family for family in found if family.strength >= WEAKEST), key=lambda family: -family.strength)


def _strongest(lines: Lines, lowest: float, highest: float, false_alarms: float, least: int) -> Family | None:
    """Find the strongest family that noise does not explain, and remove it."""
    fundamentals, cells = _grid(lowest, highest, lines.step)
    trials = np.log(max(len(fundamentals), 1) * len(SPREADS) * len(TRIED))
    bound = trials - np.log(false_alarms)
    comb, tone = _best_comb(lines, fundamentals, cells, bound, least), _best_tone(lines, highest)
    if tone.surprise >= bound and (comb is None or tone.strength > comb.strength):
        comb = tone
    elif comb is None:
        return None
    else:
        comb.frequency = true_fundamental(lines, comb.frequency, comb.spread, lowest)
    frequency = refined(lines, comb.frequency, comb.spread)
    orders = np.arange(1, min(HARMONICS, int(lines.highest / frequency)) + 1)
    harmonics = [int(k) for k in orders[lines.surprise(orders * frequency, comb.spread) > SEEN]] or [1]
    side_bands = _side_bands(lines, frequency, harmonics, lowest)
    strength = float(lines.strength(frequency * np.arange(1, STRONG + 1), comb.spread).sum())
    _remove_family(lines, frequency, comb.spread, side_bands)
    return Family(frequency, harmonics, side_bands, strength, float(-np.expm1(min(0.0, trials - comb.surprise))))


def _best_tone(lines: Lines, highest: float) -> _Comb:
    """Choose the strongest single line."""
    cell = int(lines.tone[: int(highest / lines.step) + 1].argmax())
    return _Comb(float(np.log(max(lines.tone[cell], 1))), cell * lines.step, 0, float(lines.tone[cell]))


@lru_cache(8)
def _grid(lowest: float, highest: float, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the fundamentals [Hz] that are tried, and the cells of their harmonics ``(orders, fundamentals)``."""
    fundamentals = np.arange(lowest, highest, step / FINENESS)
    return fundamentals, cells_of(np.outer(np.arange(1, ORDERS + 1), fundamentals), step)


def _best_comb(lines: Lines, fundamentals: np.ndarray, cells: np.ndarray, bound: float, least: int) -> _Comb | None:
    """Choose the strongest comb more surprising than the bound."""
    loud = np.append(lines.nats.max(axis=0) >= SCREEN, False)
    few = np.flatnonzero(np.any(loud.take(cells[:3], mode="clip"), axis=0))
    cells = cells.take(few, axis=1)
    best = None
    for spread in range(len(SPREADS)):
        nats = look_up(lines.nats[spread], cells)
        seen = np.flatnonzero((nats > SEEN).sum(axis=0) >= least)
        if not len(seen):
            continue
        surprise = largest(nats.take(seen, axis=1), TRIED[1:])
        strength = lines.strength_in(cells[:STRONG].take(seen, axis=1), spread).sum(axis=0)
        strength[surprise < bound] = 0
        top = int(strength.argmax())
        if strength[top] > (best.strength if best else 0):
            best = _Comb(float(strength[top]), float(fundamentals[few[seen[top]]]), spread, float(surprise[top]))
    return best


def _side_bands(lines: Lines, frequency: float, harmonics: list[int], lowest: float) -> float:
    """Find the distance [Hz] at which bands stand to both sides of the first harmonics; 0 where there are none."""
    carriers = np.array([k for k in harmonics if k <= ORDERS // 2][:CARRIERS]) * frequency
    distances = np.arange(max(lowest, 4 * lines.step), 0.48 * frequency, lines.step / 4)
    if not len(carriers) or not len(distances):
        return 0.0
    places = np.concatenate([carriers[:, None] - distances, carriers[:, None] + distances])
    strength = lines.strength(places, 0).sum(axis=0)
    strength[combined(lines.surprise(places, 0)) < np.log(len(distances)) + SIDE_BANDS] = 0
    return float(distances[strength.argmax()]) if strength.any() else 0.0


def _remove_family(lines: Lines, frequency: float, spread: int, side_bands: float) -> None:
    """Take a family's lines away, but those that stick out among the harmonics beside them: they are another's."""
    orders = np.arange(1, int(len(lines.level) * lines.step / frequency) + 1)
    strength = lines.strength(frequency * orders, spread)
    beside = maximum_filter(strength, footprint=[1, 1, 0, 1, 1], mode="nearest")
    own = (strength <= beside + STICKING_OUT) | (orders <= 2)
    aside = side_bands * np.arange(-SIDE_ORDERS, SIDE_ORDERS + 1) if side_bands else np.zeros(1)
    remove(lines, (frequency * orders[own][:, None] + aside).ravel(), spread)
