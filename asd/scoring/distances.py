"""Distances between clips as matrix products, in blocks of bounded size."""

import hashlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

BLOCK = 2**22  # numbers of one block: 32 MiB
CACHED = 2**16  # numbers that stay in a processor's cache
KEPT = 8 * BLOCK  # numbers that are kept for other scorers at most
CLOSE = 1e-8  # of squared lengths: where two clips are nearer, their product has lost too many digits

Reduction = Callable[[np.ndarray], np.ndarray]
Arrays = tuple[np.ndarray, ...]
_kept: ContextVar[dict[Hashable, Arrays] | None] = ContextVar("kept", default=None)


@contextmanager
def measured_once() -> Iterator[None]:
    """Keep distances for all scorers within, in this thread: those of the same clips are measured once."""
    mark = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(mark)


def once(name: Hashable, arrays: Arrays, measure: Callable[[], Arrays]) -> Arrays:
    """Look up the result for arrays of this content, or compute it; results that are kept are read-only."""
    kept = _kept.get()
    if kept is None:
        return measure()
    key = name, *map(_content, arrays)
    if key not in kept:
        kept[key] = result = measure()
        for array in result:
            array.flags.writeable = False
        while sum(array.size for one in kept.values() for array in one) > KEPT:
            del kept[next(iter(kept))]  # the oldest
        return result
    return kept[key]


def _content(array: np.ndarray) -> Hashable:
    """Identify an array by its content: a third of the time that it takes to measure distances."""
    return array.shape, array.dtype.str, hashlib.sha256(np.ascontiguousarray(array).data).digest()


def distances(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """Measure clips against others.

    ``cosine`` is ``1 - x.y / (|x| |y|)``, ``euclidean`` is ``|x - y| = sqrt(|x|^2 + |y|^2 - 2 x.y)``. Computed in
    double precision, whatever the input; pairs so close that the product cancels are computed from their difference,
    so equal clips are at distance 0 and one clip by itself has the distances that it has among others. A clip of zeros
    has no direction: its cosine distance to any clip is 1.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    y : np.ndarray [shape=(others, dims)]
    metric : str
        ``cosine`` or ``euclidean``.

    Returns
    -------
    np.ndarray [shape=(clips, others)]
        Read-only within :func:`measured_once`.
    """
    return once(metric, (x, y), lambda: (_distances(x, y, metric),))[0]


def _distances(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    x = x.astype(np.float64, copy=False)
    lengths = np.sqrt(_squares(x))
    result = np.empty((len(x), len(y)))
    for here in slices(len(y), y.shape[1]):
        some = y[here].astype(np.float64, copy=False)
        result[:, here] = METRICS[metric](x, some, lengths, np.sqrt(_squares(some)))
    return result


def reduced(x: np.ndarray, reference: np.ndarray, metric: str, reduce: Reduction) -> np.ndarray:
    """Measure clips against normal ones, at most :data:`BLOCK` distances at once, and reduce each block of distances.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    reference : np.ndarray [shape=(normal clips, dims)]
    metric : str
    reduce : callable
        From distances ``(some clips, normal clips)`` to something of each clip.

    Returns
    -------
    np.ndarray [shape=(clips, ...)]
    """
    return np.concatenate([reduce(block) for _, block in _row_blocks(x, reference, metric)])


def _row_blocks(x: np.ndarray, reference: np.ndarray, metric: str) -> Iterator[tuple[slice, np.ndarray]]:
    """Measure some clips at a time against normal ones: their rows, their distances ``(some clips, normal clips)``."""
    for here in slices(len(x), max(len(reference), x.shape[1])):
        yield here, distances(x[here], reference, metric)


def measured_pairs(x: np.ndarray, y: np.ndarray, metric: str, clip: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Measure some pairs of clips.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    y : np.ndarray [shape=(others, dims)]
    metric : str
        ``cosine`` or ``euclidean``; see :func:`distances`.
    clip, other : np.ndarray [shape=(pairs,)], int
        Their rows.

    Returns
    -------
    np.ndarray [shape=(pairs,)]
    """
    far = np.empty(len(clip))
    for here in slices(len(clip), x.shape[1], CACHED):
        one, another = x[clip[here]].astype(np.float64), y[other[here]].astype(np.float64)
        if metric == "cosine":
            one, another = (some / np.sqrt(_squares(some))[:, None] for some in (one, another))
        one -= another
        far[here] = _squares(one)
    return far / 2 if metric == "cosine" else np.sqrt(far)


def slices(count: int, width: int, block: int = BLOCK) -> Iterator[slice]:
    """Cut ``count`` rows of ``width`` numbers into slices of at most ``block`` numbers."""
    rows = max(1, block // max(width, 1))
    for start in range(0, count, rows):
        yield slice(start, min(start + rows, count))


def _cosine(x: np.ndarray, y: np.ndarray, x_lengths: np.ndarray, y_lengths: np.ndarray) -> np.ndarray:
    x_lengths, y_lengths = (np.where(lengths > 0, lengths, 1.0) for lengths in (x_lengths, y_lengths))
    far = x @ y.T
    far /= x_lengths[:, None]
    far /= y_lengths
    np.subtract(1, far, out=far)
    for i, j in _pairs(np.argwhere(far < CLOSE), x.shape[1]):
        far[i, j] = _squares(x[i] / x_lengths[i, None] - y[j] / y_lengths[j, None]) / 2
    return far


def _euclidean(x: np.ndarray, y: np.ndarray, x_lengths: np.ndarray, y_lengths: np.ndarray) -> np.ndarray:
    sizes = x_lengths[:, None] ** 2 + y_lengths**2
    squares = x @ y.T
    squares *= -2
    squares += sizes
    for i, j in _pairs(np.argwhere(squares <= CLOSE * sizes), x.shape[1]):
        squares[i, j] = _squares(x[i] - y[j])
    return np.sqrt(squares)


def _pairs(pairs: np.ndarray, dims: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for here in slices(len(pairs), dims):
        yield pairs[here, 0], pairs[here, 1]


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", x, x)


METRICS = {"cosine": _cosine, "euclidean": _euclidean}
