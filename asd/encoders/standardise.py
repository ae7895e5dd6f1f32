"""The input of encoders trained here: without the clip's level, each band with mean 0 and standard deviation 1."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from asd.features.store import FeatureStore


class Standardise(nn.Module):
    """Take a clip's mean level away, then shift and scale every band as it was fitted; nothing before that.

    The level of a recording tells the distance rather than the machine, and most of the contrast of a spectrogram is
    that between low and high bands, which all recordings share. Published encoders keep their own constants.

    Parameters
    ----------
    n_features : int
        Width of a row.
    """

    level: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("level", torch.zeros(()))  # fraction of the level that is subtracted
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(n_features))

    def set(self, mean: np.ndarray, std: np.ndarray) -> None:
        """Set mean and standard deviation ``(n_features,)`` of the training set."""
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(std))

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Standardise ``(clips, n_frames, n_features)``, of which ``real`` ``(clips, n_frames)`` are no padding."""
        if real is None:
            level = x.mean(dim=(1, 2), keepdim=True)
        else:
            weight = (real / real.sum(dim=1, keepdim=True)).to(x.dtype).unsqueeze(2)
            level = (x * weight).sum(dim=1, keepdim=True).mean(dim=2, keepdim=True)
        return (x - self.level * level - self.mean) / self.deviation


class Viewer(nn.Module):
    """A network that makes views of its input and standardises these."""

    def fit_input(self, store: FeatureStore) -> None:
        """Fit the standardisation of each view to all clips of a store."""
        raise NotImplementedError


def fit(network: nn.Module, store: FeatureStore, by_band: bool = True) -> None:
    """Fit the input of a network to all clips of a store, where it has one to fit.

    Parameters
    ----------
    network : nn.Module
        A :class:`Viewer`, or a network with :class:`Standardise` layers; any other is left as it is.
    store : FeatureStore
        Training features.
    by_band : bool
        False, as published encoders do: one mean and one standard deviation for all bands, and the level stays.
    """
    if isinstance(network, Viewer):
        network.fit_input(store)
        return
    inputs = [part for part in network.modules() if isinstance(part, Standardise)]
    if not inputs:
        return
    clips = (store.normalised(store[clip]).astype(np.float64) for clip in store.clip_ids)
    mean, std = moments((x - x.mean() if by_band else x for x in clips), by_band)
    for part in inputs:
        part.level.fill_(float(by_band))
        part.set(mean, std)


def moments(clips: Iterable[np.ndarray], by_band: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation over all frames of clips, of each feature or the same for all.

    Parameters
    ----------
    clips : iterable of np.ndarray [shape=(n_frames, n_features)]
    by_band : bool
        Whether each feature has its own.

    Returns
    -------
    mean, std : np.ndarray [shape=(n_features,)], float64
    """
    rows, total, squares = 0, np.zeros(()), np.zeros(())
    for clip in clips:
        x = clip.astype(np.float64, copy=False)
        rows, total, squares = rows + len(x), total + x.sum(axis=0), squares + np.square(x).sum(axis=0)
    mean, square = total / rows, squares / rows
    if not by_band:
        mean, square = np.full_like(mean, mean.mean()), np.full_like(square, square.mean())
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))
