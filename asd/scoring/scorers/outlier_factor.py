"""Local outlier factor."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.neighbours import nearest, nearest_others
from asd.scoring.params import Count, Metric
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer

TINY = 1e-10  # keeps the density of duplicates finite, as scikit-learn does


@register("local_outlier_factor")
@dataclass(eq=False, repr=False)
class LocalOutlierFactor(Scorer):
    """Score by how much thinner normal clips lie around a clip than around its neighbours.

    ``LOF(x) = mean_{y in N(x)} lrd(y) / lrd(x)``, N the k nearest normal clips of both domains, ``lrd(x) = 1 / mean_{y
    in N(x)} max(k-distance(y), D(x, y))``. Where there are no k others, all of them; one clip alone has the density 1
    and the score is the distance to it.

    Parameters
    ----------
    n_neighbors : int
        k.
    metric : str
        ``cosine`` or ``euclidean``.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    reach_, density_ : np.ndarray [shape=(normal clips,)]
        k-distance and lrd.

    References
    ----------
    M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000.
    """

    n_neighbors: Count = 20
    metric: Metric = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_bank_ = x
        if len(x) == 1:
            self.reach_, self.density_ = np.zeros(1), np.ones(1)
            return
        far, row = nearest_others(x, self.n_neighbors, self.metric)
        self.reach_ = far[:, -1]
        self.density_ = self._density(far, row)

    def _density(self, far: np.ndarray, row: np.ndarray) -> np.ndarray:
        return 1 / (np.maximum(far, self.reach_[row]).mean(axis=1) + TINY)

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        far, row = self._neighbours(x)
        return self.density_[row].mean(axis=1) / self._density(far, row)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return self._neighbours(x)[1][:, 0]

    def _neighbours(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = min(self.n_neighbors, max(1, len(self.memory_bank_) - 1))
        far, row = nearest(x, self.memory_bank_, count, self.metric)
        return far, row
