"""Embeddings without the directions in which normal clips of a machine vary anyway."""

from dataclasses import dataclass, field, replace

import numpy as np

from asd.scoring.density import LocalDensity
from asd.scoring.scorer import Scorer

SHRINKAGE = 0.1  # towards the same variance in all directions
FLAT = 1e-9  # of the largest variance, far below what shrinkage adds to each
NOTHING = 1e-12  # of the mean square: less variance is rounding


@dataclass
class Whitened(Scorer):
    """Score embeddings that are whitened by the normal clips' covariance within their domains.

    ``z = S^(-1/2) (x - m)``, S the covariance of normal clips about the mean of their own domain, all domains pooled,
    ``0.9 S + 0.1 tr(S) / n I`` of n dimensions in its place, m the mean of all. What room, distance and load change
    from clip to clip counts less, and the step from one domain to the other, of which one knows ten clips, is in no
    covariance. Where normal clips do not vary, embeddings stay as they are. The scorer should measure Euclidean
    distances: cosines of whitened embeddings are angles about the mean.

    Parameters
    ----------
    scorer : Scorer
        What is fitted to the whitened embeddings.

    References
    ----------
    A. Hatch, S. Kajarekar, A. Stolcke, "Within-class covariance normalization for SVM-based speaker recognition",
    Interspeech 2006, with a machine's domains as classes; K. Lee et al., "A simple unified framework for detecting
    out-of-distribution samples and adversarial attacks", NeurIPS 2018, pools covariances likewise.
    """

    scorer: Scorer = field(default_factory=lambda: LocalDensity(metric="euclidean"))

    def _fit(self, x: np.ndarray, domain: np.ndarray) -> None:
        x = x.astype(np.float64)
        self.mean_ = x.mean(axis=0)
        self.axes_, self.gains_, self.rest_ = whitening(x, domain)
        self.scorer_ = replace(self.scorer).fit(self._whitened(x), domain)

    def _score(self, x: np.ndarray) -> np.ndarray:
        return self.scorer_.score(self._whitened(x))

    def _whitened(self, x: np.ndarray) -> np.ndarray:
        centred = x - self.mean_
        along = centred @ self.axes_
        along *= self.gains_ - self.rest_
        whitened = along @ self.axes_.T
        centred *= self.rest_
        whitened += centred
        return whitened.astype(np.float32)  # a product of one row is rounded unlike one of many: equal clips stay equal


def whitening(x: np.ndarray, domain: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Compute the inverse square root of the shrunk covariance of clips about the means of their domains.

    Never as a matrix of all dimensions: embeddings may have thousands, and clips span few of them.

    Returns
    -------
    axes : np.ndarray [shape=(dims, axes)]
        Orthonormal, along which clips vary.
    gains : np.ndarray [shape=(axes,)]
        Along these.
    rest : float
        In every other direction. All gains are 1 where clips do not vary.
    """
    centred = x.copy()
    for name in np.unique(domain):
        centred[domain == name] -= x[domain == name].mean(axis=0)
    variances, axes = principal_axes(centred)
    mean = variances.sum() / x.shape[1]
    if mean <= NOTHING * np.square(x).mean():
        return axes, np.ones(len(variances)), 1.0
    gains = 1 / np.sqrt((1 - SHRINKAGE) * variances + SHRINKAGE * mean)
    return axes, gains, float(1 / np.sqrt(SHRINKAGE * mean))


def principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the variances of centred clips ``(clips, dims)`` and the orthonormal axes ``(dims, axes)`` they lie along.

    Where clips are fewer than dimensions, by the products of clips, several times as fast as a decomposition of the
    clips themselves; axes of less than :data:`FLAT` of the largest variance are left out.
    """
    if len(centred) >= centred.shape[1]:
        _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
        return lengths**2 / len(centred), axes.T
    squares, clips = np.linalg.eigh(centred @ centred.T)
    kept = squares > FLAT * squares[-1]
    return squares[kept] / len(centred), centred.T @ (clips[:, kept] / np.sqrt(squares[kept]))
