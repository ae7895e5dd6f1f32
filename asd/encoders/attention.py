"""Attention along time, frequency and channels of a feature map."""

import torch
from torch import Tensor, nn

NEIGHBOURS = 7  # frames, or bands, that a frame's or band's weight depends on


class MultiDimensionalAttention(nn.Module):
    """Weigh the channels, frames and bands of a shallow feature map, each dimension by itself.

    ``y = x a_c a_t a_f``. Every ``a`` is a sigmoid of mean and maximum over the two other dimensions: of channels by a
    perceptron that both share, of frames and of bands by a convolution over neighbours. What the paper publishes
    openly says no more than "infers attention along three independent dimensions: time, frequency, and channel" of a
    shallow map; the three descriptors are those of Woo et al., "CBAM", ECCV 2018: a reconstruction.

    Parameters
    ----------
    channels : int
    reduction : int
        Of the channels within the perceptron.

    References
    ----------
    Chen, Wang, Wang, Xu, "MDAM: Multi-dimensional attention module for anomalous sound detection", ICONIP 2023.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.channel = nn.Sequential(
            nn.Linear(channels, squeezed, bias=False), nn.ReLU(), nn.Linear(squeezed, channels, bias=False)
        )
        self.time, self.frequency = (nn.Conv1d(2, 1, NEIGHBOURS, padding=NEIGHBOURS // 2, bias=False) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh ``(clips, channels, frames, bands)``; the shape stays."""
        channel = sum(self.channel(own) for own in _described(x, 1).unbind(dim=1)).sigmoid()
        time, frequency = (along(_described(x, dim)).sigmoid() for along, dim in ((self.time, 2), (self.frequency, 3)))
        return x * channel[:, :, None, None] * time[:, :, :, None] * frequency[:, :, None]


def _described(x: Tensor, dim: int) -> Tensor:
    """Give mean and maximum over the two other dimensions, ``(clips, 2, size)``."""
    others = tuple({1, 2, 3} - {dim})
    return torch.stack([x.mean(dim=others), x.amax(dim=others)], dim=1)
