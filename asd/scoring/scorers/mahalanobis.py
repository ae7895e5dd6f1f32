"""Mahalanobis distances to the nearer domain (selective Mahalanobis), by three estimates of its covariance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from asd.scoring.covariance import Covariance, ledoit_wolf_shrinkage, principal_axes
from asd.scoring.distances import distances
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer

NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
LEAST = 1e-6  # of the mean variance, or of the largest value: less is rounding
ODD = 3.0  # robust deviations at which a residual is clipped


class _Selective(Scorer):
    """Measure clips against the centre of each domain, under its covariance; the nearer domain counts.

    The nearest normal clip is one of that domain, by the same distance.

    Attributes
    ----------
    centres_ : list of np.ndarray [shape=(features,)]
        Of each domain.
    covariances_ : list of Covariance
    scales_ : float or np.ndarray [shape=(features,)]
        Clips are divided by them before.
    memory_bank_ : list of np.ndarray [shape=(normal clips, features)]
        Of each domain, whitened.
    rows_ : list of np.ndarray
        Their rows among the normal clips.
    """

    centres_: Sequence[np.ndarray]
    covariances_: Sequence[Covariance]
    scales_: float | np.ndarray

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x = x.astype(np.float64)
        names, group = np.unique(domain, return_inverse=True)
        self._estimate(x, group)
        self.rows_ = [np.flatnonzero(group == number) for number in range(len(names))]
        centred = [(x[rows] - centre) / self.scales_ for rows, centre in zip(self.rows_, self.centres_, strict=True)]
        self.memory_bank_ = [
            covariance.whiten(each) for covariance, each in zip(self.covariances_, centred, strict=True)
        ]

    def _estimate(self, x: np.ndarray, group: np.ndarray) -> None:
        """Set centres, scales and covariances from clips ``(clips, features)`` and their domains' numbers."""
        raise NotImplementedError

    def _centred(self, x: np.ndarray) -> list[np.ndarray]:
        return [(x.astype(np.float64) - centre) / self.scales_ for centre in self.centres_]

    def _squares(self, x: np.ndarray) -> np.ndarray:
        """Compute squared distances to all domains ``(domains, clips)``."""
        each = zip(self.covariances_, self._centred(x), strict=True)
        return np.stack([covariance.squared_length(centred) for covariance, centred in each])

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(np.min(self._squares(x), axis=0))

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        chosen, centred = self._squares(x).argmin(axis=0), self._centred(x)
        nearest = np.empty(len(x), dtype=np.intp)
        for number in np.unique(chosen):
            mask = chosen == number
            whitened = self.covariances_[number].whiten(centred[number][mask])
            far = distances(whitened, self.memory_bank_[number], "euclidean")
            nearest[mask] = self.rows_[number][far.argmin(axis=1)]
        return nearest


@register("mahalanobis")
@dataclass(eq=False, repr=False)
class Mahalanobis(_Selective):
    """Score by the smaller of the Mahalanobis distances to the domains.

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

    shrinkage: Annotated[float, Field(gt=0, le=1)] = 0.1

    def _estimate(self, x: np.ndarray, group: np.ndarray) -> None:
        domains = [x[group == number] for number in range(group.max() + 1)]
        self.scales_ = 1.0
        self.centres_ = [part.mean(axis=0) for part in domains]
        centred = [part - mean for part, mean in zip(domains, self.centres_, strict=True)]
        self.covariances_ = [self._covariance(part if part.any() else np.concatenate(centred)) for part in centred]

    def _covariance(self, centred: np.ndarray) -> Covariance:
        variances, axes = principal_axes(centred)
        floor = self.shrinkage * variances.sum() / centred.shape[1]
        return Covariance(axes, (1 - self.shrinkage) * variances, floor or 1.0)


@register("robust_mahalanobis")
@dataclass(eq=False, repr=False)
class RobustMahalanobis(_Selective):
    """Score by the smaller of the robust Mahalanobis distances to the domains, for statistics in unlike units.

    Each domain has a centre, the median of its clips, and all share the scatter of the residuals about these, for the
    few target clips have none of their own. A residual is divided by its median absolute deviation (the standard
    deviation where that is nothing) and clipped at three, so that a few odd normal clips move nothing; of these the
    covariance is shrunk towards a multiple of the identity by Ledoit's and Wolf's share. A scored clip is not clipped.

    References
    ----------
    Clipped residuals: Khan, Van Aelst, Zamar, "Robust linear model selection based on least angle regression", JASA
    102, 2007 (univariate winsorisation); O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional
    covariance matrices", Journal of Multivariate Analysis 88, 2004.
    """

    def _estimate(self, x: np.ndarray, group: np.ndarray) -> None:
        self.centres_ = [np.median(x[group == number], axis=0) for number in range(group.max() + 1)]
        residuals = x - np.stack(self.centres_)[group]
        self.scales_ = _robust_deviations(residuals)
        clipped = np.clip(residuals / self.scales_, -ODD, ODD)
        variances, axes = principal_axes(clipped)
        shrinkage = ledoit_wolf_shrinkage(clipped, variances)
        mean = variances.sum() / x.shape[1] or 1.0
        shared = Covariance(axes, (1 - shrinkage) * variances, (shrinkage + LEAST) * mean)
        self.covariances_ = [shared] * len(self.centres_)


@register("shrunk_mahalanobis")
@dataclass(eq=False, repr=False)
class ShrunkMahalanobis(_Selective):
    """Score by the smaller of the squared Mahalanobis distances to the domains' means, one covariance for all domains.

    ``A(x) = min_d (x - mu_d)^T S^-1 (x - mu_d)``. Each dimension is divided by its standard deviation about the
    domains' means; S is the covariance of the result, shrunk towards a multiple of the identity by Ledoit's and Wolf's
    estimate of the best share, so that it can be inverted with fewer clips than dimensions. The distance is squared so
    that, of one domain, a mean over bands (``per_band``) ranks as the distance under a covariance without terms
    between bands; of several, each band takes its own nearer domain. Bands count by their numbers of dimensions.
    Dimensions in which normal clips do not vary have no say in S; a deviation in them counts in the embedding's own
    unit, by the share of the identity in S.

    References
    ----------
    O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88, 2004; selective distance: Harada et al., EUSIPCO 2023.
    """

    def _estimate(self, x: np.ndarray, group: np.ndarray) -> None:
        self.centres_ = [x[group == number].mean(axis=0) for number in range(group.max() + 1)]
        residuals = x - np.stack(self.centres_)[group]
        deviation = residuals.std(axis=0)
        varies = deviation > LEAST * np.abs(x).max(axis=0)
        self.scales_ = np.where(varies, deviation, 1.0)
        scaled = np.where(varies, residuals / self.scales_, 0.0)
        variances, axes = principal_axes(scaled)
        shrinkage = ledoit_wolf_shrinkage(scaled[:, varies], variances) if varies.any() else 1.0
        mean = variances.sum() / varies.sum() if varies.any() else 1.0
        shared = Covariance(axes, (1 - shrinkage) * variances, (shrinkage + LEAST) * mean)
        self.covariances_ = [shared] * len(self.centres_)

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        return np.min(self._squares(x), axis=0)


def _robust_deviations(residuals: np.ndarray) -> np.ndarray:
    """Estimate the deviation of each dimension by the median: 1 where it never varies."""
    median = NORMAL * np.median(np.abs(residuals), axis=0)
    scales = np.where(median > 0, median, residuals.std(axis=0))
    return np.where(scales > 0, scales, 1.0)
