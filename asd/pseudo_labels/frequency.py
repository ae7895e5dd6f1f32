"""Pseudo-attributes by characteristic frequency, as in seed 002."""

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.ndimage import median_filter

from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.trees import by_size, cut, groups_by_gap

FLOOR = 61  # [cells] width of the median that is the local floor
FEW = 3  # clips: smaller groups join the nearest


def strongest_line(spectrum: np.ndarray, resolution: float, f_min: float, prominence: float) -> float:
    """Find the strongest significant line of an envelope spectrum.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(cells,)]
        Amplitudes at 0, ``resolution``, 2 ``resolution`` ... [Hz].
    resolution : float
        [Hz]
    f_min : float
        [Hz] Slower lines are wander, not machines.
    prominence : float
        Robust deviations that the line must stand above its local floor, both in log amplitude.

    Returns
    -------
    float
        [Hz], NaN where no line is significant.
    """
    level = np.log(np.maximum(spectrum, 1e-12))
    height = level - median_filter(level, FLOOR, mode="nearest")
    height[: int(np.ceil(f_min / resolution))] = -np.inf
    usable = height[np.isfinite(height)]
    spread = 1.4826 * np.median(np.abs(usable - np.median(usable)))
    best = int(height.argmax())
    return best * resolution if height[best] > prominence * max(spread, 1e-9) else np.nan


def frequency(lines: np.ndarray, params: PseudoLabelParams) -> np.ndarray:
    """Group clips of one machine by their strongest line.

    Log frequencies are split at their largest gaps, the number of groups by the largest relative gap between
    these; groups of fewer than three clips join the nearest. Clips without a line are a group of their own.

    Parameters
    ----------
    lines : np.ndarray [shape=(clips,)]
        [Hz], NaN where there is none.
    params : PseudoLabelParams
        Least and largest number of groups.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        Groups from 0, the largest first; all 0 where fewer than two clips have a line.
    """
    has = np.isfinite(lines)
    if has.sum() < 2:
        return np.zeros(len(lines), dtype=int)
    level = np.log(lines[has])[:, None]
    tree = linkage(level, "single")
    found = cut(tree, groups_by_gap(tree[:, 2], params.min_groups, params.max_groups))
    groups = np.full(len(lines), -1)
    groups[has] = _join_few(found, level[:, 0])
    return by_size(groups)


def _join_few(groups: np.ndarray, level: np.ndarray) -> np.ndarray:
    names, counts = np.unique(groups, return_counts=True)
    large = names[counts >= FEW]
    if not len(large):
        return np.zeros_like(groups)
    centres = np.array([np.median(level[groups == g]) for g in large])
    nearest = large[np.abs(level[:, None] - centres).argmin(axis=1)]
    return np.where(np.isin(groups, large), groups, nearest)
