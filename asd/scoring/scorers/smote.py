"""Nearest neighbours with a target memory bank enlarged by clips in between."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asd.core.compute import rng
from asd.scoring.neighbours import nearest_others
from asd.scoring.params import Count, Metric
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer
from asd.scoring.scorers.knn import KNN

TARGET = "target"


@register("smote")
@dataclass(eq=False, repr=False)
class SmoteKNN(Scorer):
    """Score by the nearest neighbours in a memory bank whose target clips are joined by synthetic ones.

    ``t* = t + u (t' - t)``, t a target clip, t' one of its K nearest target clips, u uniform in [0, 1], until there are
    ``ratio`` times as many target as other clips. With fewer than two target clips none is made; then, and with target
    clips alone, it is :class:`asd.scoring.scorers.knn.KNN`. The nearest normal clip is t where it is t*.

    Parameters
    ----------
    ratio : float
        Of target to other clips; if there are more, none is made.
    smote_neighbors : int
        K.
    n_neighbors, metric, per_domain
        See :class:`asd.scoring.scorers.knn.KNN`.
    random_state : int
        Of the synthetic clips.

    Attributes
    ----------
    knn_ : KNN
    row_ : np.ndarray
        Row among the normal clips of each clip in the memory bank, or of its t.

    References
    ----------
    N. V. Chawla et al., "SMOTE: synthetic minority over-sampling technique", JAIR 16, 2002; for domain-shifted machine
    sounds T. Fujimura et al., arXiv 2507.10264, ratio 0.2, two neighbours.
    """

    ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    smote_neighbors: Count = 2
    n_neighbors: Count = 1
    metric: Metric = "cosine"
    per_domain: bool = True
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        target = np.flatnonzero(domain == TARGET)
        missing = int(self.ratio * (len(x) - len(target))) - len(target)
        made, first = synthetic(x[target], missing, self.smote_neighbors, self.random_state)
        self.row_ = np.concatenate([np.arange(len(x)), target[first]])
        self.knn_ = KNN(self.n_neighbors, self.metric, self.per_domain)
        self.knn_.fit(np.concatenate([x, made]), np.concatenate([domain, np.full(len(made), TARGET)]))

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return self.knn_.anomaly_score(x)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return self.row_[self.knn_.nearest(x)]


def synthetic(clips: np.ndarray, count: int, neighbors: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Sample points between clips and their nearest (Euclidean) others.

    Parameters
    ----------
    clips : np.ndarray [shape=(clips, dims)]
    count : int
        Number of points, perhaps below 0.
    neighbors : int
        The nearest others among which one is chosen.
    random_state : int

    Returns
    -------
    points : np.ndarray [shape=(count, dims)]
        None where there are fewer than two clips.
    first : np.ndarray [shape=(count,), dtype=int]
        The row of the clip that each begins from.
    """
    if count <= 0 or len(clips) < 2:
        return np.empty((0, clips.shape[1]), dtype=clips.dtype), np.empty(0, dtype=np.intp)
    _, others = nearest_others(clips, neighbors, "euclidean")
    generator = rng("smote", random_state)
    first = np.arange(count) % len(clips)
    second = others[first, generator.integers(others.shape[1], size=count)]
    fraction = generator.uniform(size=(count, 1))
    return (clips[first] + fraction * (clips[second] - clips[first])).astype(clips.dtype), first
