"""Nearest neighbours with a target memory enlarged by clips in between."""

from dataclasses import dataclass

import numpy as np

from asd.base.compute import rng
from asd.scoring.distances import nearest_others
from asd.scoring.knn import KNN
from asd.scoring.scorer import Scorer

TARGET = "target"


@dataclass
class SmoteKNN(Scorer):
    """Score by the nearest neighbours of a memory whose target clips are joined by drawn ones.

    ``t* = t + u (t' - t)``, t a target clip, t' one of its K nearest target clips, u uniform in [0, 1], until there are
    ``ratio`` times as many target as other clips. With fewer than two target clips nothing is drawn; then, and with
    target clips alone, it is :class:`asd.scoring.knn.KNN`.

    Parameters
    ----------
    ratio : float
        Of target to other clips; fewer than there are: nothing is drawn.
    between : int
        K.
    neighbours, metric, domains
        See :class:`asd.scoring.knn.KNN`.
    random_state : int
        Of the draws.

    References
    ----------
    N. V. Chawla et al., "SMOTE: synthetic minority over-sampling technique", JAIR 16, 2002; for domain-shifted machine
    sounds T. Fujimura et al., arXiv 2507.10264, ratio 0.2, two neighbours.
    """

    ratio: float = 0.2
    between: int = 2
    neighbours: int = 1
    metric: str = "cosine"
    domains: str = "apart"
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        target = x[domain == TARGET]
        missing = int(self.ratio * (len(x) - len(target))) - len(target)
        drawn = between(target, missing, self.between, self.random_state)
        self.knn_ = KNN(self.neighbours, self.metric, self.domains)
        self.knn_.fit(np.concatenate([x, drawn]), np.concatenate([domain, np.full(len(drawn), TARGET)]))

    def _score(self, x: np.ndarray) -> np.ndarray:
        return self.knn_.score(x)


def between(clips: np.ndarray, count: int, neighbours: int, random_state: int) -> np.ndarray:
    """Draw so many points ``(count, dims)`` between clips ``(clips, dims)`` and their nearest (Euclidean) others."""
    if count <= 0 or len(clips) < 2:
        return np.empty((0, clips.shape[1]), dtype=clips.dtype)
    _, others = nearest_others(clips, neighbours, "euclidean")
    draw = rng("smote", random_state)
    first = np.arange(count) % len(clips)
    second = others[first, draw.integers(others.shape[1], size=count)]
    share = draw.uniform(size=(count, 1))
    return (clips[first] + share * (clips[second] - clips[first])).astype(clips.dtype)
