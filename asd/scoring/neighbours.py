"""Nearest clips: looked for by products in single precision, of bounded rounding, and measured in double precision."""

import numpy as np

from asd.scoring.distances import Arrays, distances, measured_pairs, once, slices

ROUNDING = float(np.finfo(np.float32).eps)
SPARSE = 16  # pairs are measured one by one where at most so small a part of them can be among the nearest
SHORT, LONG = 1e-12, 1e12  # lengths whose products single precision holds


def nearest(x: np.ndarray, y: np.ndarray, count: int, metric: str) -> Arrays:
    """Find the nearest of other clips for every clip.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    y : np.ndarray [shape=(others, dims)]
    count : int
        Number of others; all where there are fewer.
    metric : str
        ``cosine`` or ``euclidean``; see :func:`asd.scoring.distances.distances`.

    Returns
    -------
    np.ndarray, np.ndarray [shape=(clips, count)]
        Distances, nearest first, and the rows of the others; of equal ones the first.
    """
    count = min(count, len(y))
    return once(("nearest", metric, count), (x, y), lambda: _nearest(x, y, count, metric, itself=True))


def nearest_others(x: np.ndarray, count: int, metric: str) -> Arrays:
    """Find the nearest other clips of every clip, itself left out (its duplicates are others); see :func:`nearest`.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    count : int
    metric : str
    """
    count = min(count, len(x) - 1)
    return once(("others", metric, count), (x,), lambda: _nearest(x, x, count, metric, itself=False))


def _nearest(x: np.ndarray, y: np.ndarray, count: int, metric: str, itself: bool) -> Arrays:
    far, row = np.empty((len(x), count)), np.empty((len(x), count), dtype=np.intp)
    if count == 0:
        return far, row
    near = _Screen(y, metric)
    for here in slices(len(x), max(len(y), x.shape[1])):
        some = x[here]
        left_out = np.arange(len(some)), np.arange(here.start, here.stop)
        pairs = near.pairs(some, count, None if itself else left_out)
        if pairs is None:
            far[here], row[here] = _by_all(some, y, count, metric, None if itself else left_out)
        else:
            far[here], row[here] = _by_pairs(some, y, count, metric, *pairs)
    return far, row


def _by_all(x: np.ndarray, y: np.ndarray, count: int, metric: str, left_out: Arrays | None) -> Arrays:
    far = distances(x, y, metric)
    if left_out:
        far = far.copy()  # those kept for other scorers stay
        far[left_out] = np.inf
    row = np.argsort(far, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(far, row, axis=1), row


def _by_pairs(x: np.ndarray, y: np.ndarray, count: int, metric: str, clip: np.ndarray, other: np.ndarray) -> Arrays:
    """Measure pairs, sorted by clip, and choose the nearest of every clip."""
    far = measured_pairs(x, y, metric, clip, other)
    order = np.lexsort((other, far, clip))
    chosen = order[np.searchsorted(clip, np.arange(len(x)))[:, None] + np.arange(count)]
    return far[chosen], other[chosen]


class _Screen:
    """Finds the pairs of clips that can be among the nearest by products in single precision.

    A product of n numbers is off by at most ``n u |x| |y|``, u the unit of rounding, in whatever order it is summed (N.
    Higham, "Accuracy and stability of numerical algorithms", 2002, section 3.1): others that are farther than the
    nearest by more than twice that are not among them.
    """

    def __init__(self, y: np.ndarray, metric: str) -> None:
        self.y, self.cosine = y.astype(np.float32, copy=False), metric == "cosine"
        self.squares = np.einsum("ij,ij->i", self.y, self.y)
        self.lengths = np.sqrt(self.squares)
        self.longest = float(self.lengths.max())
        self.fits = bool((self.lengths > SHORT).all() and self.longest < LONG)

    def pairs(self, x: np.ndarray, count: int, left_out: Arrays | None) -> Arrays | None:
        """Give the rows of clips and others, sorted; None where they are many, or too long or short."""
        lengths = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
        if not (self.fits and (lengths > SHORT).all() and (lengths < LONG).all()):
            return None
        rounding = ROUNDING * (x.shape[1] + 8)
        if self.cosine:
            far = (x / -lengths[:, None]).astype(np.float32) @ self.y.T
            far /= self.lengths
            margin = np.full(len(x), 2 * rounding)
        else:
            far = (-2 * x).astype(np.float32, copy=False) @ self.y.T
            far += self.squares
            margin = rounding * self.longest * (self.longest + 2 * lengths)
        if left_out:
            far[left_out] = np.inf
        last = far.min(axis=1) if count == 1 else np.partition(far, count - 1, axis=1)[:, count - 1]
        limit = (last + margin).astype(np.float32)
        clip, other = np.nonzero(far <= np.nextafter(limit, np.float32(np.inf))[:, None])
        return (clip, other) if len(clip) <= max(far.size // SPARSE, count * len(x)) else None
