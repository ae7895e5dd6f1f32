"""Pseudo-attributes by agglomerative clustering, as in Fang et al. 2025."""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from asd.pseudo_labels.counts import number_of_groups
from asd.pseudo_labels.params import Agglomerative
from asd.pseudo_labels.trees import Merged, cut, merged


class Clustering(NamedTuple):
    """Groups of the clips of one machine, and the merge trees that they were cut from.

    Attributes
    ----------
    groups : np.ndarray [shape=(clips,)], int
        The source's from 0, the largest first; then the target's, where they are kept apart.
    trees : dict of str to (np.ndarray, Merged)
        By domain: which clips were merged [shape=(points,)], and how.
    numbers : dict of str to int
        By domain: the number of groups that was chosen.
    """

    groups: np.ndarray
    trees: dict[str, tuple[np.ndarray, Merged]]
    numbers: dict[str, int]


def hierarchical(
    x: np.ndarray, domain: np.ndarray, params: Agglomerative, low: int, high: int, numbers: dict[str, int] | None = None
) -> Clustering:
    """Group the clips of one machine.

    Source clips are merged (Ward: the merge of A and B costs ``|A||B| / (|A| + |B|) ||mu_A - mu_B||^2``) and the tree
    is cut where a rule says; target clips, too few to be clustered with them, join the group with the nearest mean or
    are clustered by themselves. A reconstruction: how the paper cuts its tree is not known.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
        Of one machine, in the space of :func:`asd.pseudo_labels.spaces.space`.
    domain : np.ndarray [shape=(clips,)] of str
        ``target`` or anything else, which is source; where nothing is source, target clips are clustered.
    params : Agglomerative
    low, high : int
        Least and largest number of groups.
    numbers : dict of str to int, optional
        Number of groups by domain, where it is chosen already.

    Returns
    -------
    Clustering

    References
    ----------
    Fang et al., "Attribute-aware representation ... from domain-adaptive pre-training", arXiv 2509.12845.
    """
    target = domain == "target"
    if target.all():
        target = np.zeros(len(x), dtype=bool)
    parts = {"source": np.flatnonzero(~target)}
    if params.target == "apart" and target.any():
        parts["target"] = np.flatnonzero(target)
    trees = {name: (rows, merged(x[rows], params.linkage)) for name, rows in parts.items()}
    chosen = numbers or {name: number_of_groups(t, params.count, low, high) for name, (_, t) in trees.items()}
    groups, offset = np.full(len(x), -1), 0
    for name, (rows, tree) in trees.items():
        if len(rows):
            groups[rows] = offset + cut(tree, min(chosen[name], len(rows)))
            offset = groups.max() + 1
    return Clustering(nearest(x, groups), trees, chosen)


def nearest(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Let clips without a group (-1) join the one with the nearest mean; all are one group where there is none."""
    if (groups < 0).all():
        return np.zeros_like(groups)
    means = np.stack([x[groups == g].mean(axis=0) for g in range(groups.max() + 1)])
    return np.where(groups < 0, cdist(x, means).argmin(axis=1), groups)
