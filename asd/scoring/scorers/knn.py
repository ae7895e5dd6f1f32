"""Distance to the nearest normal clips."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.neighbours import nearest
from asd.scoring.params import Count, Metric
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer


@register("knn")
@dataclass(eq=False, repr=False)
class KNN(Scorer):
    """Score a clip by its mean distance to the k nearest normal clips.

    ``A(x) = min_d (1 / k) sum_{i <= k} D(x, y_{d, i})`` with a memory bank for each domain, so that ten target clips
    count beside a thousand of the source; with all clips in one bank, no minimum. Where a bank has fewer than k clips,
    all of them count.

    Parameters
    ----------
    n_neighbors : int
        k.
    metric : str
        ``cosine`` (1 - cosine similarity) or ``euclidean``.
    per_domain : bool
        One memory bank a domain, or one for all. With k = 1 both are the same.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    in_domain_ : np.ndarray [shape=(banks, normal clips), dtype=bool]

    References
    ----------
    S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000;
    one memory bank a domain and the minimum as in T. Fujimura et al., arXiv 2507.10264.
    """

    n_neighbors: Count = 1
    metric: Metric = "cosine"
    per_domain: bool = True

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_bank_ = x
        all_clips = np.ones((1, len(x)), dtype=bool)
        self.in_domain_ = np.unique(domain)[:, None] == domain if self.per_domain else all_clips

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return np.min([far.mean(axis=1) for far, _ in self._neighbours(x)], axis=0)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        banks = self._neighbours(x)
        bank = np.argmin([far.mean(axis=1) for far, _ in banks], axis=0)
        return np.stack([row[:, 0] for _, row in banks])[bank, np.arange(len(x))]

    def _neighbours(self, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Find the nearest clips of each bank: distances and rows of the whole memory bank ``(clips, k)``."""
        if self.n_neighbors == 1 or len(self.in_domain_) == 1:  # the nearest of all is that of its own bank
            far, row = nearest(x, self.memory_bank_, self.n_neighbors, self.metric)
            return [(far, row)]
        found = []
        for bank in self.in_domain_:
            far, row = nearest(x, self.memory_bank_[bank], self.n_neighbors, self.metric)
            found.append((far, np.flatnonzero(bank)[row]))
        return found
