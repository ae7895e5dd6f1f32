"""Merge trees of agglomerative clustering, and their cuts."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

Linkage = Literal["ward", "average", "complete"]
MOST = 5000  # clips that are merged; time and memory grow by their square: a pair takes 8 bytes
ALIKE = 1e-9  # of the largest value: distances below are rounding


class Merged(NamedTuple):
    """Clips, and how they were merged.

    Attributes
    ----------
    x : np.ndarray [shape=(clips, dims)]
    tree : np.ndarray [shape=(clips - 1, 4)]
        Of :func:`scipy.cluster.hierarchy.linkage`: what is merged, at which height, to how many clips.
    linkage : str
    """

    x: np.ndarray
    tree: np.ndarray
    linkage: Linkage

    @property
    def alike(self) -> bool:
        """Whether all clips are the same, or there is but one."""
        return len(self.x) < 2 or bool(self.tree[-1, 2] <= ALIKE * np.abs(self.x).max())

    def cuts(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Cut into each number of groups."""
        return [cut(self, int(k)) for k in numbers]


def sample(clips: int) -> np.ndarray:
    """Choose the rows that are clustered: all, or :data:`MOST`, evenly spread; the others join the nearest group.

    Clips are sorted by their ids, which are random, so rows evenly spread are a random sample.
    """
    return np.linspace(0, clips - 1, min(clips, MOST)).round().astype(int)


def merged(x: np.ndarray, how: Linkage = "ward") -> Merged:
    """Merge clips [shape=(clips, dims)] by a linkage of scipy; a single clip has an empty tree."""
    return Merged(x, linkage(pdist(x), how) if len(x) > 1 else np.empty((0, 4)), how)


def cut(clips: Merged, groups: int) -> np.ndarray:
    """Cut a merge tree into so many groups; give their numbers from 0, larger groups first.

    Returns
    -------
    np.ndarray [shape=(points,)], int
        Numbered by size, then by the first member, so that the numbers do not depend on the order of merges.
    """
    return by_size(fcluster(clips.tree, groups, criterion="maxclust")) if len(clips.x) > 1 else np.zeros(1, dtype=int)


def by_size(raw: np.ndarray) -> np.ndarray:
    """Renumber groups from 0: larger ones first, ties by the first member."""
    names, first, count = np.unique(raw, return_index=True, return_counts=True)
    rank = np.lexsort((first, -count))
    number = np.empty(len(names), dtype=int)
    number[rank] = np.arange(len(names))
    return number[np.searchsorted(names, raw)]
