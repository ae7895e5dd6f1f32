"""Gaussian mixtures of embeddings, their number of components by the Bayesian information criterion."""

import warnings
from typing import Any

import numpy as np

from asd.pseudo_labels.trees import by_size, merged

REGULAR = 1e-3  # of the mean variance, added to every variance
ITERATIONS = 50


def mixture(x: np.ndarray, low: int, high: int) -> np.ndarray:
    """Group clips by a Gaussian mixture, after Fujimura et al.

    Number of components by the Bayesian information criterion. Ours: principal components stand for their UMAP,
    covariances are diagonal there, and each mixture starts from the groups of a Ward tree, so that nothing is drawn.

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
    clips = merged(x)
    starts = clips.cuts(np.arange(low, min(high, len(x) - 1) + 1))
    if clips.alike or not starts:
        return np.zeros(len(x), dtype=int)
    best = min(starts, key=lambda groups: bic(x, groups))
    return by_size(_fitted(x, best).predict(x))


def bic(x: np.ndarray, groups: np.ndarray) -> float:
    """Give the Bayesian information criterion of a mixture that starts from groups; the less the better."""
    return float(_fitted(x, groups).bic(x))


def _fitted(x: np.ndarray, groups: np.ndarray) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    share = np.eye(groups.max() + 1)[groups]
    count = share.sum(axis=0)[:, None]
    means, least = share.T @ x / count, REGULAR * float(x.var(axis=0).mean())
    variance = share.T @ x**2 / count - means**2
    model = GaussianMixture(
        len(count),
        covariance_type="diag",
        reg_covar=least,
        max_iter=ITERATIONS,
        weights_init=share.mean(axis=0),
        means_init=means,
        precisions_init=1 / (np.maximum(variance, 0) + least),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x)
