"""Where to cut a merge tree, without labels."""

import numpy as np
from scipy.cluster.hierarchy import fcluster


def groups_by_gap(heights: np.ndarray, low: int, high: int) -> int:
    """Choose the number of groups by the largest relative gap between successive merges.

    With k groups left the next merge costs ``h_next`` and the last one cost ``h_last``; the k with the largest
    ``h_next / h_last`` is where merging starts to join what is unlike.

    Parameters
    ----------
    heights : np.ndarray [shape=(points - 1,)]
        Merge heights, rising.
    low, high : int
        Least (2 or more) and largest number of groups.

    Returns
    -------
    int
        1 where all points are alike; never more than there are points.
    """
    points = len(heights) + 1
    if points < 2 or heights[-1] <= 0:
        return 1
    candidates = np.arange(max(low, 2), min(high, points - 1) + 1)
    if not len(candidates):
        return min(low, points)
    following, last = heights[points - candidates], heights[points - candidates - 1]
    return int(candidates[np.argmax(following / np.maximum(last, 1e-12 * heights[-1]))])


def cut(tree: np.ndarray, groups: int) -> np.ndarray:
    """Cut a scipy merge tree into so many groups; give their numbers from 0, larger groups first.

    Returns
    -------
    np.ndarray [shape=(points,)], int
        Numbered by size, then by the first member, so that the numbers do not depend on the order of merges.
    """
    raw = fcluster(tree, groups, criterion="maxclust")
    return by_size(raw)


def by_size(raw: np.ndarray) -> np.ndarray:
    """Renumber groups from 0: larger ones first, ties by the first member."""
    names, first, count = np.unique(raw, return_index=True, return_counts=True)
    rank = np.lexsort((first, -count))
    number = np.empty(len(names), dtype=int)
    number[rank] = np.arange(len(names))
    return number[np.searchsorted(names, raw)]
