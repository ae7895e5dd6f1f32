"""Pseudo-attributes by Gaussian mixtures of embeddings, as in Fujimura et al. 2025."""

import warnings
from typing import Any

import numpy as np
from pydantic import Field

from asd.pseudo_labels.grouping import Clips, Grouping, group_finite
from asd.pseudo_labels.params import LABELLERS, Labeller
from asd.pseudo_labels.spaces import space
from asd.pseudo_labels.trees import by_size, merged, sample

REGULAR = 1e-3  # of the mean variance, added to every variance
ITERATIONS = 50


@LABELLERS.register("gmm")
class Mixture(Labeller):
    """Gaussian mixture of reduced embeddings, number of components by BIC; a candidate, which ``auto`` never takes."""

    n_components: int = Field(8, ge=1, description="principal components")

    def group(self, clips: Clips, low: int, high: int) -> Grouping:
        """See :meth:`Labeller.group`."""
        x = space(clips.embeddings, components=self.n_components)
        finite = x[np.isfinite(x).all(axis=1)]
        chosen = int(mixture(finite, low, high).max(initial=0)) + 1
        return group_finite(x, lambda rows: mixture(x[rows], chosen, chosen))


def mixture(x: np.ndarray, low: int, high: int) -> np.ndarray:
    """Group clips by a Gaussian mixture, after Fujimura et al.

    Number of components by the Bayesian information criterion. Ours: principal components stand for their UMAP,
    covariances are diagonal there, and each mixture starts from the groups of a Ward tree, so that nothing is random;
    it is fitted to a sample where there are more than :data:`asd.pseudo_labels.trees.MOST` clips.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, components)]
        Principal components, few.
    low, high : int
        Least and largest number of groups.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        Groups from 0, the largest first.

    References
    ----------
    Fujimura, Kuroyanagi, Toda, "Improvements of discriminative feature space training for anomalous sound detection
    in unlabeled conditions", ICASSP 2025.
    """
    some = x[sample(len(x))]
    clips = merged(some)
    starts = clips.cuts(np.arange(low, min(high, len(some) - 1) + 1))
    if clips.alike or not starts:
        return np.zeros(len(x), dtype=int)
    best = min(starts, key=lambda groups: bic(some, groups))
    return by_size(_fitted(some, best).predict(x))


def bic(x: np.ndarray, groups: np.ndarray) -> float:
    """Give the Bayesian information criterion of a mixture that starts from groups; the less the better."""
    return float(_fitted(x, groups).bic(x))


def _fitted(x: np.ndarray, groups: np.ndarray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    member = np.eye(groups.max() + 1)[groups]  # (clips, groups)
    count = member.sum(axis=0)[:, None]
    means, least = member.T @ x / count, REGULAR * float(x.var(axis=0).mean())
    variance = member.T @ x**2 / count - means**2
    model = GaussianMixture(
        len(count),
        covariance_type="diag",
        reg_covar=least,
        max_iter=ITERATIONS,
        weights_init=member.mean(axis=0),
        means_init=means,
        precisions_init=1 / (np.maximum(variance, 0) + least),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x)
