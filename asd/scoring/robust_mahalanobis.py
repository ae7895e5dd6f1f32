"""Mahalanobis distance of statistics in unlike units, from estimates that a few odd normal clips do not move."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from asd.scoring.scorer import Scorer

NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
LEAST = 1e-6  # of the mean variance: that of a dimension which never varies
ODD = 3.0  # robust deviations beyond which a residual counts no more than that


@dataclass
class RobustMahalanobis(Scorer):
    """Score by the smaller of the robust Mahalanobis distances to the domains.

    Each domain has a centre, the median of its clips, and all share the scatter of the residuals about these, for the
    few target clips have none of their own. A residual is divided by its median absolute deviation (the standard
    deviation where that is nothing) and cut at three; of these the covariance is shrunk towards a multiple of the
    identity by Ledoit's and Wolf's share. A scored clip is not cut.

    References
    ----------
    Cut residuals: Khan, Van Aelst, Zamar, "Robust linear model selection based on least angle regression", JASA 102,
    2007 (univariate winsorisation); O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88, 2004.
    """

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        from sklearn.covariance import ledoit_wolf

        x = x.astype(np.float64)
        names = np.unique(domain)
        self.centres_ = np.stack([np.median(x[domain == name], axis=0) for name in names])
        residuals = x - self.centres_[np.searchsorted(names, domain)]
        self.scales_ = _scales(residuals)
        cut = np.clip(residuals / self.scales_, -ODD, ODD)
        scatter = ledoit_wolf(cut, assume_centered=True)[0] if cut.any() else np.eye(cut.shape[1])
        floor = LEAST * np.trace(scatter) / len(scatter)
        self.root_ = np.linalg.cholesky(scatter + floor * np.eye(len(scatter)))

    def _score(self, x: np.ndarray) -> np.ndarray:
        away = [(x.astype(np.float64) - centre) / self.scales_ for centre in self.centres_]
        white = [solve_triangular(self.root_, own.T, lower=True) for own in away]
        return np.sqrt(np.min([np.einsum("ij,ij->j", own, own) for own in white], axis=0))


def _scales(residuals: np.ndarray) -> np.ndarray:
    """Give the robust deviation of each dimension: 1 where it never varies."""
    median = NORMAL * np.median(np.abs(residuals), axis=0)
    scales = np.where(median > 0, median, residuals.std(axis=0))
    return np.where(scales > 0, scales, 1.0)
