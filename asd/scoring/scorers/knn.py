"""Distance to the nearest normal clips."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import nearest_mean, reduced
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
        return reduced(x, self.memory_bank_, self.metric, lambda far: self._means(far).min(axis=0))

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_bank_, self.metric, self._nearest_of_bank)

    def _means(self, far: np.ndarray) -> np.ndarray:
        """Average distances ``(clips, normal clips)`` to the nearest clips of each bank: ``(banks, clips)``."""
        return np.stack([nearest_mean(far[:, bank], self.n_neighbors) for bank in self.in_domain_])

    def _nearest_of_bank(self, far: np.ndarray) -> np.ndarray:
        bank = self._means(far).argmin(axis=0)
        return np.where(self.in_domain_[bank], far, np.inf).argmin(axis=1)
