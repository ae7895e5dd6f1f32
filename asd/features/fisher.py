"""Fisher's method: combine the p-values of several lines of a spectrum into one."""

from functools import lru_cache

import numpy as np
from scipy.special import gammaln, logsumexp

CAP = 12.0  # [nats] from one line: no single one makes a series


def combined(nats: np.ndarray) -> np.ndarray:
    """Combine the p-values of lines that should all be there.

    Of noise ``-ln p`` of each is exponentially distributed and their sum has a gamma distribution (Fisher,
    "Statistical methods for research workers", 1932).

    Parameters
    ----------
    nats : np.ndarray [shape=(lines, ...)]
        ``-ln p`` of each line; of each no more than 12 counts.

    Returns
    -------
    np.ndarray [shape=(...)]
        ``-ln`` of the probability that noise has such a sum.
    """
    return _of_sum(np.minimum(nats, CAP).sum(axis=0), len(nats))


def largest(nats: np.ndarray, tried: tuple[int, ...]) -> np.ndarray:
    """Combine the first few lines, and take the largest over several numbers of them.

    Parameters
    ----------
    nats : np.ndarray [shape=(lines, ...)]
        ``-ln p`` of each line.
    tried : tuple of int
        Numbers of lines.

    Returns
    -------
    np.ndarray [shape=(...)]
        The largest combined ``-ln p``; zeros of no lines.
    """
    sums = np.cumsum(np.minimum(nats, CAP), axis=0)
    combinations = [_of_sum(sums[count - 1], count) for count in tried if count <= len(nats)]
    return np.max(combinations, axis=0) if combinations else np.zeros(nats.shape[1:])


def _of_sum(nats: np.ndarray, lines: int) -> np.ndarray:
    return np.interp(nats, *_tail(lines))


@lru_cache
def _tail(lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate -ln P(sum of so many exponential variables >= x)."""
    x = np.linspace(1e-9, CAP * lines, 1000)
    terms = np.arange(lines)[:, None]
    return x, x - logsumexp(terms * np.log(x) - gammaln(terms + 1), axis=0)
