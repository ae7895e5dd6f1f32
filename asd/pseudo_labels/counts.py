"""Rules for the number of groups, without labels, over a merge tree: candidates of ``n_clusters_rule`` by name."""

from collections.abc import Callable

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from asd.core.compute import rng
from asd.pseudo_labels.evidence import resamples, stability
from asd.pseudo_labels.labellers.gmm import bic
from asd.pseudo_labels.spaces import principal
from asd.pseudo_labels.trees import Merged, merged

REFERENCES = 10  # data sets without groups, of the gap statistic
TIE = 0.02  # adjusted Rand index: numbers that are as stable
REDUCED = 8  # principal components of the mixtures


def number_of_groups(clips: Merged, rule: str, low: int, high: int) -> int:
    """Choose the number of groups.

    Parameters
    ----------
    clips : Merged
    rule : str
        One of :data:`RULES`.
    low, high : int
        Least (2 or more) and largest number.

    Returns
    -------
    int
        1 where all clips are alike; never more than clips.
    """
    if clips.alike:
        return 1
    numbers = np.arange(low, min(high, len(clips.x) - 1) + 1)
    return RULES[rule](clips, numbers) if len(numbers) else min(low, len(clips.x))


def _gap(clips: Merged, numbers: np.ndarray) -> int:
    """Largest relative gap between successive merge heights.

    With k groups left the next merge costs ``h_next`` and the last one cost ``h_last``; the k with the largest
    ``h_next / h_last`` is where merging starts to join what is unlike.
    """
    heights = clips.tree[:, 2]
    following, last = heights[len(clips.x) - numbers], heights[len(clips.x) - numbers - 1]
    return int(numbers[np.argmax(following / np.maximum(last, 1e-12 * heights[-1]))])


def _silhouette(clips: Merged, numbers: np.ndarray) -> int:
    """Largest mean silhouette (Rousseeuw, J. Comput. Appl. Math. 20, 1987)."""
    from sklearn.metrics import silhouette_score

    distances = squareform(pdist(clips.x))
    fits = [silhouette_score(distances, groups, metric="precomputed") for groups in clips.cuts(numbers)]
    return int(numbers[np.argmax(fits)])


def _gap_statistic(clips: Merged, numbers: np.ndarray) -> int:
    """Least number that does as well as the next one, against data without groups.

    The references are uniform over the ranges of the principal components (Tibshirani, Walther, Hastie, "Estimating
    the number of clusters in a data set via the gap statistic", J. R. Stat. Soc. B 63, 2001).
    """
    x = principal(clips.x, clips.x.shape[1])
    draws = [rng("gap statistic", i).uniform(x.min(axis=0), x.max(axis=0), x.shape) for i in range(REFERENCES)]
    references = [merged(draw, clips.linkage) for draw in draws]
    spread = np.log([within(x, groups) for groups in clips.cuts(numbers)])  # (numbers,)
    expected = np.log(
        [[within(r.x, groups) for groups in r.cuts(numbers)] for r in references]
    )  # (references, numbers)
    gap, error = expected.mean(axis=0) - spread, expected.std(axis=0) * np.sqrt(1 + 1 / REFERENCES)
    enough = np.append(gap[:-1] >= gap[1:] - error[1:], True)
    return int(numbers[np.argmax(enough)])


def within(x: np.ndarray, groups: np.ndarray) -> float:
    """Sum the squared distances to the means of the groups, never quite 0."""
    parts = (x[groups == g] for g in np.unique(groups))
    return max(float(sum(np.sum((part - part.mean(axis=0)) ** 2) for part in parts)), 1e-300)


def _bic(clips: Merged, numbers: np.ndarray) -> int:
    """Least Bayesian information criterion of a Gaussian mixture on principal components."""
    x = principal(clips.x, REDUCED)
    return int(numbers[np.argmin([bic(x, groups) for groups in clips.cuts(numbers)])])


def _stability(clips: Merged, numbers: np.ndarray) -> int:
    """Largest number of groups among the most stable."""
    stable = stabilities(clips, numbers)
    return int(numbers[np.flatnonzero(stable >= stable.max() - TIE)[-1]])


def stabilities(clips: Merged, numbers: np.ndarray) -> np.ndarray:
    """Measure the :func:`asd.pseudo_labels.evidence.stability` of each number of groups."""
    distances, subsets = squareform(pdist(clips.x)), resamples(len(clips.x))
    regrouped = []  # of each subset its groups, for each number
    for rows in subsets:
        tree = linkage(squareform(distances[np.ix_(rows, rows)]), clips.linkage)
        regrouped.append(Merged(clips.x[rows], tree, clips.linkage).cuts(numbers))
    cuts = zip(clips.cuts(numbers), *regrouped, strict=True)
    return np.array([stability(groups, subsets, others) for groups, *others in cuts])


RULES: dict[str, Callable[[Merged, np.ndarray], int]] = {
    "gap": _gap,
    "silhouette": _silhouette,
    "gap_statistic": _gap_statistic,
    "bic": _bic,
    "stability": _stability,
}
