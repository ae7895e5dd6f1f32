"""Pseudo-attributes by mutually exclusive characteristic frequencies, as in Chu and Qian 2025."""

from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import poisson

from asd.pseudo_labels.grouping import Clips, Grouping, nearest
from asd.pseudo_labels.params import LABELLERS, Labeller
from asd.pseudo_labels.spaces import space
from asd.pseudo_labels.trees import by_size

WIDTH = 0.012  # relative half width of a line: the speed of a state wanders
RING = 0.06  # relative half width of the surroundings that a line must stand out of
MIN_NEG_LOG_P = 8.0  # [nat] by which a line must stand out of them
FRACTION = 0.03  # least fraction of the clips
FEW = 3  # least number of clips
MULTIPLES = (2, 3)  # between which the search of harmonic series errs
SIDES: tuple[tuple[int, Literal["left", "right"]], ...] = ((-1, "left"), (1, "right"))
LOCKED = 0.004  # relative difference of multiples
APART = 0.8  # accuracy of a classifier from which on two lines are two states
COVERED = 0.5  # least fraction of the clips that a machine's states must explain
CLASH = 2.0  # price [nat] of a clip that two states claim
LOYAL = 0.9  # fraction of a further line's clips that one group must hold to be extended by it
BORROWED = 0.5  # factor of the confidence of a clip whose group is that of similar clips


class Line(NamedTuple):
    """A frequency of several clips.

    Attributes
    ----------
    frequency : float
        [Hz]
    strength : np.ndarray [shape=(clips,)]
        [nats] of each clip's harmonic series there, 0 where it has none.
    """

    frequency: float
    strength: np.ndarray

    @property
    def clips(self) -> np.ndarray:
        """Which clips have it, bool."""
        return self.strength > 0


@LABELLERS.register("frequency")
class Frequency(Labeller):
    """Groups of characteristic frequencies that exclude each other."""

    features: str

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        """See :meth:`Labeller.group`; the frequencies choose the number of groups."""
        sound = np.nan_to_num(space(clips.spectra))

        def grouped(rows: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
            return frequency(clips.frequency[rows], clips.strength[rows], sound[rows])

        own, lines = grouped(np.arange(len(sound)))
        weight = np.where(own >= 0, 1.0, BORROWED if lines else 0.0)
        return Grouping(nearest(sound, own), lambda rows: nearest(sound[rows], grouped(rows)[0]), weight, lines=lines)


def frequency(lines: np.ndarray, strength: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """Group the clips of one machine by the frequencies that exclude each other.

    A clip is of one state: of all recurrent lines those are chosen that together tell most about the clips - entropy
    of the grouping times the clips that exactly one of them claims, less a price for clips that several claim. Hum
    of the mains and other machines, which sound in any state, tell nothing. The number of groups is that of the
    chosen lines. Further lines of one group alone extend it to clips where its own line was missed. A
    reconstruction: how the report groups its frequencies is not known.

    Parameters
    ----------
    lines : np.ndarray [shape=(clips, series)]
        [Hz] Fundamentals of the harmonic series of each clip, 0 where there are fewer.
    strength : np.ndarray [shape=(clips, series)]
        [nats]
    sound : np.ndarray [shape=(clips, dims)]
        Spectra of the clips: they tell a state at twice the frequency from an error by an octave.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        Groups from 0, the largest first; -1 where a clip tells none. All -1 where the machine has no states.
    dict of int to float
        [Hz] The chosen line of each group.

    References
    ----------
    Chu and Qian, DCASE 2025 challenge, technical report (envelope-spectrum pseudo-attributes).
    """
    none = np.full(len(lines), -1)
    joined = join_octaves(recurrent_lines(lines, strength), sound)
    states = exclusive(joined)
    if len(states) < 2:
        return none, {}
    groups = _extended(strongest(states), joined)
    if (groups >= 0).mean() < COVERED:
        return none, {}
    number = by_size(groups[groups >= 0])
    names = {int(new): states[old].frequency for old, new in zip(groups[groups >= 0], number, strict=True)}
    groups[groups >= 0] = number
    return groups, names


def exclusive(lines: list[Line]) -> list[Line]:
    """Choose the lines that together tell most, starting from each of them in turn."""
    best: list[Line] = []
    for first in lines:
        chosen, rest = [first], [line for line in lines if line is not first]
        while rest:
            gains = [information([*chosen, line]) for line in rest]
            if max(gains) <= information(chosen):
                break
            chosen.append(rest.pop(int(np.argmax(gains))))
        if information(chosen) > information(best):
            best = chosen
    return best


def information(lines: list[Line]) -> float:
    """Measure the information of a set of lines about the clips.

    Returns
    -------
    float
        [nat] Entropy of the clips that one line claims, less a price for those that several do.
    """
    if not lines:
        return 0.0
    claims = np.stack([line.clips for line in lines])
    once = claims[:, claims.sum(axis=0) == 1].sum(axis=1)
    once = once[once > 0]
    entropy = -float(np.sum(once * np.log(once / once.sum()))) if len(once) else 0.0
    return entropy - CLASH * float(np.sum(claims.sum(axis=0) > 1))


def strongest(lines: list[Line]) -> np.ndarray:
    """Give the line, by number, that is strongest in each clip; -1 where there is none."""
    strength = np.stack([line.strength for line in lines])
    return np.where(strength.max(axis=0) > 0, strength.argmax(axis=0), -1)


def _extended(groups: np.ndarray, lines: list[Line]) -> np.ndarray:
    """Let lines of one group alone claim clips that have no group."""
    extended = groups.copy()
    for line in lines:
        known = groups[line.clips & (groups >= 0)]
        if len(known) >= FEW and np.bincount(known).max() >= LOYAL * len(known):
            extended[line.clips & (extended < 0)] = np.bincount(known).argmax()
    return extended


def recurrent_lines(frequency: np.ndarray, strength: np.ndarray) -> list[Line]:
    """Find narrow lines that stand out of a broad background of others.

    Another machine nearby, which turns at another speed in every clip, fills a range evenly; a state of the machine
    comes back at the same frequency. A line is a range of +-0.6 % with more clips than the density of harmonic series
    to both its sides explains (Poisson), and at least 3 % of all.

    Parameters
    ----------
    frequency, strength : np.ndarray [shape=(clips, series)]
        [Hz], 0 where there is none; [nats].

    Returns
    -------
    list of Line
        The most frequent first.
    """
    clip, series = np.nonzero(frequency > 0)
    level = np.log(frequency[clip, series])  # (points,), one for each harmonic series of a clip
    order = np.lexsort((clip, level))
    clip, level, nats = clip[order], level[order], strength[clip, series][order]
    lines, all_levels = [], level
    while len(level):
        # The narrow range around one of the points that holds most of them.
        first, last = (np.searchsorted(level, level + side * WIDTH / 2, way) for side, way in SIDES)
        best = int(np.argmax(last - first))
        inside = slice(first[best], last[best])
        centre, clips = np.median(level[inside]), len(set(clip[inside]))
        if clips < max(FEW, FRACTION * len(frequency)):
            break
        # It is a line if chance does not explain it; its points are taken out either way.
        member = np.abs(level - centre) <= WIDTH
        member[best] = True
        if _neg_log_p(clips, all_levels - centre) >= MIN_NEG_LOG_P:
            strongest_of_clips = np.zeros(len(frequency))
            np.maximum.at(strongest_of_clips, clip[member], nats[member])
            lines.append(Line(float(np.exp(centre)), strongest_of_clips))
        clip, level, nats = clip[~member], level[~member], nats[~member]
    return lines


def _neg_log_p(clips: int, distance: np.ndarray) -> float:
    """Give -ln of the probability that so many fall together by chance, by the denser of both sides."""
    sides = [np.sum((sign * distance > WIDTH) & (sign * distance <= RING)) for sign in (-1, 1)]
    expected = max(max(sides) * WIDTH / (RING - WIDTH), 1e-3)
    return float(-poisson.logsf(clips - 1, expected))


def join_octaves(lines: list[Line], sound: np.ndarray) -> list[Line]:
    """Join lines at two and three times each other, unless their clips differ otherwise.

    The search takes a harmonic for the fundamental in some clips: errors by an octave, which must not split a group.
    But a machine may also run at half its speed: then the clips of both lines sound different, or have different
    further lines.

    Parameters
    ----------
    lines : list of Line
    sound : np.ndarray [shape=(clips, dims)]
        Spectra of the clips.

    Returns
    -------
    list of Line
        At the frequency of the more frequent one, the most frequent first.
    """
    joined = _by_clips(lines)
    while pair := next((pair for pair in combinations(joined, 2) if _is_octave(*pair, joined, sound)), None):
        one, other = pair
        both = Line(one.frequency, np.maximum(one.strength, other.strength))
        joined = _by_clips([*(line for line in joined if line is not one and line is not other), both])
    return joined


def _by_clips(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.clips.sum(), line.frequency))


def _is_octave(one: Line, other: Line, lines: list[Line], sound: np.ndarray) -> bool:
    """Say whether two lines are one, by their frequencies, the sound of their clips and all other lines."""
    ratio = max(one.frequency, other.frequency) / min(one.frequency, other.frequency)
    if all(abs(ratio / n - 1) > LOCKED for n in MULTIPLES):
        return False
    rest = [line.clips for line in lines if line is not one and line is not other]
    views = [sound, *([np.stack(rest, axis=1).astype(float)] if rest else [])]
    return all(separability(x, one.clips & ~other.clips, other.clips & ~one.clips) < APART for x in views)


def separability(x: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Measure how well the nearest of two means, the clip itself left out, tells two sets of clips apart.

    Returns
    -------
    float
        Mean of the fractions of either set that are nearer to their own mean; 0 where a set has fewer than three.
    """
    if min(one.sum(), other.sum()) < FEW:
        return 0.0
    fractions = []
    for own, far in ((x[one], x[other].mean(axis=0)), (x[other], x[one].mean(axis=0))):
        left_out = (own.sum(axis=0) - own) / (len(own) - 1)
        fractions.append(np.mean(((own - left_out) ** 2).sum(axis=1) < ((own - far) ** 2).sum(axis=1)))
    return float(np.mean(fractions))
