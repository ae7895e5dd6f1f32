"""What a convolutional network hears before it decides: statistics over time of its shallow feature maps."""

from collections.abc import Iterator
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELLS = 8  # of frequency, in the first map


class Levelled(nn.Module):
    """A convolutional network, of which shallow feature maps can be remembered in place of its embedding.

    Attributes
    ----------
    levels : int
        Maps of each branch that are remembered; 0: the embedding that is trained.
    width : int
        Channels of a first map.
    """

    levels: int = 0
    width: int

    def maps(self, x: Tensor) -> list[Iterator[Tensor]]:
        """Run ``(clips, rows, bands)`` through each branch, map by map ``(clips, channels, time, frequency)``."""
        raise NotImplementedError

    def remembered(self, x: Tensor) -> Tensor:
        """Embed clips as they are remembered.

        Parameters
        ----------
        x : Tensor [shape=(clips, rows, bands)]

        Returns
        -------
        Tensor [shape=(clips, branches * levels, dims)]
            See :func:`level_statistics`; what the network gives where ``levels`` is 0.
        """
        if not self.levels:
            return self(x)  # type: ignore[no-any-return]
        levels = [level for branch in self.maps(x) for level in islice(branch, self.levels)]
        return torch.stack([level_statistics(level, self.width) for level in levels], dim=1)


def level_statistics(level: Tensor, channels: int) -> Tensor:
    """Describe a feature map by how its channels vary over time in cells of frequency.

    Mean, deviation, and deviation of what changes from one frame to the next, side by side. A deeper map has more
    channels and fewer bands; it gets fewer cells, so that all levels have as many dimensions: ``8 c0 / c`` cells of c
    channels, c0 those of the first level. Ours, after memories of early layers (Roth et al., "Towards total recall in
    industrial anomaly detection", CVPR 2022) and means and deviations over time (Snyder et al., "X-vectors", ICASSP
    2018): the last layer keeps what tells the classes apart; what does not, such as a fault, is still in the first.

    Parameters
    ----------
    level : Tensor [shape=(clips, c, time, frequency)]
    channels : int
        c0.

    Returns
    -------
    Tensor [shape=(clips, 3 * 8 * c0)]
        Deviations of a map of one frame are 0.
    """
    pooled = F.adaptive_avg_pool2d(level, (level.shape[2], max(1, CELLS * channels // level.shape[1])))
    found = [pooled.mean(dim=2), _deviation(pooled), _deviation(pooled.diff(dim=2))]
    return torch.cat([each.flatten(1) for each in found], dim=1)


def _deviation(x: Tensor) -> Tensor:
    """Give the deviation over time, 0 where there is no time."""
    return x.std(dim=2, correction=0) if x.shape[2] else x.new_zeros(x.shape[:2] + x.shape[3:])
