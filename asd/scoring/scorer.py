"""What all scorers share: scikit-learn's shape, checks of the input, scores of clips that are left out."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

BLOCKS = 5


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

    def score_left_out(self, embeddings: np.ndarray, domain: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Score normal clips, each by a scorer that is fitted without its block.

        Parameters
        ----------
        embeddings : np.ndarray [shape=(clips, ...)]
        domain : np.ndarray [shape=(clips,)]
        block : np.ndarray [shape=(clips,)]
            Of :func:`blocks`, at least two different ones.

        Returns
        -------
        np.ndarray [shape=(clips,)]
        """
        scores = np.empty(len(embeddings))
        for number in np.unique(block):
            out = block == number
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
        recordings, place = np.unique(position[of_domain], return_inverse=True)
        used = min(count, len(recordings))
        block[of_domain] = (begun + place * used // len(recordings)) % count
        begun += used if used < count else 0  # domains of few recordings each have blocks of their own
    return block
