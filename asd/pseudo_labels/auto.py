"""Choose the labeller of a machine, or the product of two, by evidence that needs no label."""

from typing import NamedTuple

import numpy as np

from asd.pseudo_labels.evidence import agreement, clip_stability, resamples, stability
from asd.pseudo_labels.grouping import Grouping
from asd.pseudo_labels.params import SOURCES, AutoParams
from asd.pseudo_labels.trees import by_size

ACOUSTIC = SOURCES[1:]  # may be crossed with the states of the frequency
LEAST, FRACTION = 3, 0.04  # clips of a cell of a product: number, fraction of all


class Evidence(NamedTuple):
    """Evidence for every labeller, without labels.

    Attributes
    ----------
    subsets, regrouped : list of np.ndarray; dict of str to list of np.ndarray
        Rows of the subsets that were grouped anew, and their groups by labeller.
    stability : dict of str to float
    agreement : dict of str to dict of str to float
        Adjusted mutual information of each pair.
    """

    subsets: list[np.ndarray]
    regrouped: dict[str, list[np.ndarray]]
    stability: dict[str, float]
    agreement: dict[str, dict[str, float]]


class Choice(NamedTuple):
    """Labels of a machine: the labellers whose product they are, and the product.

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


def evidence(groupings: dict[str, Grouping], domain: np.ndarray) -> Evidence:
    """Group subsets of the clips anew by every labeller, and compare.

    Agreement is that on source clips: target clips are groups of their own by construction.

    Parameters
    ----------
    groupings : dict of str to Grouping
        Of every labeller.
    domain : np.ndarray [shape=(clips,)] of str
    """
    groups = {name: own.groups for name, own in groupings.items()}
    subsets = resamples(len(next(iter(groups.values()))))
    regrouped = {name: [own.regroup(rows) for rows in subsets] for name, own in groupings.items()}
    stable = {name: stability(groups[name], subsets, regrouped[name]) for name in groupings}
    source = domain != "target"
    compared = {name: by_size(own[source]) for name, own in groups.items()} if source.any() else groups
    return Evidence(subsets, regrouped, stable, agreement(compared))


def auto(groupings: dict[str, Grouping], known: Evidence, params: AutoParams) -> Choice:
    """Choose the labeller, or the product of two, for one machine.

    States by frequency and groups of similar sound are different things - a speed and a product - so that their
    product is taken where both are stable and the product is. Of the acoustic labellers that one is taken which
    is the more stable and agrees the more with the others. Distance and room are as stable as any attribute:
    the spectra's fine structure is free of them, embeddings are not, and count only where another source agrees. Ours;
    the papers choose by hand.

    Parameters
    ----------
    groupings : dict of str to Grouping
        Of every labeller.
    known : Evidence
    params : AutoParams

    Returns
    -------
    Choice
    """
    agrees = max(agreements(known, "hierarchical")) >= params.min_agreement
    acoustic = max(ACOUSTIC if agrees else ACOUSTIC[:1], key=lambda name: weight(known, name))
    names = [name for name in ("frequency", acoustic) if known.stability[name] >= params.min_stability]
    if len(names) == 2:
        both = choice_of(groupings, known, ("frequency", acoustic))
        if both.stability >= params.min_stability:
            return both
    return choice_of(groupings, known, (max(names or SOURCES, key=lambda name: weight(known, name)),))


def agreements(known: Evidence, name: str) -> list[float]:
    """Give a labeller's agreement with each of the other sources."""
    return [known.agreement[name][other] for other in SOURCES if other != name]


def weight(known: Evidence, name: str) -> float:
    """Weigh the evidence for a labeller: stability plus mean agreement with the other sources."""
    return known.stability[name] + float(np.mean(agreements(known, name)))


def choice_of(groupings: dict[str, Grouping], known: Evidence, names: tuple[str, ...]) -> Choice:
    """Make labels of one labeller, or of the product of two.

    Parameters
    ----------
    groupings : dict of str to Grouping
    known : Evidence
    names : tuple of str
        One or two labellers.
    """
    groups = product([groupings[name].groups for name in names])
    regrouped = [product(list(parts)) for parts in zip(*(known.regrouped[name] for name in names), strict=True)]
    sure = np.min([groupings[name].weight for name in names], axis=0)  # (clips,)
    confidence = sure * clip_stability(groups, known.subsets, regrouped)
    return Choice(names, groups, confidence, stability(groups, known.subsets, regrouped))


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
    least = max(LEAST, FRACTION * len(first))
    for group in np.unique(first):
        count = np.bincount(second[first == group])
        small = (first == group) & (count[np.minimum(second, len(count) - 1)] < least)
        second[small] = count.argmax()
    return by_size(first * (second.max() + 1) + second)
