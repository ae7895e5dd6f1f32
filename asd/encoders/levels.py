"""What a network hears before it decides: statistics over time of its shallow feature maps."""

from collections.abc import Iterator
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CELLS = 8  # of frequency, in the first map
LAGS = (1, 2, 3, 4, 6, 8, 12, 16)  # [frames of the map] between which changes are measured


class Levelled(nn.Module):
    """A network of which feature maps can be remembered in place of its embedding.

    Attributes
    ----------
    levels : int
        Maps of each branch that are remembered, with ``embedding_last`` the last of them the embedding; 0: the
        embedding that is trained, alone.
    width : int
        Channels of a first map.
    embedding_last : bool
        Whether the last of several levels is the embedding itself, of a network with a single map.
    """

    levels: int = 0
    width: int
    embedding_last = False

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
            See :func:`level_statistics`, and :func:`beside` for an embedding; what the network gives where ``levels``
            is 0.
        """
        if not self.levels:
            return self(x)  # type: ignore[no-any-return]
        levels = [level for branch in self.maps(x) for level in islice(branch, self.levels)]
        found = torch.stack([level_statistics(level, self.width) for level in levels], dim=1)
        return beside(found, self(x)) if self.embedding_last and self.levels > 1 else found


def beside(levels: Tensor, embedding: Tensor) -> Tensor:
    """Put an embedding ``(clips, bands, dims)`` behind levels ``(clips, n, dims)`` as one more; zeros fill the rest."""
    flat = embedding.flatten(1)
    dims = max(levels.shape[2], flat.shape[1])
    return torch.cat([F.pad(each, (0, dims - each.shape[2])) for each in (levels, flat.unsqueeze(1))], dim=1)


def level_statistics(level: Tensor, channels: int) -> Tensor:
    """Describe a feature map by how its channels vary over time in cells of frequency.

    Deviation, and deviation of what changes within each of :data:`LAGS`, side by side: a variogram, which says how fast
    a channel goes up and down, whenever it does. No mean: that is the room and the microphone rather than the machine.
    A deeper map has more channels and fewer bands; it gets fewer cells, so that all levels have as many dimensions:
    ``8 c0 / c`` cells of c channels, c0 those of the first level. Ours, after memories of early layers (Roth et al.,
    "Towards total recall in industrial anomaly detection", CVPR 2022) and statistics over time (Snyder et al.,
    "X-vectors", ICASSP 2018): the last layer keeps what tells the classes apart; what does not, such as a fault, is
    still in the first.

    Parameters
    ----------
    level : Tensor [shape=(clips, c, time, frequency)]
    channels : int
        c0.

    Returns
    -------
    Tensor [shape=(clips, 9 * 8 * c0)]
        Of each lag the channels of one cell after those of another; 0 for a lag that is as long as the map.
    """
    cells = max(1, CELLS * channels // level.shape[1])
    pooled = F.adaptive_avg_pool2d(level, (level.shape[2], cells)).permute(0, 2, 3, 1).flatten(2)
    return torch.stack([_variogram(clip) for clip in pooled])


def _variogram(x: Tensor) -> Tensor:
    """Give the deviation of ``(frames, dims)`` and of its changes within each lag, one after the other.

    Clip by clip, each frame's dimensions together: what is worked on stays in the cache, eight times as fast.
    """
    found = [(x - x.mean(dim=0)).square_().mean(dim=0).sqrt()]
    for lag in LAGS:
        if lag >= len(x):
            found.append(torch.zeros_like(found[0]))
            continue
        mean = (x[-lag:].sum(dim=0) - x[:lag].sum(dim=0)) / (len(x) - lag)  # of the changes
        changes = (x[lag:] - x[:-lag]).sub_(mean)
        found.append(changes.square_().mean(dim=0).sqrt())
    return torch.cat(found)
