"""Families of lines: a fundamental, its harmonics and their side bands, found by a comb and taken away in turn."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from asd.features.lines import SPREADS, Lines, lines_of, remove

ORDERS = 12  # harmonics that may testify to a family
TRIED = (2, 3, 4, 6, 8, 12)  # numbers of harmonics that a comb may have
STRONG = 5  # harmonics whose levels make its strength
CAP = 12.0  # [nats] from one harmonic: no single line makes a comb
SCREEN = 4.0  # [nats] that one of the first three harmonics must have, to save time
FINENESS = 8  # candidates per cell of the spectrum
MULTIPLES = (2, 3, 5)  # of which sub-multiples are tried, again and again
ABSENT, PRESENT = 6.0, 10.0  # [nats] of the harmonics that only the lower of two fundamentals has
ALIKE = 0.35  # least log level of these, relative to those that both have
SEEN = 4.6  # [nats] of a harmonic that is listed: 1 % by chance
SIDE_ORDERS = 4  # side bands to either side that belong to a family
WIDEST = 0.015  # relative half width within which a line may wander
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

    For each fundamental on a fine grid the surprise of its first K harmonics is summed (Fisher's method: of noise the
    sum has a gamma distribution), for K of 2 to 12 and three widths of the lines. The bound is that of Bonferroni
    over all that was tried, so that a spectrum of noise yields a family at most as often as stated. Of the families
    beyond it the one with the largest log levels is taken, its true fundamental found among multiples and
    sub-multiples, its side bands sought, and all its lines are removed before the next.

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
        family = _strongest(lines, lowest, min(highest, (len(power) - 1) * step), false_alarms, least)
        if family is None:
            break
        found.append(family)
    found = [family for family in found if family.strength >= WEAKEST]
    return sorted(found, key=lambda family: -family.strength)


def _strongest(lines: Lines, lowest: float, highest: float, false_alarms: float, least: int) -> Family | None:
    """Find the strongest family that noise does not explain, and remove it."""
    fundamentals = np.arange(lowest, highest, lines.step / FINENESS)
    trials = np.log(max(len(fundamentals), 1) * len(SPREADS) * (len(TRIED) + 1))
    bound = trials - np.log(false_alarms)
    strength, frequency, spread, surprise = _best_comb(lines, fundamentals, bound, least)
    tone = int(lines.tone[: int(highest / lines.step) + 1].argmax())
    if lines.tone[tone] >= bound and np.log(lines.tone[tone]) > strength:
        frequency, spread, surprise = tone * lines.step, 0, float(lines.tone[tone])
    elif not frequency:
        return None
    else:
        frequency = _true_fundamental(lines, frequency, spread, lowest)
    frequency = _refined(lines, frequency, spread)
    harmonics = _harmonics(lines, frequency, spread)
    side_bands = _side_bands(lines, frequency, harmonics, lowest)
    strength = _strength(lines, frequency, spread)
    _remove_family(lines, frequency, spread, side_bands)
    return Family(frequency, harmonics, side_bands, strength, float(-np.expm1(min(0.0, trials - surprise))))


def _best_comb(lines: Lines, fundamentals: np.ndarray, bound: float, least: int) -> tuple[float, float, int, float]:
    """Choose the strongest comb more surprising than the bound: strength, fundamental, spread, surprise; 0s if none."""
    orders = np.arange(1, ORDERS + 1)
    first = lines.nats.max(axis=0)
    few = np.any([_at(first, order * fundamentals, lines.step) >= SCREEN for order in orders[:3]], axis=0)
    fundamentals = fundamentals[few]
    places = np.outer(orders, fundamentals)
    best = (0.0, 0.0, 0, 0.0)
    for spread in range(len(SPREADS)):
        nats = _at(lines.nats[spread], places, lines.step)
        sums = np.cumsum(np.minimum(nats, CAP), axis=0)
        surprise = np.max([np.interp(sums[tried - 1], *_SURPRISE[tried]) for tried in TRIED], axis=0)
        strength = np.log(np.maximum(_at(lines.mean[spread], places[:STRONG], lines.step), 1)).sum(axis=0)
        strength[(surprise < bound) | ((nats > SEEN).sum(axis=0) < least)] = 0
        if len(strength) and strength.max() > best[0]:
            top = int(strength.argmax())
            best = float(strength[top]), float(fundamentals[top]), spread, float(surprise[top])
    return best


def _surprise_of_sum(tried: int) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate -ln P(sum of so many exponential variables >= x): the gamma distribution's tail."""
    x = np.linspace(1e-9, CAP * tried, 1000)
    terms = np.arange(tried)[:, None]
    return x, x - logsumexp(terms * np.log(x) - gammaln(terms + 1), axis=0)


_SURPRISE = {tried: _surprise_of_sum(tried) for tried in (1, *TRIED)}


def _surprise(nats: np.ndarray) -> float:
    """Give the largest surprise of the first K of some lines."""
    sums = np.cumsum(np.minimum(nats, CAP))
    return max((float(np.interp(sums[k - 1], *_SURPRISE[k])) for k in _SURPRISE if k <= len(sums)), default=0.0)


def _at(values: np.ndarray, frequencies: np.ndarray, step: float) -> np.ndarray:
    """Look values up at frequencies [Hz]; 0 beyond the end."""
    cells = np.rint(frequencies / step).astype(int)
    inside = (cells >= 0) & (cells < len(values))
    return np.where(inside, values[np.where(inside, cells, 0)], 0)


def _true_fundamental(lines: Lines, frequency: float, spread: int, lowest: float) -> float:
    """Go up where only every m-th harmonic is there, and down where lines stand between the harmonics as well."""
    nats, mean = lines.nats[spread], lines.mean[spread]

    def between(fundamental: float, multiple: int) -> np.ndarray:
        orders = np.array([k for k in range(1, ORDERS * multiple) if k % multiple])[:ORDERS]
        places = orders * fundamental
        return _at(nats, places[places < (len(nats) - 1) * lines.step], lines.step)

    def alike(fundamental: float, multiple: int) -> bool:
        orders = np.arange(1, STRONG * multiple + 1)
        logs = np.log(np.maximum(_at(mean, orders * fundamental, lines.step), 1))
        shared = orders % multiple == 0
        return bool(logs[~shared].mean() >= ALIKE * logs[shared].mean())

    def down(fundamental: float, multiple: int) -> bool:
        if fundamental / multiple < lowest:
            return False
        new = between(fundamental / multiple, multiple)
        return (new > SEEN).sum() > 1 and _surprise(new) > PRESENT and alike(fundamental / multiple, multiple)

    def up(fundamental: float, multiple: int) -> bool:
        new = between(fundamental, multiple)
        return fundamental * multiple < (len(nats) - 1) * lines.step and _surprise(new) < ABSENT

    while by := next((m for m in MULTIPLES if up(frequency, m)), 0):
        frequency *= by
    while by := next((m for m in MULTIPLES if down(frequency, m)), 0):
        frequency /= by
    return frequency


def _strength(lines: Lines, frequency: float, spread: int) -> float:
    levels = _at(lines.mean[spread], frequency * np.arange(1, STRONG + 1), lines.step)
    return float(np.log(np.maximum(levels, 1)).sum())


def _refined(lines: Lines, frequency: float, spread: int) -> float:
    """Weigh the centres of the harmonics, the higher of which tell the fundamental more exactly."""
    weighed = weights = 0.0
    for order in range(1, ORDERS + 1):
        middle = order * frequency / lines.step
        if middle + 2 >= len(lines.level) or lines.nats[spread, round(middle)] < SCREEN:
            continue
        centre, reach = _centre(lines.level, middle)
        weight = order / (1 + reach) ** 2
        weighed += weight * centre * lines.step / order
        weights += weight
        frequency = weighed / weights
    return frequency


def _centre(level: np.ndarray, middle: float) -> tuple[float, float]:
    """Find the centre of a line, in cells, and its half width: of what is above a tenth of its peak."""
    reach = max(1.6, WIDEST * middle)
    cells = np.arange(max(0, int(np.ceil(middle - reach))), min(len(level), int(middle + reach) + 1))
    power = level[cells] - 1
    power = np.where(power > power.max() / 10, power.clip(0), 0)
    if not power.any():
        return middle, reach
    centre = float(power @ cells / power.sum())
    return centre, float(np.sqrt(power @ (cells - centre) ** 2 / power.sum()))


def _harmonics(lines: Lines, frequency: float, spread: int) -> list[int]:
    orders = np.arange(1, min(40, int((len(lines.level) - 1) * lines.step / frequency)) + 1)
    return [int(k) for k in orders[_at(lines.nats[spread], orders * frequency, lines.step) > SEEN]] or [1]


def _side_bands(lines: Lines, frequency: float, harmonics: list[int], lowest: float) -> float:
    """Find the distance [Hz] at which bands stand to both sides of the first harmonics; 0 where there are none."""
    carriers = np.array([k for k in harmonics if k <= ORDERS // 2][:4]) * frequency
    distances = np.arange(max(lowest, 4 * lines.step), 0.48 * frequency, lines.step / 4)
    if not len(carriers) or not len(distances):
        return 0.0
    places = np.concatenate([carriers[:, None] - distances, carriers[:, None] + distances])
    nats = np.minimum(_at(lines.nats[0], places, lines.step), CAP).sum(axis=0)
    surprise = np.interp(nats, *_surprise_of_sum(len(places)))
    strength = np.log(np.maximum(_at(lines.level, places, lines.step), 1)).sum(axis=0)
    strength[surprise < np.log(len(distances)) + 7] = 0
    return float(distances[strength.argmax()]) if strength.any() else 0.0


def _remove_family(lines: Lines, frequency: float, spread: int, side_bands: float) -> None:
    carriers = frequency * np.arange(1, int(len(lines.level) * lines.step / frequency) + 1)
    aside = side_bands * np.arange(-SIDE_ORDERS, SIDE_ORDERS + 1) if side_bands else np.zeros(1)
    remove(lines, (carriers[:, None] + aside).ravel(), spread)
