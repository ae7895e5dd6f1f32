"""Mahalanobis distance to the nearer domain."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.scorer import Scorer
from asd.scoring.whitening import principal_axes


@dataclass
class Mahalanobis(Scorer):
    """Score by the smaller of the Mahalanobis distances to the domains (selective Mahalanobis).

    ``A(x) = min_d sqrt((x - mu_d)^T S_d^-1 (x - mu_d))`` with ``S_d = (1 - s) C_d + s tr(C_d) / p I``, C_d the
    covariance of the domain's n clips (divided by n), p the number of dimensions: without shrinkage the few target
    clips would give a singular S_d. A domain whose clips are all equal (or one) has the covariance of all clips about
    their domains' means; where that is nothing too, I.

    Parameters
    ----------
    shrinkage : float
        s, above 0.

    References
    ----------
    N. Harada, D. Niizumi, Y. Ohishi, D. Takeuchi, M. Yasuda, "First-shot anomaly sound detection for machine condition
    monitoring: a domain generalization baseline", EUSIPCO 2023; shrinkage: O. Ledoit, M. Wolf, "A well-conditioned
    estimator for large-dimensional covariance matrices", Journal of Multivariate Analysis 88, 2004, with s fixed.
    """

    shrinkage: float = 0.1

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x = x.astype(np.float64)
        names = np.unique(domain)
        self.means_ = [x[domain == name].mean(axis=0) for name in names]
        centred = [x[domain == name] - mean for name, mean in zip(names, self.means_, strict=True)]
        self.scales_ = [self._scale(own if own.any() else np.concatenate(centred)) for own in centred]

    def _scale(self, centred: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Decompose S of centred clips: axes, what lies along each beyond the floor, the floor ``s tr(C) / p``."""
        variances, axes = principal_axes(centred)
        floor = self.shrinkage * variances.sum() / centred.shape[1]
        return axes.T, (1 - self.shrinkage) * variances, floor or 1.0

    def _score(self, x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        squares = [square(x - mean, *scale) for mean, scale in zip(self.means_, self.scales_, strict=True)]
        return np.sqrt(np.min(squares, axis=0))


def square(x: np.ndarray, axes: np.ndarray, variances: np.ndarray, floor: float) -> np.ndarray:
    """Give the squared Mahalanobis length of each ``(clips, dims)``.

    The covariance has ``variances`` ``(axes,)`` along the rows of ``axes`` ``(axes, dims)``, and ``floor`` everywhere.
    """
    along = x @ axes.T
    beside = np.einsum("ij,ij->i", x, x) - np.einsum("ij,ij->i", along, along)
    return (along**2 / (variances + floor)).sum(axis=1) + np.maximum(beside, 0) / floor
