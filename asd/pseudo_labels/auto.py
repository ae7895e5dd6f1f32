"""Which method a machine gets, or which product of two, by evidence that needs no label."""

from typing import NamedTuple

import numpy as np

from asd.pseudo_labels.evidence import agreement, resamples, returning, stability
from asd.pseudo_labels.methods import Grouping
from asd.pseudo_labels.params import Auto
from asd.pseudo_labels.trees import by_size

ACOUSTIC = ("spectrum", "hierarchical")  # may be crossed with the states of the frequency
SOURCES = ("frequency", *ACOUSTIC)  # that hear a clip differently
LEAST, SHARE = 3, 0.04  # clips of a cell of a product: number, share of all


class Evidence(NamedTuple):
    """What can be said of every method without labels.

    Attributes
    ----------
    turns, again : list of np.ndarray; dict of str to list of np.ndarray
        The subsets that were grouped anew, and their groups by method.
    stability : dict of str to float
    agreement : dict of str to dict of str to float
        Adjusted mutual information of each pair.
    """

    turns: list[np.ndarray]
    again: dict[str, list[np.ndarray]]
    stability: dict[str, float]
    agreement: dict[str, dict[str, float]]


class Choice(NamedTuple):
    """What ``auto`` makes of a machine: the methods whose product it takes, and the product.

    Attributes
    ----------
    methods : tuple of str
        One or two.
    groups : np.ndarray [shape=(clips,)], int
    confidence : np.ndarray [shape=(clips,)]
    stability : float
    """

    methods: tuple[str, ...]
    groups: np.ndarray
    confidence: np.ndarray
    stability: float


def evidence(found: dict[str, Grouping], domain: np.ndarray) -> Evidence:
    """Group subsets of the clips anew by every method, and compare.

    Agreement is that on source clips: that target clips are groups of their own is agreed upon beforehand.
    """
    groups = {name: own.groups for name, own in found.items()}
    turns = resamples(len(next(iter(groups.values()))))
    again = {name: [own.again(some) for some in turns] for name, own in found.items()}
    stable = {name: stability(groups[name], turns, again[name]) for name in found}
    source = domain != "target"
    compared = {name: by_size(own[source]) for name, own in groups.items()} if source.any() else groups
    return Evidence(turns, again, stable, agreement(compared))


def auto(found: dict[str, Grouping], known: Evidence, params: Auto) -> Choice:
    """Choose the method, or the product of two, for one machine.

    States that the frequency tells and groups that sound alike are different things - a speed and a product - so that
    their product is taken where both come back and the product does. Of the acoustic methods that one is taken which
    is the more stable and agrees the more with the others. Distance and room come back as well as any attribute:
    the spectra's fine structure is free of them, embeddings are not, and count only where another source agrees. Ours;
    the papers choose by hand.

    Parameters
    ----------
    found : dict of str to Grouping
        Of every method.
    known : Evidence
    params : Auto

    Returns
    -------
    Choice
    """
    agrees = max(agreements(known, "hierarchical")) >= params.agrees
    acoustic = max(ACOUSTIC if agrees else ACOUSTIC[:1], key=lambda name: weight(known, name))
    names = [name for name in ("frequency", acoustic) if known.stability[name] >= params.stable]
    if len(names) == 2:
        both = taken(found, known, ("frequency", acoustic))
        if both.stability >= params.stable:
            return both
    return taken(found, known, (max(names or SOURCES, key=lambda name: weight(known, name)),))


def agreements(known: Evidence, name: str) -> list[float]:
    """Give a method's agreement with each of the other sources."""
    return [known.agreement[name][other] for other in SOURCES if other != name]


def weight(known: Evidence, name: str) -> float:
    """Weigh the evidence for a method: stability plus mean agreement with the other sources."""
    return known.stability[name] + float(np.mean(agreements(known, name)))


def taken(found: dict[str, Grouping], known: Evidence, methods: tuple[str, ...]) -> Choice:
    """Make one method's grouping, or the product of two, with its confidence."""
    groups = product([found[name].groups for name in methods])
    again = [product([known.again[name][turn] for name in methods]) for turn in range(len(known.turns))]
    sure = np.min([found[name].weight for name in methods], axis=0)
    confidence = sure * returning(groups, known.turns, again)
    return Choice(methods, groups, confidence, stability(groups, known.turns, again))


def product(factors: list[np.ndarray]) -> np.ndarray:
    """Cross groupings: clips of one group in both are one group.

    A cell of fewer than three clips, or of 4 % of all, joins the largest cell of its group of the first factor.

    Parameters
    ----------
    factors : list of np.ndarray [shape=(clips,)], int
        One or two; the first one's groups are never split off clip by clip.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
    """
    first, *others = factors
    if not others:
        return first
    second = others[0].copy()
    least = max(LEAST, SHARE * len(first))
    for group in np.unique(first):
        count = np.bincount(second[first == group])
        small = (first == group) & (count[np.minimum(second, len(count) - 1)] < least)
        second[small] = count.argmax()
    return by_size(first * (second.max() + 1) + second)
