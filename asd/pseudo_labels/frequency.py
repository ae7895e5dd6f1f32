"""Pseudo-attributes by mutually exclusive characteristic frequencies, as in Chu and Qian 2025."""

import numpy as np

from asd.pseudo_labels.lines import FEW, Line, families, recurrent_lines
from asd.pseudo_labels.trees import by_size

COVERED = 0.5  # least share of the clips that a machine's states must explain
CLASH = 2.0  # price [nat] of a clip that two states claim
LOYAL = 0.9  # share of a further line's clips that one group must hold to be told by it


def frequency(lines: np.ndarray, strength: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
    """Group the clips of one machine by the frequencies that exclude each other.

    A clip is of one state: of all recurrent lines those are chosen that together tell most about the clips - entropy
    of the grouping times the clips that exactly one of them claims, less a price for clips that several claim. Hum
    of the mains and other machines, which sound in any state, tell nothing. The number of groups is that of the
    chosen lines. Further lines found in one group alone extend it to clips where its own line was missed. A
    reconstruction: how the report groups its frequencies is not known.

    Parameters
    ----------
    lines : np.ndarray [shape=(clips, families)]
        [Hz] Fundamentals of the families of each clip, 0 where there are fewer.
    strength : np.ndarray [shape=(clips, families)]
        [nats]
    sound : np.ndarray [shape=(clips, dims)]
        What else is heard of the clips: tells a state at twice the frequency from an error by an octave.

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
    found = families(recurrent_lines(lines, strength), sound)
    states = exclusive(found)
    if len(states) < 2:
        return none, {}
    groups = _extended(claimed(states), found)
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
            gains = [told([*chosen, line]) for line in rest]
            if max(gains) <= told(chosen):
                break
            chosen.append(rest.pop(int(np.argmax(gains))))
        if told(chosen) > told(best):
            best = chosen
    return best


def told(lines: list[Line]) -> float:
    """Measure what a set of lines tells [nat]: entropy of the clips that one claims, less those that several do."""
    if not lines:
        return 0.0
    claims = np.stack([line.clips for line in lines])
    once = claims[:, claims.sum(axis=0) == 1].sum(axis=1)
    once = once[once > 0]
    entropy = -float(np.sum(once * np.log(once / once.sum()))) if len(once) else 0.0
    return entropy - CLASH * float(np.sum(claims.sum(axis=0) > 1))


def claimed(lines: list[Line]) -> np.ndarray:
    """Give the line, by number, that is strongest in each clip; -1 where there is none."""
    strength = np.stack([line.strength for line in lines])
    return np.where(strength.max(axis=0) > 0, strength.argmax(axis=0), -1)


def _extended(groups: np.ndarray, lines: list[Line]) -> np.ndarray:
    """Let lines that are found in one group alone claim clips that have no group."""
    extended = groups.copy()
    for line in lines:
        known = groups[line.clips & (groups >= 0)]
        if len(known) >= FEW and np.bincount(known).max() >= LOYAL * len(known):
            extended[line.clips & (extended < 0)] = np.bincount(known).argmax()
    return extended
