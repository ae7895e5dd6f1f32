"""Augmentations that keep the classes: mixup, and masks in time and frequency (SpecAugment)."""

import torch
from torch import Tensor

MASKS = 2  # along each axis
WIDEST = 8  # the widest mask is an eighth of its axis


def mixup(x: Tensor, y: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend a share of the clips with others of the batch, and their labels with them.

    ``x_i <- lambda x_i + (1 - lambda) x_r``, ``y`` likewise, ``lambda ~ U(0, 1)`` for each clip, ``r`` a permutation.

    Parameters
    ----------
    x : Tensor [shape=(clips, rows, bands)]
        Features.
    y : Tensor [shape=(clips, classes)]
        Labels.
    share : float
        Probability that a clip is blended.
    generator : torch.Generator
        Where the draws come from.

    References
    ----------
    H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """
    clips = len(x)
    blend = torch.rand(clips, generator=generator)
    kept = torch.rand(clips, generator=generator) >= share
    blend[kept] = 1.0
    other = torch.randperm(clips, generator=generator)
    weight = blend[:, None]
    return weight[:, None] * x + (1 - weight[:, None]) * x[other], weight * y + (1 - weight) * y[other]


def spec_augment(x: Tensor, y: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide two stretches of time and two of frequency of a share of the clips; labels stay.

    Each is up to an eighth of its axis long, and what it hides is the mean of its clip. The paper's warping of time is
    left out, as most do since.

    References
    ----------
    D. S. Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition", Interspeech
    2019; arguments as those of :func:`mixup`.
    """
    hidden = torch.zeros(x.shape, dtype=torch.bool)
    for axis in (1, 2):
        for _ in range(MASKS):
            hidden |= _mask(x.shape, axis, generator)
    hidden &= (torch.rand(len(x), generator=generator) < share)[:, None, None]
    return torch.where(hidden, x.mean(dim=(1, 2), keepdim=True), x), y


def _mask(shape: torch.Size, axis: int, generator: torch.Generator) -> Tensor:
    """Draw one mask a clip along an axis, in a shape that broadcasts."""
    clips, length = shape[0], shape[axis]
    width = torch.rand(clips, generator=generator) * length / WIDEST
    start = torch.rand(clips, generator=generator) * (length - width)
    place = torch.arange(length) + 0.5  # the middle of a row or band
    mask = (place >= start[:, None]) & (place < (start + width)[:, None])
    return mask[:, :, None] if axis == 1 else mask[:, None, :]
