"""Evidence for a grouping without labels: whether it is stable, clip by clip, and which others agree with it."""

from collections.abc import Sequence

import numpy as np

from asd.core.compute import rng

RESAMPLES = 10
KEPT = 0.8  # fraction of the clips in a resample


def resamples(clips: int) -> list[np.ndarray]:
    """Draw the subsets of 80 % of the clips that stability is measured on, each in order."""
    kept = max(2, round(KEPT * clips))
    return [np.sort(rng("resample", turn).permutation(clips)[:kept]) for turn in range(RESAMPLES)]


def stability(groups: np.ndarray, subsets: Sequence[np.ndarray], regrouped: Sequence[np.ndarray]) -> float:
    """Measure how stable groups are when only some of the clips are grouped.

    Parameters
    ----------
    groups : np.ndarray [shape=(clips,)], int
        Of all clips.
    subsets : sequence of np.ndarray
        Rows of the clips of each subset.
    regrouped : sequence of np.ndarray
        Groups of each subset.

    Returns
    -------
    float
        Mean adjusted Rand index; 0 where all clips are one group, which says nothing.

    References
    ----------
    Ben-Hur, Elisseeff, Guyon, "A stability based method for discovering structure in clustered data", Pac. Symp.
    Biocomput. 2002.
    """
    from sklearn.metrics import adjusted_rand_score

    if len(np.unique(groups)) < 2:
        return 0.0
    return float(
        np.mean([adjusted_rand_score(groups[rows], others) for rows, others in zip(subsets, regrouped, strict=True)])
    )


def clip_stability(groups: np.ndarray, subsets: Sequence[np.ndarray], regrouped: Sequence[np.ndarray]) -> np.ndarray:
    """Measure how stable the group of each clip is; see :func:`stability`.

    Returns
    -------
    np.ndarray [shape=(clips,)]
        Mean over the subsets that hold the clip of the Jaccard index of its group there and its group of all clips.
        0 to 1.
    """
    total, count = np.zeros(len(groups)), np.zeros(len(groups))
    for rows, others in zip(subsets, regrouped, strict=True):
        both = np.zeros((groups.max() + 1, others.max() + 1))
        np.add.at(both, (groups[rows], others), 1)
        either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
        total[rows] += (both / np.maximum(either, 1))[groups[rows], others]
        count[rows] += 1
    return np.where(count > 0, total / np.maximum(count, 1), 0.0)


def agreement(groupings: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Compare labellers with each other: adjusted mutual information of each pair, 0 where either has one group."""
    from sklearn.metrics import adjusted_mutual_info_score

    return {
        one: {
            other: float(adjusted_mutual_info_score(groups, others)) if min(groups.max(), others.max()) else 0.0
            for other, others in groupings.items()
            if other != one
        }
        for one, groups in groupings.items()
    }
