"""Distances between clips as matrix products, in blocks of bounded memory."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain

import numpy as np

BLOCK = 2**22  # numbers of one block: 32 MiB
KEPT = 8 * BLOCK  # numbers that are kept for other scorers at most, those they were measured from among them
CLOSE = 1e-8  # of squared lengths: where two clips are nearer, their product has lost too many digits

Reduction = Callable[[np.ndarray], np.ndarray]
Arrays = tuple[np.ndarray, ...]
_known: ContextVar[dict[Hashable, tuple[Arrays, Arrays]] | None] = ContextVar("known", default=None)


@contextmanager
def measured_once() -> Iterator[None]:
    """Measure the same clips once for all scorers within, in this thread.

    What is known of arrays is found by where they lie in memory: within, they must not change.
    """
    mark = _known.set({})
    try:
        yield
    finally:
        _known.reset(mark)


def _once(what: Hashable, arrays: Arrays, measure: Callable[[], Arrays]) -> Arrays:
    """Look up what was measured of arrays, or measure it; kept arrays stay where they are, and are read-only."""
    known = _known.get()
    if known is None:
        return measure()
    key = what, *((_place(own), own.shape, own.strides, own.dtype.str) for own in arrays)
    if key not in known:
        found = measure()
        for own in found:
            own.flags.writeable = False
        known[key] = arrays, found
        while sum({_place(own): own.size for kept in known.values() for own in chain(*kept)}.values()) > KEPT:
            del known[next(iter(known))]
        return found
    return known[key][1]


def _place(array: np.ndarray) -> int:
    """Say where an array lies in memory."""
    return int(array.__array_interface__["data"][0])


def distances(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    """Measure clips against others.

    ``cosine`` is ``1 - x.y / (|x| |y|)``, ``euclidean`` is ``|x - y| = sqrt(|x|^2 + |y|^2 - 2 x.y)``. Computed in
    double precision, whatever the input; pairs so close that the product cancels are computed from their difference,
    so equal clips are at distance 0 and one clip by itself gives what it gives among others. A clip of zeros has no
    direction: its cosine distance to any clip is 1.

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
    return _once(metric, (x, y), lambda: (_distances(x, y, metric),))[0]


def _distances(x: np.ndarray, y: np.ndarray, metric: str) -> np.ndarray:
    x = x.astype(np.float64, copy=False)
    lengths = np.sqrt(_squares(x))
    result = np.empty((len(x), len(y)))
    for here in blocks(len(y), y.shape[1]):
        some = y[here].astype(np.float64, copy=False)
        result[:, here] = METRICS[metric](x, some, lengths, np.sqrt(_squares(some)))
    return result


def reduced(x: np.ndarray, memory: np.ndarray, metric: str, reduce: Reduction) -> np.ndarray:
    """Measure clips against a memory and reduce every block of distances ``(some clips, memory)`` along its rows.

    No more than :data:`BLOCK` distances stand in memory at once; what ``reduce`` gives is put together.
    """
    return np.concatenate([reduce(block) for _, block in row_blocks(x, memory, metric)])


def row_blocks(x: np.ndarray, memory: np.ndarray, metric: str) -> Iterator[tuple[slice, np.ndarray]]:
    """Measure some clips at a time against a memory: which clips, their distances ``(some clips, memory)``."""
    for here in blocks(len(x), max(len(memory), x.shape[1])):
        yield here, distances(x[here], memory, metric)


def nearest_others(memory: np.ndarray, count: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest other clips of every clip of a memory, itself left out (its duplicates are others).

    Parameters
    ----------
    memory : np.ndarray [shape=(clips, dims)]
    count : int
        How many; all where there are fewer.
    metric : str

    Returns
    -------
    np.ndarray, np.ndarray [shape=(clips, count)]
        Distances, nearest first, and the others' places in the memory.
    """
    count = min(count, len(memory) - 1)
    far, place = _once((metric, count), (memory,), lambda: _nearest_others(memory, count, metric))
    return far, place


def _nearest_others(memory: np.ndarray, count: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    far, place = np.empty((len(memory), count)), np.empty((len(memory), count), dtype=np.intp)
    for here, block in row_blocks(memory, memory, metric):
        block = block if block.flags.writeable else block.copy()  # others look at it, too
        block[np.arange(len(block)), np.arange(here.start, here.start + len(block))] = np.inf
        place[here] = np.argsort(block, axis=1, kind="stable")[:, :count]
        far[here] = np.take_along_axis(block, place[here], axis=1)
    return far, place


def nearest_mean(block: np.ndarray, count: int) -> np.ndarray:
    """Average the smallest finite distances of each row; infinite where a row has none."""
    count = min(count, block.shape[1])
    nearest = np.partition(block, count - 1, axis=1)[:, :count]
    finite = np.isfinite(nearest)
    total = np.where(finite, nearest, 0).sum(axis=1)
    return np.where(finite.any(axis=1), total / np.maximum(finite.sum(axis=1), 1), np.inf)


def blocks(count: int, width: int) -> Iterator[slice]:
    """Cut so many rows of so many numbers into blocks of at most :data:`BLOCK` numbers."""
    rows = max(1, BLOCK // max(width, 1))
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


def _pairs(places: np.ndarray, dims: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for here in blocks(len(places), dims):
        yield places[here, 0], places[here, 1]


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", x, x)


METRICS = {"cosine": _cosine, "euclidean": _euclidean}
