"""Distance to the centres of the source domain and to every target clip."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.distances import distances
from asd.scoring.scorer import Scorer, unlike


@dataclass
class KMeans(Scorer):
    """Score by the nearest of C centres of the source clips and all target clips.

    ``A(x) = min(min_c D(x, mu_c), min_t D(x, t))``. With ``cosine`` all clips have unit length, the centres are means
    of such clips and are not stretched again: ``D(x, mu) = 1 - x.mu``. With fewer different source clips than centres
    each is a centre; clips of any domain but ``target`` count as source.

    Parameters
    ----------
    centres : int
        C.
    metric : str
        ``cosine`` or ``euclidean``.
    random_state : int
        Of the first centres.

    References
    ----------
    K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024 (SSL4ASD): 16 centres.
    """

    centres: int = 16
    metric: str = "cosine"
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x, target = self._prepared(x), domain == "target"
        self.points_ = np.concatenate([centres(x[~target], self.centres, self.random_state), x[target]])

    def _score(self, x: np.ndarray) -> np.ndarray:
        x = self._prepared(x)
        if self.metric == "cosine":
            return (1 - x @ self.points_.T).min(axis=1)
        return distances(x, self.points_, self.metric).min(axis=1)

    def _prepared(self, x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        if self.metric == "euclidean":
            return x
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        return x / np.where(lengths > 0, lengths, 1)


def centres(x: np.ndarray, count: int, random_state: int) -> np.ndarray:
    """Find centres of clips ``(clips, dims)`` by k-means; the clips themselves where no more are different."""
    if unlike(x) <= count:
        return np.unique(x, axis=0)
    from sklearn.cluster import KMeans as SklearnKMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums of several threads differ in the last digit
        return SklearnKMeans(count, n_init=3, random_state=random_state).fit(x).cluster_centers_
