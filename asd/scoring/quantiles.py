"""Maps from scores to quantiles of normal clips' scores, one for each domain, pooled with that of all domains."""

from typing import NamedTuple, Self

import numpy as np


class QuantileMap(NamedTuple):
    """A map from a score to the share of normal scores below it, continuous and strictly increasing.

    The i-th smallest of n different scores has ``i / (n + 1)``, equal ones the middle of theirs, linear in between.
    Beyond the largest, s, the rest of the way to 1 goes by ``u / (1 + u)``, u the distance to s over that from the
    median to s; below the smallest likewise to 0: clips that all normal ones lie below, or above, keep their order.

    Attributes
    ----------
    scores, shares : np.ndarray [shape=(different scores,)]
    above, below : float
        The units of u.
    """

    scores: np.ndarray
    shares: np.ndarray
    above: float
    below: float

    @classmethod
    def of(cls, reference: np.ndarray) -> Self:
        """Make the map of the scores ``(n,)`` of normal clips, one at least."""
        scores, counts = np.unique(reference, return_counts=True)
        shares = (np.cumsum(counts) - (counts - 1) / 2) / (len(reference) + 1)
        median = float(np.median(reference))
        size = float(np.abs(scores).max()) or 1.0  # where all scores are equal
        return cls(scores, shares, float(scores[-1] - median) or size, float(median - scores[0]) or size)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Map ``(clips,)`` to shares ``(clips,)`` between 0 and 1."""
        over = np.maximum(scores - self.scores[-1], 0) / self.above
        under = np.maximum(self.scores[0] - scores, 0) / self.below
        inside = np.interp(scores, self.scores, self.shares) / (1 + under)
        return inside + (1 - self.shares[-1]) * over / (1 + over)


class DomainQuantiles(NamedTuple):
    """The maps of the source and the target domain, each pooled with that of all clips.

    ``q_d(s) = (n_d own_d(s) + m all(s)) / (n_d + m)``: own_d by the n_d clips of the domain, all by those of both. With
    m = 0 each domain stands for itself; the larger m, the nearer both maps, and the order of clips to that by score.

    Attributes
    ----------
    own : tuple of QuantileMap
        Of source and target; where a domain has no clip, that of all.
    counts : tuple of int
        n_d
    every : QuantileMap
    pooling : float
        m, in clips.
    """

    own: tuple[QuantileMap, QuantileMap]
    counts: tuple[int, int]
    every: QuantileMap
    pooling: float

    @classmethod
    def of(cls, scores: np.ndarray, target: np.ndarray, pooling: float) -> Self:
        """Make the maps.

        Parameters
        ----------
        scores : np.ndarray [shape=(clips,)]
            Of normal clips, each by a scorer fitted without it.
        target : np.ndarray [shape=(clips,), dtype=bool]
            Whether a clip is of the target domain.
        pooling : float
        """
        every = QuantileMap.of(scores)
        source, of_target = (QuantileMap.of(scores[some]) if some.any() else every for some in (~target, target))
        return cls((source, of_target), (int((~target).sum()) or 1, int(target.sum()) or 1), every, pooling)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Map ``(clips,)`` to shares by either domain ``(2, clips)``."""
        every = self.pooling * self.every(scores)
        each = zip(self.own, self.counts, strict=True)
        return np.stack([(count * own(scores) + every) / (count + self.pooling) for own, count in each])
