"""Distances measured against how far normal clips lie apart where they are."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import nearest_others, reduced
from asd.scoring.scorer import Scorer

LEAST = 1e-6  # of the mean spread: that of duplicates


@dataclass
class LocalDensity(Scorer):
    """Score by the distance to a normal clip, normalised by the spread around that clip.

    With ``b(y) = mean_{k <= K} D(y, y_k)`` over the nearest other normal clips of both domains, ``A(x)`` is

    - ratio: ``min_y D(x, y) / b(y)``
    - difference: ``min_y D(x, y) - b(y)``
    - log: ``min_y log D(x, y) - log b(y)``, the ratio's logarithm: the same order of clips, other means and fusions

    b is at least a millionth of its mean, and so is D in the logarithm; see :func:`spreads` for few clips.

    Parameters
    ----------
    neighbours : int
        K.
    form : str
        ``ratio``, ``difference`` or ``log``.
    metric : str
        ``cosine`` or ``euclidean``.

    References
    ----------
    K. Wilkinghoff, H. Yang, J. Ebbers, F. G. Germain, G. Wichern, J. Le Roux, "Keeping the balance: anomaly score
    calculation for domain generalization", ICASSP 2025; arXiv 2509.10951.
    """

    neighbours: int = 4
    form: str = "ratio"
    metric: str = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_ = x
        self.spread_ = floored(spreads(x, self.neighbours, self.metric))

    def _score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_, self.metric, self._normalised)

    def _normalised(self, block: np.ndarray) -> np.ndarray:
        if self.form == "difference":
            return (block - self.spread_).min(axis=1)
        ratio = (block / self.spread_).min(axis=1)
        return ratio if self.form == "ratio" else np.log(np.maximum(ratio, LEAST))


@dataclass
class DomainDensity(Scorer):
    """Score by the distance to a normal clip over the sum of that clip's distances within its own domain.

    ``A(x) = min_d min_{y in d} D(x, y) / sum_{k <= K_d} D(y, y_k)``. Where a domain has no K_d others the sum is K_d
    times the mean of those there are; a domain of one clip has the mean spread of the others, see :func:`spreads`.
    The sum is at least a millionth of the mean.

    Parameters
    ----------
    source_neighbours, target_neighbours : int
        K_d; any domain but ``target`` counts as source.
    metric : str
        ``cosine`` or ``euclidean``.

    References
    ----------
    P. Saengthong, T. Shinozaki, "GenRep for first-shot unsupervised anomalous sound detection of DCASE 2025
    challenge", DCASE 2025 technical report: K 16 and 9, Euclidean.
    """

    source_neighbours: int = 16
    target_neighbours: int = 9
    metric: str = "euclidean"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_, target = x, domain == "target"
        self.spread_ = np.full(len(x), np.nan)
        for own, count in ((~target, self.source_neighbours), (target, self.target_neighbours)):
            if own.sum() > 1:
                self.spread_[own] = count * nearest_others(x[own], count, self.metric)[0].mean(axis=1)
        self.spread_ = floored(_known(self.spread_))

    def _score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_, self.metric, lambda block: (block / self.spread_).min(axis=1))


def spreads(memory: np.ndarray, neighbours: int, metric: str) -> np.ndarray:
    """Average each clip's distance to its nearest others; to all others where they are fewer.

    Returns
    -------
    np.ndarray [shape=(clips,)]
        1 for a clip that is alone: distances stay as they are.
    """
    if len(memory) == 1:
        return np.ones(1)
    return nearest_others(memory, neighbours, metric)[0].mean(axis=1)


def floored(spread: np.ndarray) -> np.ndarray:
    """Keep spreads from being nothing where clips are duplicates; all ones where all are."""
    return np.maximum(spread, LEAST * spread.mean()) if spread.any() else np.ones(len(spread))


def _known(spread: np.ndarray) -> np.ndarray:
    """Put the mean where a spread is not known, 1 where none is."""
    known = ~np.isnan(spread)
    return np.where(known, spread, spread[known].mean() if known.any() else 1.0)
