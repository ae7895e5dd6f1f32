"""Local outlier factor."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import nearest_others, reduced
from asd.scoring.scorer import Scorer

TINY = 1e-10  # keeps the density of duplicates finite, as scikit-learn does


@dataclass
class LocalOutlierFactor(Scorer):
    """Score by how much thinner the memory is around a clip than around its neighbours.

    ``LOF(x) = mean_{y in N(x)} lrd(y) / lrd(x)``, N the k nearest normal clips of both domains, ``lrd(x) = 1 / mean_{y
    in N(x)} max(k-distance(y), D(x, y))``. Where there are no k others, all of them; one clip alone has the density 1
    and the score is the distance to it.

    Parameters
    ----------
    neighbours : int
        k.
    metric : str
        ``cosine`` or ``euclidean``.

    References
    ----------
    M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000.
    """

    neighbours: int = 20
    metric: str = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_ = x
        if len(x) == 1:
            self.reach_, self.density_ = np.zeros(1), np.ones(1)
            return
        far, place = nearest_others(x, self.neighbours, self.metric)
        self.reach_ = far[:, -1]
        self.density_ = self._density(far, place)

    def _density(self, far: np.ndarray, place: np.ndarray) -> np.ndarray:
        return 1 / (np.maximum(far, self.reach_[place]).mean(axis=1) + TINY)

    def _score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_, self.metric, self._factor)

    def _factor(self, block: np.ndarray) -> np.ndarray:
        count = min(self.neighbours, max(1, len(self.memory_) - 1))
        place = np.argsort(block, axis=1, kind="stable")[:, :count]
        far = np.take_along_axis(block, place, axis=1)
        return self.density_[place].mean(axis=1) / self._density(far, place)
