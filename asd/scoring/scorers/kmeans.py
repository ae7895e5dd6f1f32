"""Distance to the centres of the source domain and to every target clip."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import distances
from asd.scoring.params import Count, Metric
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer, different


@register("kmeans")
@dataclass(eq=False, repr=False)
class KMeans(Scorer):
    """Score by the nearest of C centres of the source clips and all target clips.

    ``A(x) = min(min_c D(x, mu_c), min_t D(x, t))``. With ``cosine`` all clips have unit length, the centres are means
    of such clips and are not stretched again: ``D(x, mu) = 1 - x.mu``. With fewer different source clips than centres
    each is a centre; clips of any domain but ``target`` count as source. Where a centre is nearest, the nearest normal
    clip is that of its cluster.

    Parameters
    ----------
    n_clusters : int
        C.
    metric : str
        ``cosine`` or ``euclidean``.
    random_state : int
        Of the first centres.

    Attributes
    ----------
    points_ : np.ndarray [shape=(points, features)]
        Centres, then target clips.
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    point_ : np.ndarray [shape=(normal clips,), dtype=int]
        The point that each normal clip belongs to.

    References
    ----------
    K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024 (SSL4ASD): 16 centres.
    """

    n_clusters: Count = 16
    metric: Metric = "cosine"
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x, target = self._prepared(x), domain == "target"
        centres = cluster_centres(x[~target], self.n_clusters, self.random_state)
        self.points_, self.memory_bank_ = np.concatenate([centres, x[target]]), x
        self.point_ = np.empty(len(x), dtype=np.intp)
        self.point_[target] = len(centres) + np.arange(target.sum())
        if len(centres):
            self.point_[~target] = self._distances(x[~target], centres).argmin(axis=1)

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return self._distances(self._prepared(x), self.points_).min(axis=1)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        x = self._prepared(x)
        point = self._distances(x, self.points_).argmin(axis=1)
        of_point, far = point[:, None] == self.point_, self._distances(x, self.memory_bank_)
        of_point |= ~of_point.any(axis=1, keepdims=True)  # a centre that no clip is nearest to: any clip
        return np.where(of_point, far, np.inf).argmin(axis=1)

    def _distances(self, x: np.ndarray, points: np.ndarray) -> np.ndarray:
        return 1 - x @ points.T if self.metric == "cosine" else distances(x, points, self.metric)

    def _prepared(self, x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        if self.metric == "euclidean":
            return x
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        return x / np.where(lengths > 0, lengths, 1)


def cluster_centres(x: np.ndarray, count: int, random_state: int) -> np.ndarray:
    """Compute centres of clips by k-means.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    count : int
    random_state : int

    Returns
    -------
    np.ndarray [shape=(count, dims)]
        The different clips themselves where they are no more.
    """
    if different(x) <= count:
        return np.unique(x, axis=0)
    from sklearn.cluster import KMeans as SklearnKMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums of several threads differ in the last digit
        return SklearnKMeans(count, n_init=3, random_state=random_state).fit(x).cluster_centers_
