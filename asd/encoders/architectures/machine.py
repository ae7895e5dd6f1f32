"""A small transformer for machine sound: spectra and modulation of half a second and a band are a token."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from asd.encoders.architectures.vit import PATCH, ViTEncoder, in_patches
from asd.encoders.encoder_params import ENCODERS, PublishedEncoder
from asd.encoders.pooling import Mean
from asd.encoders.published import OWN, PUBLISHED, Published

STEPS, SHORT_BANDS = 8, 32  # of the front end log_mel_two_scales: short frames of a row, and their bands
BANDS = 8  # tokens on top of each other
TAPS = 64  # [short frames] of a modulation filter: 256 ms
HOP = 8  # [short frames] between its positions
PARAMETERS = (
    "log_speed",  # of the shaft, log Hz
    "log_modulation_rate",  # of the strongest modulation, log Hz
    "modulation_depth",  # of it, 0: none, 1: down to silence
    "log_impact_rate",  # of the strongest impacts, log 1/s
    "impact_level",  # power of all impacts over that of everything, dB
    "tonality",  # power of tones over that of noise, dB
    "spectral_slope",  # of the noise, dB/octave
    "log_resonance_low",  # the two strongest resonances, log Hz
    "log_resonance_high",
    "log_tone",  # the first harmonic of the strongest tones, log Hz
)
FLOOR = 1e-4  # of the mean square of a filter's output, in standard deviations squared


class MachineEncoder(ViTEncoder):
    """Embed log-mel at two time scales by transformer blocks.

    A token stands for 16 rows (half a second) and an eighth of the mel scale. It is the sum of two projections: of the
    16 x 16 patch of the long frames, which part tones, and of the logarithm of the power that learnt modulation filters
    let pass of each band of the short frames, which says how fast the band goes up and down, whenever it does: their
    power within the token, and its mean over the clip, to which rare events contribute as much as they are loud. Tokens
    have places in frequency alone, so that clips may be of any length.

    Parameters
    ----------
    n_features : int
        Of the front end ``log_mel_two_scales``: 128 + 32 * 8.
    dims, depth, heads : int
        Size of a token, number of blocks, attention heads.
    frames : int
        Context length [rows]; longer clips are embedded in windows of so many.
    filters : int
        Modulation filters.
    output : str
        What a clip is embedded as: ``tokens``, pooled, or ``parameters``: what the network takes the sound's physical
        parameters to be, :data:`PARAMETERS`, each in standard deviations of the synthetic sounds.
    """

    def __init__(
        self,
        n_features: int,
        dims: int = 144,
        depth: int = 4,
        heads: int = 4,
        frames: int = 320,
        filters: int = 48,
        output: str = "tokens",
    ) -> None:
        super().__init__(n_features, dims, depth, heads, frames)
        self.output = output
        self.bands = BANDS
        self.modulation = nn.Parameter(modulation_filters(filters, TAPS))
        self.project = nn.Linear(2 * SHORT_BANDS // BANDS * filters, dims)
        self.places = nn.Parameter(0.02 * torch.randn(BANDS, dims))
        self.mean = Mean(per_band=True)
        self.known = nn.Linear(BANDS * dims, len(PARAMETERS)).requires_grad_(False)  # learns in pre-training alone

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """See :meth:`Encoder.forward`; parameters are ``(clips, 1, 10)``."""
        if self.output == "tokens":
            return super().forward(x, rows)
        return self.known(self.mean(self.tokens(x, rows)[0]).flatten(1)).unsqueeze(1)

    def embed(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """See :meth:`ViTEncoder.embed`."""
        image = self._image(x, real)
        long = image.shape[3] - SHORT_BANDS * STEPS
        spectra = in_patches(image[..., :long], self.patches).unflatten(1, (-1, BANDS))  # (clips, time, bands, dims)
        power = self.modulation_power(image[:, 0, :, long:])  # (clips, time, bands, 4 * filters)
        weight = torch.ones_like(power[:, :, :1, :1]) if real is None else real[:, :, None, None].to(power)
        mean = (power * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True)
        both = torch.cat([power, mean.expand_as(power)], dim=3)
        return (spectra + self.project((both + FLOOR).log()) + self.places).flatten(1, 2)

    def modulation_power(self, x: Tensor) -> Tensor:
        """Measure the power of each modulation filter's output, within each token.

        Parameters
        ----------
        x : Tensor [shape=(clips, frames, 32 * 8)]
            Short frames: a row's steps of each band.

        Returns
        -------
        Tensor [shape=(clips, time, 8, 4 * filters)]
        """
        clips, frames, _ = x.shape
        time = frames // PATCH
        x = x.reshape(clips, time, PATCH, SHORT_BANDS, STEPS).transpose(2, 3)  # (clips, time, bands, rows, steps)
        passed = F.conv1d(x.reshape(-1, 1, PATCH * STEPS), self.modulation.unsqueeze(1), stride=HOP)
        return (passed * passed).mean(dim=2).reshape(clips, time, BANDS, -1)


def modulation_filters(count: int, taps: int) -> Tensor:
    """Make zero-mean filters of rates spaced evenly on a logarithmic scale, of three cycles or ten taps.

    Parameters
    ----------
    count, taps : int

    Returns
    -------
    Tensor [shape=(count, taps)]
        Each of energy 1; even ones are cosines, odd ones sines of the same rates, under a Hann window.
    """
    cycles = torch.logspace(0, math.log10(taps / 2.2), -(-count // 2)).repeat_interleave(2)[:count, None]  # in taps
    phase = 2 * math.pi * cycles * (torch.arange(taps) - (taps - 1) / 2) / taps
    width = (3 / cycles).clamp(10 / taps, 1)  # of the window, of all taps
    place = ((torch.arange(taps) - (taps - 1) / 2) / taps / width).clamp(-0.5, 0.5)
    wave = (
        torch.where(torch.arange(count)[:, None] % 2 == 0, phase.cos(), phase.sin()) * (math.pi * place).cos().square()
    )
    wave = wave - wave.mean(dim=1, keepdim=True)
    return wave / wave.norm(dim=1, keepdim=True)


@ENCODERS.register("machine_tiny", "machine_small", "machine_base")
class MachineParams(PublishedEncoder):
    """The block of our own encoder of machine sound, of three sizes; ``machine_small`` has trained weights."""

    network = MachineEncoder
    adaptable = transformer = True

    output: Literal["tokens", "parameters"] = Field(
        "tokens", description="pooled tokens, or the physical parameters that the network takes the sound to have"
    )

    def keywords(self) -> Mapping[str, Any]:
        """Give the published size, and what a clip is embedded as."""
        return dict(super().keywords()) | {"output": self.output}


SMALL = PUBLISHED.register("machine_small")(
    Published(
        options={"dims": 144, "depth": 4, "heads": 4},
        front_end="log_mel_two_scales",
        n_features=128 + SHORT_BANDS * STEPS,
        patch=(PATCH, (128 + SHORT_BANDS * STEPS) // BANDS),
        dims=144,
        licence="MIT",
        file="machine_small.safetensors",
        addresses=(OWN,),
        size=4_454_140,
        sha256="69e3d1245bdc1e87cae3af7927272a70ad3c64b190cbccff00ffb6a944193a80",
    )
)
NOT_TRAINED = replace(SMALL, file="", size=None, sha256=None)
PUBLISHED.register("machine_tiny")(replace(NOT_TRAINED, options={"dims": 80, "depth": 3, "heads": 4}, dims=80))
PUBLISHED.register("machine_base")(replace(NOT_TRAINED, options={"dims": 256, "depth": 5, "heads": 8}, dims=256))
