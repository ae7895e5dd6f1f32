"""Distance to the nearest normal clips."""

import numpy as np


class KNN:
    """Score a clip by its mean distance to the k nearest normal clips of a domain, the smaller of both domains.

    ``A(x) = min_d (1 / k) sum_{i <= k} D(x, y_{d, i})``; where a domain has fewer than k clips, all of them count.

    Parameters
    ----------
    neighbours : int
        k.
    metric : str
        ``cosine`` (1 - cosine similarity) or ``euclidean``.
    """

    def __init__(self, neighbours: int = 1, metric: str = "cosine") -> None:
        self.neighbours, self.metric = neighbours, metric

    def fit(self, embeddings: np.ndarray, domain: np.ndarray) -> "KNN":
        """Remember normal clips ``(clips, dims)`` and their domain, ``source`` or ``target`` ``(clips,)``."""
        self.memory_, self.domain_ = self._prepared(embeddings), np.asarray(domain)
        return self

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Score clips ``(clips, dims)``: larger is more anomalous, ``(clips,)``."""
        return self._smallest(self.distances(embeddings))

    def score_left_out(self, recording: np.ndarray) -> np.ndarray:
        """Score each remembered clip against the others, those of its own recording left out, ``(clips,)``.

        Parameters
        ----------
        recording : np.ndarray [shape=(clips,)]
            Which recording a clip was cut from; a clip that is its own recording has a name of its own.
        """
        distances = self._between(self.memory_)
        distances[recording[:, None] == recording[None, :]] = np.inf
        return self._smallest(distances)

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """Measure clips ``(clips, dims)`` against the memory, ``(clips, remembered)``."""
        return self._between(self._prepared(embeddings))

    def _prepared(self, embeddings: np.ndarray) -> np.ndarray:
        x = embeddings.astype(np.float64)
        if self.metric == "cosine":
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        return x

    def _between(self, x: np.ndarray) -> np.ndarray:
        product = x @ self.memory_.T
        if self.metric == "cosine":
            return np.maximum(1 - product, 0)
        squares = (x**2).sum(axis=1)[:, None] + (self.memory_**2).sum(axis=1) - 2 * product
        return np.sqrt(np.maximum(squares, 0))

    def _smallest(self, distances: np.ndarray) -> np.ndarray:
        of_domains = [self._nearest_mean(distances[:, self.domain_ == d]) for d in np.unique(self.domain_)]
        return np.min(of_domains, axis=0)

    def _nearest_mean(self, distances: np.ndarray) -> np.ndarray:
        k = min(self.neighbours, distances.shape[1])
        nearest = np.partition(distances, k - 1, axis=1)[:, :k]
        finite = np.isfinite(nearest)
        total = np.where(finite, nearest, 0).sum(axis=1)
        return np.where(finite.any(axis=1), total / np.maximum(finite.sum(axis=1), 1), np.inf)
