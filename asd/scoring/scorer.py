"""What all scorers share: scikit-learn's shape, checks of the input, scores of clips that are left out."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

FOLDS = 10


@dataclass
class Scorer:
    """Remember normal clips, then score others: larger is more anomalous.

    Its options are the fields, so ``dataclasses.replace(scorer)`` is an unfitted copy. Nothing of a scored clip enters
    the score of another: one by one gives what all at once gives. Whatever is undefined in a formula for want of clips
    is said in the docstring of its scorer, and is finite.
    """

    def fit(self, embeddings: np.ndarray, domain: np.ndarray) -> Self:
        """Remember normal clips.

        Parameters
        ----------
        embeddings : np.ndarray [shape=(clips, ...)]
            At least one clip; what follows the first axis is one vector.
        domain : np.ndarray [shape=(clips,)]
            ``source``, ``target`` or any other name; one domain is enough.

        Raises
        ------
        ValueError
            Where there is no clip, a value is not finite or there is not one domain a clip.
        """
        x, domain = rows(embeddings), np.asarray(domain)
        if not len(x) or domain.shape != (len(x),):
            raise ValueError(f"{len(x)} normal clips and {len(domain)} domains: one or more, and one domain each")
        self._fit(x, domain)
        return self

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Score clips ``(clips, ...)``: ``(clips,)``, finite.

        Raises
        ------
        ValueError
            Where a value is not finite.
        """
        x = rows(embeddings)
        return self._score(x) if len(x) else np.empty(0)

    def score_left_out(self, embeddings: np.ndarray, domain: np.ndarray, recording: np.ndarray) -> np.ndarray:
        """Score normal clips, each by a scorer that remembers nothing of its recording: in folds of recordings.

        Parameters
        ----------
        embeddings : np.ndarray [shape=(clips, ...)]
        domain : np.ndarray [shape=(clips,)]
        recording : np.ndarray [shape=(clips,)]
            Which recording a clip was cut from, at least two different ones.

        Returns
        -------
        np.ndarray [shape=(clips,)]
        """
        fold, scores = folds(domain, recording), np.empty(len(embeddings))
        for number in np.unique(fold):
            out = fold == number
            scores[out] = replace(self).fit(embeddings[~out], domain[~out]).score(embeddings[out])
        return scores

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        raise NotImplementedError

    def _score(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def rows(embeddings: np.ndarray) -> np.ndarray:
    """Lay out each clip as one vector; refuse what is not finite."""
    x = np.asarray(embeddings)
    x = x.reshape(len(x), int(np.prod(x.shape[1:])))
    if not np.isfinite(x).all():
        raise ValueError("an embedding holds values that are not finite")
    return x


def unlike(x: np.ndarray) -> int:
    """Count the different clips of ``(clips, dims)``, many times as fast as by sorting them."""
    return len({clip.tobytes() for clip in x + 0.0})  # no zero is negative


def folds(domain: np.ndarray, recording: np.ndarray, count: int = FOLDS) -> np.ndarray:
    """Deal recordings out to folds, those of a domain evenly; clips of one recording stay together.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        With fewer recordings than folds, each is a fold of its own.
    """
    names, first, place = np.unique(recording, return_index=True, return_inverse=True)
    by_domain = np.argsort(np.asarray(domain)[first].astype(str), kind="stable")
    fold = np.empty(len(names), dtype=np.intp)
    fold[by_domain] = np.arange(len(names)) % min(count, len(names))
    return fold[place]
