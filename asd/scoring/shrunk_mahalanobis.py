"""Squared Mahalanobis distance to the nearer domain, with a covariance that a few clips suffice for."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.mahalanobis import square
from asd.scoring.robust_mahalanobis import LEAST, ledoit_wolf_shrinkage
from asd.scoring.scorer import Scorer
from asd.scoring.whitening import principal_axes


@dataclass
class ShrunkMahalanobis(Scorer):
    """Score by the smaller of the squared Mahalanobis distances to the domains' means, one covariance for all domains.

    ``A(x) = min_d (x - mu_d)^T S^-1 (x - mu_d)``. Each dimension is divided by its standard deviation about the
    domains' means; S is the covariance of the result, shrunk towards a multiple of the identity by Ledoit's and Wolf's
    estimate of the best share, so that it can be inverted with fewer clips than dimensions. The distance is squared so
    that, of one domain, a mean over memory banks (``per_band``) ranks as the distance under a covariance without terms
    between banks; of several, each bank takes its own nearer domain. Banks count by their numbers of dimensions.
    Dimensions in which normal clips do not vary have no say in S; a deviation in them counts in the embedding's own
    unit, by the share of the identity in S.

    References
    ----------
    O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88, 2004; selective distance: Harada et al., EUSIPCO 2023.
    """

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x = x.astype(np.float64)
        names = np.unique(domain)
        self.means_ = np.stack([x[domain == name].mean(axis=0) for name in names])
        residuals = x - self.means_[np.searchsorted(names, domain)]
        deviation = residuals.std(axis=0)
        varies = deviation > LEAST * np.abs(x).max(axis=0)  # less is rounding
        self.scales_ = np.where(varies, deviation, 1.0)
        scaled = np.where(varies, residuals / self.scales_, 0.0)
        variances, axes = principal_axes(scaled)
        shrinkage = ledoit_wolf_shrinkage(scaled[:, varies], variances) if varies.any() else 1.0
        mean = variances.sum() / varies.sum() if varies.any() else 1.0
        self.covariance_ = axes.T, (1 - shrinkage) * variances, (shrinkage + LEAST) * mean

    def _score(self, x: np.ndarray) -> np.ndarray:
        away = [(x.astype(np.float64) - mean) / self.scales_ for mean in self.means_]
        return np.min([square(each, *self.covariance_) for each in away], axis=0)
