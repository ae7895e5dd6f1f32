"""Pseudo-attributes by agglomerative clustering, as in Fang et al. 2025."""

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from asd.pseudo_labels.counts import RULES, number_of_groups
from asd.pseudo_labels.grouping import Clips, Grouping, group_finite, nearest
from asd.pseudo_labels.params import LABELLERS, Labeller
from asd.pseudo_labels.spaces import space
from asd.pseudo_labels.trees import Linkage, Merged, cut, merged, sample


@LABELLERS.register("hierarchical")
class Hierarchical(Labeller):
    """Agglomerative clustering of embeddings."""

    linkage: Linkage = "ward"
    normalise: bool = Field(True, description="to length 1")
    n_components: int = Field(10, ge=0, description="principal components, 0: all dimensions")
    n_clusters_rule: str = Field("gap_statistic", description="how the number of groups is chosen")
    target_groups: Literal["separate", "nearest"] = Field(
        "separate", description="target clips: groups of their own, or the nearest of the source's"
    )

    @field_validator("n_clusters_rule")
    @classmethod
    def _known(cls, rule: str) -> str:
        if rule not in RULES:
            raise ValueError(f"choose among {', '.join(RULES)}")
        return rule

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        """See :meth:`Labeller.group`."""
        return self.agglomerate(clips.embeddings, clips.domain, low, high)

    def agglomerate(self, values: np.ndarray, domain: np.ndarray, low: int, high: int) -> Grouping:
        """Group clips by values ``(clips, dims)`` and ``domain`` ``(clips,)``; see :func:`hierarchical`."""
        x = space(values, self.normalise, self.n_components)
        finite = np.flatnonzero(np.isfinite(x).all(axis=1))
        whole = hierarchical(x[finite], domain[finite], self, low, high)

        def regroup(rows: np.ndarray) -> np.ndarray:
            return hierarchical(x[rows], domain[rows], self, low, high, whole.numbers).groups

        trees = {name: (finite[rows], tree) for name, (rows, tree) in whole.trees.items()}
        return replace(group_finite(x, regroup), trees=trees)


class Clustering(NamedTuple):
    """Groups of the clips of one machine, and the merge trees that they were cut from.

    Attributes
    ----------
    groups : np.ndarray [shape=(clips,)], int
        The source's from 0, the largest first; then the target's, where they are kept apart.
    trees : dict of str to (np.ndarray, Merged)
        By domain: which clips were merged [shape=(merged clips,)], and how.
    numbers : dict of str to int
        By domain: the number of groups that was chosen.
    """

    groups: np.ndarray
    trees: dict[str, tuple[np.ndarray, Merged]]
    numbers: dict[str, int]


def hierarchical(
    x: np.ndarray, domain: np.ndarray, params: Hierarchical, low: int, high: int, numbers: dict[str, int] | None = None
) -> Clustering:
    """Group the clips of one machine.

    Source clips are merged (Ward: the merge of A and B costs ``|A||B| / (|A| + |B|) ||mu_A - mu_B||^2``) and the tree
    is cut where a rule says; target clips, too few to be clustered with them, join the group with the nearest mean or
    are clustered by themselves. A reconstruction: how the paper cuts its tree is not known. Of more clips than
    :data:`asd.pseudo_labels.trees.MOST` a sample is merged, and the others join the nearest group of their domain.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
        Of one machine, in the space of :func:`asd.pseudo_labels.spaces.space`.
    domain : np.ndarray [shape=(clips,)] of str
        ``target`` or anything else, which is source; where nothing is source, target clips are clustered.
    params : Hierarchical
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
    if params.target_groups == "separate" and target.any():
        parts["target"] = np.flatnonzero(target)
    few = {name: sample(len(rows)) for name, rows in parts.items()}
    trees = {name: (rows[few[name]], merged(x[rows[few[name]]], params.linkage)) for name, rows in parts.items()}
    chosen = numbers or {name: number_of_groups(t, params.n_clusters_rule, low, high) for name, (_, t) in trees.items()}
    groups, offset = np.full(len(x), -1), 0
    for name, rows in parts.items():
        if len(rows):
            own, tree = np.full(len(rows), -1), trees[name][1]
            own[few[name]] = cut(tree, min(chosen[name], len(tree.x)))
            groups[rows] = offset + nearest(x[rows], own)
            offset = groups.max() + 1
    return Clustering(nearest(x, groups), trees, chosen)
