"""Embeddings and spectra, prepared for distances between clips."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

TINY = 1e-12
LOUD = 0.9  # quantile over time beside the mean: sounds that come now and then


def space(embeddings: np.ndarray, normalise: bool = True, components: int = 0) -> np.ndarray:
    """Prepare embeddings of one machine for distances.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, dims)]
    normalise : bool
        Scale each to length 1; the zero vector stays.
    components : int
        Keep so many principal components at most, 0: all dimensions.

    Returns
    -------
    np.ndarray [shape=(clips, dims or components), dtype=float64]
        Clips with a value that is not finite are NaN throughout and leave the others as they are.
    """
    x = embeddings.astype(np.float64)
    finite = np.isfinite(x).all(axis=1)
    own = x[finite]
    if normalise:
        own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), TINY)
    if components and len(own) > 1:
        own = principal(own, components)
    prepared = np.full((len(x), own.shape[1]), np.nan)
    prepared[finite] = own
    return prepared


def principal(x: np.ndarray, components: int) -> np.ndarray:
    """Project on the first principal components, as many as there are."""
    from sklearn.decomposition import PCA

    kept = min(components, *x.shape)
    if not np.ptp(x, axis=0).any():
        return np.zeros((len(x), kept))  # all alike: PCA would divide by 0
    projected: np.ndarray = PCA(kept, svd_solver="full").fit_transform(x)
    return projected


def spectra(clips: Sequence[np.ndarray], smooth: float) -> np.ndarray:
    """Describe clips by the fine structure of their spectra.

    Mean over time and 90 % quantile above it of each band, less the same smoothed over frequency: distance,
    room and the microphone's position change broad structure, which goes; lines and resonances of the machine are
    narrow and stay.

    Parameters
    ----------
    clips : sequence of np.ndarray [shape=(frames, bands)]
        Log spectra.
    smooth : float
        [bands] Standard deviation of the Gaussian that smooths, 0: subtract nothing.

    Returns
    -------
    np.ndarray [shape=(clips, 2 bands), dtype=float64]
    """
    mean = np.stack([clip.mean(axis=0, dtype=np.float64) for clip in clips])
    loud = np.stack([np.quantile(clip.astype(np.float64), LOUD, axis=0) for clip in clips]) - mean
    return np.concatenate([_fine(mean, smooth), _fine(loud, smooth)], axis=1)


def _fine(x: np.ndarray, smooth: float) -> np.ndarray:
    return x - gaussian_filter1d(x, smooth, axis=1, mode="nearest") if smooth else x
