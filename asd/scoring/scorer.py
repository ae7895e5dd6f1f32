"""The base class of scorers, scikit-learn estimators that learn normal clips; blocks of recordings to leave out."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from asd.scoring.distances import reduced

BLOCKS = 5
NO_CLIP = -1  # no row of the normal clips


class Scorer(BaseEstimator):
    """Fit on normal clips, then score others; a larger score is more anomalous.

    A subclass is a dataclass (``eq=False, repr=False``): its fields are the constructor's arguments. It has ``_fit``,
    ``_anomaly_score`` and, where a normal clip makes the score, ``_nearest``. Clips are scored one by one: nothing of
    a scored clip enters the score of another. Where a formula is undefined for want of clips, the docstring of the
    scorer gives its value, which is finite.

    Attributes
    ----------
    input : str
        Of the class: ``embeddings``, or ``values`` that a system itself gives each clip.
    n_features_in_ : int
        Numbers of one clip.

    Examples
    --------
    >>> from asd.scoring.scorers.knn import KNN
    >>> normal = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> knn = KNN(metric="euclidean").fit(normal, domain=["source", "source", "target"])
    >>> knn.anomaly_score(np.array([[1.0, 3.0]])), knn.nearest(np.array([[1.0, 3.0]]))
    (array([2.]), array([2]))
    """

    input: ClassVar[str] = "embeddings"

    def fit(self, X: Any, domain: Any = None) -> Self:
        """Fit on normal clips.

        Parameters
        ----------
        X : np.ndarray [shape=(clips, ...)]
            At least one clip; the further axes are one vector.
        domain : np.ndarray [shape=(clips,)], optional
            ``source``, ``target`` or any other name; one domain is enough. By default all are ``source``.

        Raises
        ------
        ValueError
            Where there is no clip, a value is not finite or there is not one domain a clip.
        """
        x = self._validated(X, reset=True)
        names = np.full(len(x), "source") if domain is None else np.asarray(domain).astype(str)
        if names.shape != (len(x),):
            raise ValueError(f"{len(x)} normal clips and domains of shape {names.shape}: one domain each is wanted")
        self._fit(x, names)
        return self

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Score clips ``(clips, ...)``: ``(clips,)``, finite, larger for the more anomalous.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        ValueError
            Where a value is not finite or clips have another number of features than those fitted on.
        """
        check_is_fitted(self)
        x = self._validated(X, reset=False)
        return self._anomaly_score(x) if len(x) else np.empty(0)

    def score_samples(self, X: Any) -> np.ndarray:
        """Give the negative of :meth:`anomaly_score`, as scikit-learn's outlier detectors do: larger is more normal."""
        return -self.anomaly_score(X)

    def nearest(self, X: Any) -> np.ndarray:
        """Find the normal clip that made each score: its row among those fitted on ``(clips,)``, -1 where none did."""
        check_is_fitted(self)
        x = self._validated(X, reset=False)
        return self._nearest(x) if len(x) else np.empty(0, dtype=np.intp)

    def cross_val_anomaly_score(self, X: np.ndarray, domain: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Score normal clips, each by a scorer that is fitted without its block.

        Parameters
        ----------
        X : np.ndarray [shape=(clips, ...)]
        domain : np.ndarray [shape=(clips,)]
        block : np.ndarray [shape=(clips,)]
            Of :func:`blocks`, at least two different ones.

        Returns
        -------
        np.ndarray [shape=(clips,)]
        """
        scores = np.empty(len(X))
        for number in np.unique(block):
            out = block == number
            scores[out] = clone(self).fit(X[~out], domain[~out]).anomaly_score(X[out])
        return scores

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        """Fit on ``(clips, features)`` and the names of their domains ``(clips,)``."""
        raise NotImplementedError

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        """Score ``(clips, features)``, one clip or more."""
        raise NotImplementedError

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x), NO_CLIP)

    def _validated(self, X: Any, reset: bool) -> np.ndarray:
        X = flattened(X) if isinstance(X, np.ndarray) and X.ndim > 2 else X
        kinds = (np.float64, np.float32)  # others become the first
        return validate_data(self, X, reset=reset, dtype=kinds, ensure_min_samples=int(reset))  # type: ignore[no-any-return]


class MemoryBankScorer(Scorer):
    """Score by the smallest, over all normal clips, of a function of the distance to each of them.

    Attributes
    ----------
    memory_bank_ : np.ndarray [shape=(normal clips, features)]
    """

    metric: str
    memory_bank_: np.ndarray

    def _by_clip(self, far: np.ndarray) -> np.ndarray:
        """Make scores of some clips' distances to all normal clips: both ``(some clips, normal clips)``."""
        raise NotImplementedError

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_bank_, self.metric, lambda far: self._by_clip(far).min(axis=1))

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_bank_, self.metric, lambda far: self._by_clip(far).argmin(axis=1))


def left_out(scorer: Scorer, X: np.ndarray, domain: np.ndarray, count: int = BLOCKS) -> np.ndarray:
    """Score normal clips, each by a clone that is fitted without its block, for a scorer around another.

    Parameters
    ----------
    scorer : Scorer
    X : np.ndarray [shape=(clips, ...)]
        At least two.
    domain : np.ndarray [shape=(clips,)]
    count : int
        Of blocks, in the order of the rows: that of the clip table, which is no order of recording.

    Returns
    -------
    np.ndarray [shape=(clips,)]
    """
    return scorer.cross_val_anomaly_score(X, domain, blocks(domain, np.arange(len(X)), count))


def flattened(x: np.ndarray) -> np.ndarray:
    """Lay out each clip ``(clips, ...)`` as one vector ``(clips, features)``."""
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def different(x: np.ndarray) -> int:
    """Count the different clips of ``(clips, dims)``, many times as fast as by sorting them."""
    return len({clip.tobytes() for clip in x + 0.0})  # no zero is negative


def blocks(domain: np.ndarray, position: np.ndarray, count: int = BLOCKS) -> np.ndarray:
    """Divide clips into blocks, each with a consecutive part of the recordings of every domain.

    Parameters
    ----------
    domain : np.ndarray [shape=(clips,)]
    position : np.ndarray [shape=(clips,), dtype=int]
        Of a clip's recording, in the order in which those of its domain were made.
    count : int

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=int]
        From 0 on. Clips of one recording are of one block; with fewer recordings than blocks, each is one of its own.
    """
    domain, position = np.asarray(domain), np.asarray(position)
    block, begun = np.empty(len(position), dtype=np.intp), 0
    for name in np.unique(domain.astype(str)):
        of_domain = domain.astype(str) == name
        recordings, row = np.unique(position[of_domain], return_inverse=True)
        used = min(count, len(recordings))
        block[of_domain] = (begun + row * used // len(recordings)) % count
        begun += used if used < count else 0  # domains of few recordings each have blocks of their own
    return block
