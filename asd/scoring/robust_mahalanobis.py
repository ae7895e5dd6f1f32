"""Mahalanobis distance of statistics in unlike units, from estimates that a few odd normal clips do not move."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.mahalanobis import square
from asd.scoring.scorer import Scorer
from asd.scoring.whitening import principal_axes

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
        x = x.astype(np.float64)
        names = np.unique(domain)
        self.centres_ = np.stack([np.median(x[domain == name], axis=0) for name in names])
        residuals = x - self.centres_[np.searchsorted(names, domain)]
        self.scales_ = _scales(residuals)
        cut = np.clip(residuals / self.scales_, -ODD, ODD)
        variances, axes = principal_axes(cut)
        shrinkage = ledoit_wolf_shrinkage(cut, variances)
        mean = variances.sum() / x.shape[1] or 1.0
        self.scatter_ = axes.T, (1 - shrinkage) * variances, (shrinkage + LEAST) * mean

    def _score(self, x: np.ndarray) -> np.ndarray:
        away = [(x.astype(np.float64) - centre) / self.scales_ for centre in self.centres_]
        return np.sqrt(np.min([square(own, *self.scatter_) for own in away], axis=0))


def ledoit_wolf_shrinkage(x: np.ndarray, variances: np.ndarray) -> float:
    """Compute how far Ledoit and Wolf shrink the covariance about 0 of clips ``(clips, dims)``, between 0 and 1.

    What scikit-learn's function of this name gives, from the ``variances`` along the clips' principal axes: that one
    goes through all pairs of dimensions, of which embeddings have thousands.
    """
    clips, dims = x.shape
    spread = np.square(variances).sum()  # squared Frobenius norm of the covariance
    apart = spread / dims - (variances.sum() / dims) ** 2
    noise = (np.square(np.square(x).sum(axis=1)).mean() - spread) / (clips * dims)
    return float(np.clip(noise / apart, 0, 1)) if apart > 0 else 1.0


def _scales(residuals: np.ndarray) -> np.ndarray:
    """Give the robust deviation of each dimension: 1 where it never varies."""
    median = NORMAL * np.median(np.abs(residuals), axis=0)
    scales = np.where(median > 0, median, residuals.std(axis=0))
    return np.where(scales > 0, scales, 1.0)
