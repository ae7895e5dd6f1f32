"""Likelihood under a mixture of Gaussians."""

from dataclasses import dataclass

import numpy as np

from asd.scoring.params import Count
from asd.scoring.registry import register
from asd.scoring.scorer import Scorer, different

FLOOR = 1e-2  # added to the standardised variances of a component


@register("gmm")
@dataclass(eq=False, repr=False)
class GMM(Scorer):
    """Score by the negative log-likelihood a dimension under Gaussians with diagonal covariances.

    ``A(x) = -(1 / p) log sum_c w_c N(z(x); mu_c, diag(s_c))``, z the embedding standardised by mean and deviation of
    the normal clips (dimensions that do not vary are only centred). Fitted to the clips of both domains by expectation
    maximisation; every variance has 0.01 added, so that duplicates have a likelihood. With fewer different clips than
    components, as many components as different clips. No single normal clip makes a score: none is the nearest.

    Parameters
    ----------
    n_components : int
    random_state : int
        Of the first means.

    Attributes
    ----------
    mean_, std_ : np.ndarray [shape=(features,)]
    mixture_ : sklearn.mixture.GaussianMixture

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum likelihood from incomplete data via the EM algorithm", Journal
    of the Royal Statistical Society B 39, 1977.
    """

    n_components: Count = 4
    random_state: int = 0

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        from sklearn.mixture import GaussianMixture
        from threadpoolctl import threadpool_limits

        x = x.astype(np.float64)
        std = x.std(axis=0)
        self.mean_, self.std_ = x.mean(axis=0), np.where(std > 0, std, 1.0)
        z = self._standardised(x)
        count = min(self.n_components, different(z))
        self.mixture_ = GaussianMixture(count, covariance_type="diag", reg_covar=FLOOR, random_state=self.random_state)
        with threadpool_limits(1):  # sums of several threads differ in the last digit
            self.mixture_.fit(z if len(z) > 1 else np.repeat(z, 2, axis=0))

    def _anomaly_score(self, x: np.ndarray) -> np.ndarray:
        z = self._standardised(x.astype(np.float64))
        return -self.mixture_.score_samples(z) / z.shape[1]

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        return (x - self.mean_) / self.std_
