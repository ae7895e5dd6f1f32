"""Lines that recur in the clips of one machine: the frequencies among which its states are to be found."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import poisson

WIDTH = 0.012  # relative half width of a line: the speed of a state wanders
RING = 0.06  # relative half width of the surroundings that a line must stand out of
SURPRISE = 8.0  # [nat] by which a line must stand out of them
SHARE = 0.03  # least share of the clips
FEW = 3  # least number of clips
MULTIPLES = (2, 3)  # between which the finder of families errs
SIDES: tuple[tuple[int, Literal["left", "right"]], ...] = ((-1, "left"), (1, "right"))
LOCKED = 0.004  # relative difference of multiples
APART = 0.8  # share of clips told apart from which on two lines are two states


class Line(NamedTuple):
    """A frequency found in several clips.

    Attributes
    ----------
    frequency : float
        [Hz]
    strength : np.ndarray [shape=(clips,)]
        [nats] of each clip's family there, 0 where it has none.
    """

    frequency: float
    strength: np.ndarray

    @property
    def clips(self) -> np.ndarray:
        """Which clips have it, bool."""
        return self.strength > 0


def recurrent_lines(frequency: np.ndarray, strength: np.ndarray) -> list[Line]:
    """Find narrow lines that stand out of a broad background of others.

    What turns at its own speed in every clip - another machine nearby - fills a range evenly; a state of the machine
    comes back at the same frequency. A line is a range of +-0.6 % whose clips are more than the density of families
    to both its sides explains (Poisson), and at least 3 % of all.

    Parameters
    ----------
    frequency, strength : np.ndarray [shape=(clips, families)]
        [Hz], 0 where there is no family; [nats].

    Returns
    -------
    list of Line
        The most frequent first.
    """
    clip, place = np.nonzero(frequency > 0)
    level = np.log(frequency[clip, place])
    order = np.lexsort((clip, level))
    clip, level, nats = clip[order], level[order], strength[clip, place][order]
    lines, every = [], level
    while len(level):
        first, last = (np.searchsorted(level, level + side * WIDTH / 2, way) for side, way in SIDES)
        best = int(np.argmax(last - first))
        centre = np.median(level[first[best] : last[best]])
        own = np.abs(level - centre) <= WIDTH
        own[best] = True
        count = len(set(clip[first[best] : last[best]]))
        if count < max(FEW, SHARE * len(frequency)):
            break
        if _surprise(count, every - centre) >= SURPRISE:
            found = np.zeros(len(frequency))
            np.maximum.at(found, clip[own], nats[own])
            lines.append(Line(float(np.exp(centre)), found))
        clip, level, nats = clip[~own], level[~own], nats[~own]
    return lines


def _surprise(count: int, distance: np.ndarray) -> float:
    """Give -ln of the probability that so many families fall together by chance, by the denser of both sides."""
    sides = [np.sum((sign * distance > WIDTH) & (sign * distance <= RING)) for sign in (-1, 1)]
    expected = max(max(sides) * WIDTH / (RING - WIDTH), 1e-3)
    return float(-poisson.logsf(count - 1, expected))


def families(lines: list[Line], sound: np.ndarray) -> list[Line]:
    """Join lines at two and three times each other, unless their clips differ in what else is heard.

    The finder takes a harmonic for the fundamental in some clips: errors by an octave, which must not split a group.
    But a machine may also run at half its speed: then the clips of both lines sound different, or have different
    further lines.

    Parameters
    ----------
    lines : list of Line
    sound : np.ndarray [shape=(clips, dims)]
        What else is heard.

    Returns
    -------
    list of Line
        At the frequency of the more frequent one, the most frequent first.
    """
    joined = sorted(lines, key=lambda line: (-line.clips.sum(), line.frequency))
    pair = _octave(joined, sound)
    while pair:
        one, other = (joined[i] for i in pair)
        joined = [line for line in joined if line is not one and line is not other]
        joined.append(Line(one.frequency, np.maximum(one.strength, other.strength)))
        joined.sort(key=lambda line: (-line.clips.sum(), line.frequency))
        pair = _octave(joined, sound)
    return joined


def _octave(lines: list[Line], sound: np.ndarray) -> tuple[int, int] | None:
    """Find two lines to be joined."""
    for i, one in enumerate(lines):
        for j, other in enumerate(lines[i + 1 :], start=i + 1):
            ratio = max(one.frequency, other.frequency) / min(one.frequency, other.frequency)
            if any(abs(ratio / n - 1) <= LOCKED for n in MULTIPLES):
                rest = [line.clips for k, line in enumerate(lines) if k not in (i, j)]
                views = [sound, *([np.stack(rest, axis=1).astype(float)] if rest else [])]
                if all(told_apart(x, one.clips & ~other.clips, other.clips & ~one.clips) < APART for x in views):
                    return i, j
    return None


def told_apart(x: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Measure how well the nearest of two means, the clip itself left out, tells two sets of clips apart.

    Returns
    -------
    float
        Mean of the shares of either set that are nearer to their own; 0 where a set has fewer than three.
    """
    if min(one.sum(), other.sum()) < FEW:
        return 0.0
    shares = []
    for own, far in ((x[one], x[other].mean(axis=0)), (x[other], x[one].mean(axis=0))):
        left_out = (own.sum(axis=0) - own) / (len(own) - 1)
        shares.append(np.mean(((own - left_out) ** 2).sum(axis=1) < ((own - far) ** 2).sum(axis=1)))
    return float(np.mean(shares))
