"""Covariances of few clips in many dimensions: along the axes that clips span, a floor everywhere."""

from typing import NamedTuple

import numpy as np

FLAT = 1e-9  # of the largest variance, far below what shrinkage adds to each


class Covariance(NamedTuple):
    """A covariance of ``dims`` dimensions, never as a matrix: embeddings may have thousands, clips span few of them.

    Attributes
    ----------
    axes : np.ndarray [shape=(dims, axes)]
        Orthonormal.
    variances : np.ndarray [shape=(axes,)]
        Along them, beyond the floor.
    floor : float
        The variance in every other direction.
    """

    axes: np.ndarray
    variances: np.ndarray
    floor: float

    def squared_length(self, x: np.ndarray) -> np.ndarray:
        """Compute the squared Mahalanobis length of each ``(clips, dims)``: ``(clips,)``."""
        along = x @ self.axes
        beside = np.einsum("ij,ij->i", x, x) - np.einsum("ij,ij->i", along, along)
        return (along**2 / (self.variances + self.floor)).sum(axis=1) + np.maximum(beside, 0) / self.floor

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """Multiply ``(clips, dims)`` by the inverse square root: Euclidean lengths then are Mahalanobis lengths."""
        rest = float(1 / np.sqrt(self.floor))
        along = x @ self.axes
        along *= 1 / np.sqrt(self.variances + self.floor) - rest
        whitened: np.ndarray = along @ self.axes.T
        whitened += x * rest
        return whitened


def principal_axes(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decompose centred clips ``(clips, dims)``: their variances ``(axes,)`` along orthonormal axes ``(dims, axes)``.

    Where clips are fewer than dimensions, by the products of clips, several times as fast as a decomposition of the
    clips themselves; axes of less than :data:`FLAT` of the largest variance are left out.
    """
    if len(centred) >= centred.shape[1]:
        _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
        return lengths**2 / len(centred), axes.T
    squares, clips = np.linalg.eigh(centred @ centred.T)
    kept = squares > FLAT * squares[-1]
    return squares[kept] / len(centred), centred.T @ (clips[:, kept] / np.sqrt(squares[kept]))


def ledoit_wolf_shrinkage(x: np.ndarray, variances: np.ndarray) -> float:
    """Compute the share by which Ledoit and Wolf shrink the covariance about 0.

    The result of scikit-learn's function of this name, which goes through all pairs of dimensions, of which embeddings
    have thousands.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    variances : np.ndarray [shape=(axes,)]
        Of ``x`` along its principal axes.

    Returns
    -------
    float
        Between 0 and 1.
    """
    clips, dims = x.shape
    spread = np.square(variances).sum()  # squared Frobenius norm of the covariance
    apart = spread / dims - (variances.sum() / dims) ** 2
    noise = (np.square(np.square(x).sum(axis=1)).mean() - spread) / (clips * dims)
    return float(np.clip(noise / apart, 0, 1)) if apart > 0 else 1.0
