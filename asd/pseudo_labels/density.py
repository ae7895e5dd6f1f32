"""Pseudo-attributes by density: HDBSCAN."""

import numpy as np

from asd.pseudo_labels.hierarchical import nearest
from asd.pseudo_labels.lines import FEW
from asd.pseudo_labels.trees import by_size


def density(x: np.ndarray, share: float) -> np.ndarray:
    """Group clips where they are dense; what HDBSCAN calls noise joins the group with the nearest mean.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, components)]
        Principal components, few.
    share : float
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

    least = max(FEW, round(share * len(x)))
    if len(x) < 2 * least:
        return np.zeros(len(x), dtype=int)
    return by_size(nearest(x, HDBSCAN(min_cluster_size=least, copy=True).fit_predict(x)))
