"""Several scorers on one embedding, made comparable by their scores of left-out normal clips."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import PlainValidator

from asd.core.section import checked
from asd.scoring.candidates import CANDIDATES
from asd.scoring.registry import ScoreParams, create_scorer, register
from asd.scoring.scorer import Scorer, left_out

NOTHING = 1e-9  # of the mean size of scores: less deviation is rounding


def _back_ends(value: Any) -> tuple[str, ...]:
    known = [name for name, block in CANDIDATES["embeddings"].items() if not block.get("per_band")]
    if isinstance(value, list | tuple) and len(value) > 1 and len(set(value)) == len(value) and set(value) <= {*known}:
        return tuple(value)
    raise ValueError(f"a list of two or more out of {', '.join(known)} is wanted")


@register("fused")
@dataclass(eq=False, repr=False)
class Fused(Scorer):
    """Score by the smallest, or the mean, of several scorers' standardised scores (back ends of one embedding).

    ``A(x) = min_b (A_b(x) - m_b) / d_b``, m_b and d_b mean and standard deviation of the back end's scores of normal
    clips, each fitted without the clip's block (five blocks, in the order of the rows). The smallest: a clip that one
    back end finds usual is usual. Where left-out scores do not vary, or there is one clip, d_b is 1 (and m_b 0). The
    nearest normal clip is that of the back end whose score counts; by the mean, of the one with the largest.

    Parameters
    ----------
    back_ends : tuple of str
        Names of candidates (:data:`asd.scoring.candidates.CANDIDATES`), none of them per band.
    combine : str
        ``min`` or ``mean``.
    random_state : int
        Of back ends that draw.

    Attributes
    ----------
    scorers_ : list of Scorer
    scales_ : np.ndarray [shape=(back ends, 2)]
        m and d.

    References
    ----------
    J. Zhou, M. Wang, arXiv 2606.19269: nearest neighbour, Mahalanobis, normalised by local density, and the residual of
    a principal subspace, standardised by scores of the training bank itself, then the minimum. The last has no
    scorer of its own here (the floor of a shrunk covariance weighs the same residual); left-out blocks are ours.
    """

    back_ends: Annotated[tuple[str, ...], PlainValidator(_back_ends)] = ("knn_cosine", "mahalanobis", "density_ratio")
    combine: Literal["min", "mean"] = "min"
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        blocks = [checked(ScoreParams, CANDIDATES["embeddings"][name]).root for name in self.back_ends]
        self.scorers_ = [create_scorer(block, self.random_state) for block in blocks]
        self.scales_ = np.array([_scale(left_out(own, x, domain)) if len(x) > 1 else (0, 1) for own in self.scorers_])
        for scorer in self.scorers_:
            scorer.fit(x, domain)

    def _each(self, x: np.ndarray) -> np.ndarray:
        """Compute the standardised scores of all back ends: ``(back ends, clips)``."""
        scores = np.stack([scorer.anomaly_score(x) for scorer in self.scorers_])
        return (scores - self.scales_[:, :1]) / self.scales_[:, 1:]

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return self._each(x).min(axis=0) if self.combine == "min" else self._each(x).mean(axis=0)

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        scores, rows = self._each(x), np.stack([scorer.nearest(x) for scorer in self.scorers_])
        counts = scores.argmin(axis=0) if self.combine == "min" else scores.argmax(axis=0)
        return np.take_along_axis(rows, counts[None], axis=0)[0]


def _scale(scores: np.ndarray) -> tuple[float, float]:
    """Compute mean and standard deviation of left-out scores; 1 for one that is rounding."""
    deviation = float(scores.std())
    return float(scores.mean()), deviation if deviation > NOTHING * float(np.abs(scores).mean()) else 1.0
