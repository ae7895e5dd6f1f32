"""Statistics of sound texture: how each band sounds on average, and how fast it changes; no weights."""

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.encoders.encoder_params import ENCODERS, EncoderBlock

LAGS = (1, 2, 4, 8, 16, 32, 64)  # [frames]; 4 to 256 ms with a hop of 4 ms
FLOOR = 1e-6  # of a squared difference, in squared units of the features
BANKS = ("mean", "variogram")


class Texture(nn.Module):
    """Describe a clip by the mean of each log-mel band and by the band's variogram.

    The variogram of a band at a lag is the logarithm of the mean squared difference of two frames that far apart
    (Matheron, "Principles of geostatistics", Economic Geology 58, 1963): it says how fast the band goes up and down,
    whenever it does. Means and modulations of bands are among the statistics by which people recognise the texture of
    a sound (McDermott and Simoncelli, "Sound texture perception via statistics of the auditory periphery", Neuron 71,
    2011). It cannot separate: sounds with the same statistics in another order, relations between bands, a
    single event in a long clip, tones that move within a band.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end.
    banks : str
        ``both``, ``mean`` or ``variogram``.
    """

    def __init__(self, n_features: int, banks: str = "both") -> None:
        super().__init__()
        self.banks = BANKS if banks == "both" else (banks,)
        self.dims = n_features * (len(LAGS) if "variogram" in self.banks else 1)

    def forward(self, x: Tensor) -> Tensor:
        """Describe ``(clips, frames, bands)`` by ``(clips, banks, dims)``; zeros fill up the shorter bank."""
        statistics = {"mean": lambda: x.mean(dim=1), "variogram": lambda: variogram(x)}
        made = [statistics[bank]() for bank in self.banks]
        return torch.stack([F.pad(each, (0, self.dims - each.shape[1])) for each in made], dim=1)


def variogram(x: Tensor) -> Tensor:
    """Compute the logarithm of the mean squared difference between frames, at each of :data:`LAGS`.

    Parameters
    ----------
    x : Tensor [shape=(clips, frames, bands)]

    Returns
    -------
    Tensor [shape=(clips, lags * bands)]
        Of a clip with no more frames than a lag: that of its first and last frame; of a single frame log(FLOOR).
    """
    lags = [min(lag, x.shape[1] - 1) for lag in LAGS]
    squares = [(x[:, lag:] - x[:, : x.shape[1] - lag]).square().mean(dim=1) for lag in lags]
    return torch.log(torch.cat(squares, dim=1) + FLOOR)


@ENCODERS.register("texture")
class TextureParams(EncoderBlock):
    """Keywords of :class:`Texture`."""

    network = Texture
    has_weights = False

    banks: Literal["both", "mean", "variogram"] = Field("both", description="memory banks")
