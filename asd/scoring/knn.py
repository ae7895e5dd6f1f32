"""Distance to the nearest normal clips."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import nearest_mean, reduced
from asd.scoring.scorer import Scorer


@dataclass
class KNN(Scorer):
    """Score a clip by its mean distance to the k nearest normal clips.

    ``A(x) = min_d (1 / k) sum_{i <= k} D(x, y_{d, i})`` with a memory of each domain, so that ten target clips are
    heard beside a thousand of the source; with all in one memory, no minimum. Where a memory has fewer than k clips,
    all of them count.

    Parameters
    ----------
    neighbours : int
        k.
    metric : str
        ``cosine`` (1 - cosine similarity) or ``euclidean``.
    domains : str
        ``apart`` (one memory a domain) or ``together``. With k = 1 both are the same.

    References
    ----------
    S. Ramaswamy, R. Rastogi, K. Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000;
    one memory a domain and the minimum as in T. Fujimura et al., arXiv 2507.10264.
    """

    neighbours: int = 1
    metric: str = "cosine"
    domains: str = "apart"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_ = x
        apart = self.domains == "apart"
        self.groups_ = [domain == name for name in np.unique(domain)] if apart else [np.ones(len(x), dtype=bool)]

    def _score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_, self.metric, self._smallest)

    def _smallest(self, block: np.ndarray) -> np.ndarray:
        return np.min([nearest_mean(block[:, own], self.neighbours) for own in self.groups_], axis=0)
