"""Pseudo-attributes by density: HDBSCAN."""

import numpy as np
from pydantic import Field, FiniteFloat

from asd.pseudo_labels.grouping import Clips, Grouping, group_finite, nearest
from asd.pseudo_labels.params import LABELLERS, Labeller
from asd.pseudo_labels.spaces import space
from asd.pseudo_labels.trees import by_size, sample

LEAST = 3  # clips of a group


@LABELLERS.register("hdbscan")
class Density(Labeller):
    """HDBSCAN of reduced embeddings; a candidate, which ``auto`` never takes."""

    n_components: int = Field(8, ge=1, description="principal components")
    min_fraction: FiniteFloat = Field(0.04, gt=0, lt=1, description="of the clips that make a group at least")

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        """See :meth:`Labeller.group`; density chooses the number of groups."""
        x = space(clips.embeddings, components=self.n_components)
        return group_finite(x, lambda rows: density(x[rows], self.min_fraction))


def density(x: np.ndarray, min_fraction: float) -> np.ndarray:
    """Group clips where they are dense; what HDBSCAN calls noise joins the group with the nearest mean.

    So do clips that are in no sample, where there are more than :data:`asd.pseudo_labels.trees.MOST`.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, components)]
        Principal components, few.
    min_fraction : float
        Of the clips, that make a group at least.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        Groups from 0, the largest first; all 0 where nothing is dense.

    References
    ----------
    Campello, Moulavi, Sander, "Density-based clustering based on hierarchical density estimates", PAKDD 2013.
    """
    from sklearn.cluster import HDBSCAN

    few, groups = sample(len(x)), np.full(len(x), -1)
    least = max(LEAST, round(min_fraction * len(few)))
    if len(few) < 2 * least:
        return np.zeros(len(x), dtype=int)
    groups[few] = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(x[few])
    return by_size(nearest(x, groups))
