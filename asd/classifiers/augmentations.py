"""What is done to a batch of features and its labels before the network sees it."""

import torch
from torch import Tensor


def mixup(x: Tensor, y: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend a share of the clips with others of the batch, and their labels with them.

    ``x_i <- lambda x_i + (1 - lambda) x_r``, ``y`` likewise, ``lambda ~ U(0, 1)`` for each clip, ``r`` a permutation.

    Parameters
    ----------
    x : Tensor [shape=(clips, rows, bands)]
        Features.
    y : Tensor [shape=(clips, classes)]
        Labels, each row summing to 1.
    share : float
        Probability that a clip is blended.
    generator : torch.Generator
        Where the draws come from.

    References
    ----------
    Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """
    clips = len(x)
    blend = torch.rand(clips, generator=generator)
    kept = torch.rand(clips, generator=generator) >= share
    blend[kept] = 1.0
    other = torch.randperm(clips, generator=generator)
    weight = blend[:, None]
    return weight[:, None] * x + (1 - weight[:, None]) * x[other], weight * y + (1 - weight) * y[other]
