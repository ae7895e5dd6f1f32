"""The true fundamental of a family of lines, among its multiples and fractions, and its exact frequency."""

import numpy as np

from asd.features.lines import SEEN, Lines
from asd.features.surprise import largest

ORDERS = 12  # harmonics that testify
TRIED = (1, 2, 3, 4, 6, 8, 12)  # numbers of harmonics that a comb may have
STRONG = 5  # harmonics whose levels make a family's strength
SCREEN = 4.0  # [nats] that a harmonic must have to be listened to
MULTIPLES = (2, 3, 5)  # of which sub-multiples are tried, again and again
ABSENT, PRESENT = 6.0, 10.0  # [nats] of the harmonics that only the lower of two fundamentals has
ALIKE = 1.4  # [nats] 6 dB: most that these may lie below those that both have
WIDEST = 0.015  # relative half width within which a line may wander


def true_fundamental(lines: Lines, frequency: float, spread: int, lowest: float) -> float:
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
    """Say whether nothing stands between the multiples of a multiple."""
    return fundamental * multiple < lines.highest and _surprise(_between(lines, fundamental, multiple, spread)) < ABSENT


def _fills(lines: Lines, frequency: float, multiple: int, spread: int, lowest: float) -> bool:
    """Say whether lines as strong as the harmonics stand between them, too."""
    if (fundamental := frequency / multiple) < lowest:
        return False
    new = _between(lines, fundamental, multiple, spread)
    orders = np.arange(1, STRONG * multiple + 1)
    strength, shared = lines.strength(orders * fundamental, spread), orders % multiple == 0
    alike = strength[~shared].mean() >= strength[shared].mean() - ALIKE
    return bool(alike and (new > SEEN).sum() > 1 and _surprise(new) > PRESENT)


def _between(lines: Lines, fundamental: float, multiple: int, spread: int) -> np.ndarray:
    """Look up the surprises at the first harmonics that are not those of a multiple."""
    orders = np.array([k for k in range(1, ORDERS * multiple) if k % multiple])[:ORDERS]
    places = orders * fundamental
    return lines.surprise(places[places < lines.highest], spread)


def _surprise(nats: np.ndarray) -> float:
    return float(largest(nats, TRIED))


def refined(lines: Lines, frequency: float, spread: int) -> float:
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
