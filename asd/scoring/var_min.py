"""Distance less as much of the local spread as makes its variance least."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.density import spreads
from asd.scoring.distances import nearest_others, reduced
from asd.scoring.scorer import Scorer

NOTHING = 1e-12  # of the squared mean: a variance below is rounding


@dataclass
class VarMin(Scorer):
    """Score by the distance to a normal clip, less a share of the spread around it.

    ``A(x) = min_y D(x, y) - alpha b(y)``, ``b(y) = mean_{k <= K} D(y, y_k)`` over the nearest other normal clips of
    both domains. ``alpha = Cov(d, b) / Var(b)`` over the normal clips' own matches: d is each clip's distance to its
    nearest other, b the spread of that other; it is the share that leaves the least variance of ``d - alpha b``.
    Where b does not vary, or there is one clip, alpha is 0 and the score the distance.

    Parameters
    ----------
    neighbours : int
        K.
    metric : str
        ``cosine`` or ``euclidean``.

    References
    ----------
    T. Matsumoto et al., DCASE Workshop 2025; with memories per band (:class:`asd.scoring.bands.PerBand`) as in
    arXiv 2608.00447, K = 4, whose cosine distance is half of ours: its scores are half of these.
    """

    neighbours: int = 4
    metric: str = "cosine"

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        self.memory_, self.alpha_ = x, 0.0
        self.spread_ = spreads(x, self.neighbours, self.metric)
        if len(x) > 1:
            far, place = nearest_others(x, 1, self.metric)
            self.alpha_ = slope(far[:, 0], self.spread_[place[:, 0]])

    def _score(self, x: np.ndarray) -> np.ndarray:
        return reduced(x, self.memory_, self.metric, lambda block: (block - self.alpha_ * self.spread_).min(axis=1))


def slope(d: np.ndarray, b: np.ndarray) -> float:
    """Compute ``Cov(d, b) / Var(b)``; 0 where b does not vary."""
    centred = b - b.mean()
    variance = (centred**2).mean()
    return float((centred * (d - d.mean())).mean() / variance) if variance > NOTHING * b.mean() ** 2 else 0.0
