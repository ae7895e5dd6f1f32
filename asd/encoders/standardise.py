"""The input of encoders with drawn weights: without the clip's level, each band with mean 0 and deviation 1."""

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
    bands : int
        Width of a row.
    """

    level: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("level", torch.zeros(()))  # share of the level that is taken away
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))

    def set(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Take mean and deviation ``(bands,)`` of the training set over."""
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(deviation))

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Standardise ``(clips, rows, bands)``, of which the rows ``real`` ``(clips, rows)`` are no padding."""
        if real is None:
            level = x.mean(dim=(1, 2), keepdim=True)
        else:
            weight = (real / real.sum(dim=1, keepdim=True)).to(x.dtype).unsqueeze(2)
            level = (x * weight).sum(dim=1, keepdim=True).mean(dim=2, keepdim=True)
        return (x - self.level * level - self.mean) / self.deviation


class Viewer(nn.Module):
    """A network that makes views of what it hears and standardises these."""

    def fit_input(self, store: FeatureStore) -> None:
        """Fit what each view is standardised by to all clips of a store."""
        raise NotImplementedError


def fit(network: nn.Module, store: FeatureStore, by_band: bool = True) -> None:
    """Fit the input of a network to all clips of a store, where it has one to fit.

    Not ``by_band``, as published encoders do: one mean and one deviation for all, and the level stays.
    """
    if isinstance(network, Viewer):
        network.fit_input(store)
        return
    inputs = [part for part in network.modules() if isinstance(part, Standardise)]
    if not inputs:
        return
    clips = (store.normalised(store[clip]).astype(np.float64) for clip in store.clip_ids)
    mean, deviation = moments((x - x.mean() if by_band else x for x in clips), by_band)
    for part in inputs:
        part.level.fill_(float(by_band))
        part.set(mean, deviation)


def moments(clips: Iterable[np.ndarray], by_band: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and deviation over all rows of clips ``(rows, bands)``, of each band or the same for all."""
    rows, total, squares = 0, np.zeros(()), np.zeros(())
    for clip in clips:
        x = clip.astype(np.float64, copy=False)
        rows, total, squares = rows + len(x), total + x.sum(axis=0), squares + np.square(x).sum(axis=0)
    mean, square = total / rows, squares / rows
    if not by_band:
        mean, square = np.full_like(mean, mean.mean()), np.full_like(square, square.mean())
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))
