"""Distances measured against how far normal clips lie apart where they are."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.scoring.neighbours import nearest_others
from asd.scoring.params import Count, Metric
from asd.scoring.registry import register
from asd.scoring.scorer import MemoryBankScorer

LEAST = 1e-6  # of the mean spread: that of duplicates
NOTHING = 1e-12  # of the squared mean: a variance below is rounding


@register("local_density")
@dataclass(eq=False, repr=False)
class LocalDensity(MemoryBankScorer):
    """Score by the distance to a normal clip, normalised by the spread around that clip.

    With ``b(y) = mean_{k <= K} D(y, y_k)`` over the nearest other normal clips of both domains, ``A(x)`` is

    - ratio: ``min_y D(x, y) / b(y)``
    - difference: ``min_y D(x, y) - b(y)``
    - log: ``min_y log D(x, y) - log b(y)``, the ratio's logarithm: the same order of clips, other means and fusions

    b is at least a millionth of its mean, and so is D in the logarithm; see :func:`spreads` for few clips.

    Parameters
    ----------
    n_neighbors : int
        K.
    form : str
        ``ratio``, ``difference`` or ``log``.
    metric : str
        ``cosine`` or ``euclidean``.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    spread_ : np.ndarray [shape=(normal clips,)]
        b.

    References
    ----------
    K. Wilkinghoff, H. Yang, J. Ebbers, F. G. Germain, G. Wichern, J. Le Roux, "Keeping the balance: anomaly score
    calculation for domain generalization", ICASSP 2025; arXiv 2509.10951.
    """

    n_neighbors: Count = 4
    form: Literal["ratio", "difference", "log"] = "ratio"
    metric: Metric = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_bank_ = x
        self.spread_ = _floored(spreads(x, self.n_neighbors, self.metric))

    def _by_clip(self, far: np.ndarray) -> np.ndarray:
        return far - self.spread_ if self.form == "difference" else far / self.spread_

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        scores = super()._anomaly_score(x)
        return np.log(np.maximum(scores, LEAST)) if self.form == "log" else scores


@register("domain_density")
@dataclass(eq=False, repr=False)
class DomainDensity(MemoryBankScorer):
    """Score by the distance to a normal clip over the sum of that clip's distances within its own domain.

    ``A(x) = min_d min_{y in d} D(x, y) / sum_{k <= K_d} D(y, y_k)``. Where a domain has no K_d others the sum is K_d
    times the mean of those there are; a domain of one clip has the mean spread of the others, see :func:`spreads`.
    The sum is at least a millionth of the mean.

    Parameters
    ----------
    n_source_neighbors, n_target_neighbors : int
        K_d; any domain but ``target`` counts as source.
    metric : str
        ``cosine`` or ``euclidean``.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    spread_ : np.ndarray [shape=(normal clips,)]
        The sums.

    References
    ----------
    P. Saengthong, T. Shinozaki, "GenRep for first-shot unsupervised anomalous sound detection of DCASE 2025
    challenge", DCASE 2025 technical report: K 16 and 9, Euclidean.
    """

    n_source_neighbors: Count = 16
    n_target_neighbors: Count = 9
    metric: Metric = "euclidean"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_bank_, target = x, domain == "target"
        spread = np.full(len(x), np.nan)
        for in_domain, count in ((~target, self.n_source_neighbors), (target, self.n_target_neighbors)):
            if in_domain.sum() > 1:
                spread[in_domain] = count * nearest_others(x[in_domain], count, self.metric)[0].mean(axis=1)
        known = ~np.isnan(spread)
        self.spread_ = _floored(np.where(known, spread, spread[known].mean() if known.any() else 1.0))

    def _by_clip(self, far: np.ndarray) -> np.ndarray:
        return far / self.spread_


@register("var_min")
@dataclass(eq=False, repr=False)
class VarMin(MemoryBankScorer):
    """Score by the distance to a normal clip, less a share of the spread around it.

    ``A(x) = min_y D(x, y) - alpha b(y)``, ``b(y) = mean_{k <= K} D(y, y_k)`` over the nearest other normal clips of
    both domains. ``alpha = Cov(d, b) / Var(b)`` over the normal clips' own matches: d is each clip's distance to its
    nearest other, b the spread of that other; it is the share that leaves the least variance of ``d - alpha b``.
    Where b does not vary, or there is one clip, alpha is 0 and the score the distance.

    Parameters
    ----------
    n_neighbors : int
        K.
    metric : str
        ``cosine`` or ``euclidean``.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    spread_ : np.ndarray [shape=(normal clips,)]
        b.
    alpha_ : float

    References
    ----------
    T. Matsumoto et al., DCASE Workshop 2025; with memory banks per band (:class:`asd.scoring.wrappers.PerBand`) as in
    arXiv 2608.00447, K = 4, whose cosine distance is half of ours: its scores are half of these.
    """

    n_neighbors: Count = 4
    metric: Metric = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_bank_, self.alpha_ = x, 0.0
        self.spread_ = spreads(x, self.n_neighbors, self.metric)
        if len(x) > 1:
            far, row = nearest_others(x, 1, self.metric)
            self.alpha_ = _slope(far[:, 0], self.spread_[row[:, 0]])

    def _by_clip(self, far: np.ndarray) -> np.ndarray:
        return far - self.alpha_ * self.spread_


def spreads(x: np.ndarray, n_neighbors: int, metric: str) -> np.ndarray:
    """Average each clip's distance to its nearest others; to all others where they are fewer.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    n_neighbors : int
    metric : str

    Returns
    -------
    np.ndarray [shape=(clips,)]
        1 for a clip that is alone: distances stay as they are.
    """
    if len(x) == 1:
        return np.ones(1)
    return nearest_others(x, n_neighbors, metric)[0].mean(axis=1)


def _slope(d: np.ndarray, b: np.ndarray) -> float:
    """Compute ``Cov(d, b) / Var(b)``; 0 where b does not vary."""
    centred = b - b.mean()
    variance = (centred**2).mean()
    return float((centred * (d - d.mean())).mean() / variance) if variance > NOTHING * b.mean() ** 2 else 0.0


def _floored(spread: np.ndarray) -> np.ndarray:
    """Keep spreads above 0 where clips are duplicates; all ones where all are."""
    return np.maximum(spread, LEAST * spread.mean()) if spread.any() else np.ones(len(spread))
