"""Noise-only clips added to others at a stated signal-to-noise ratio, in the unit of their features."""

import math
from typing import Any

import torch
from torch import Tensor

DECIBEL = math.log(10) / 10  # [nat]


def unit_of(description: dict[str, Any]) -> str:
    """Tell the unit of a front end by its stored description: dB, nat, magnitude or amplitude (a waveform)."""
    kind = description["kind"]
    if kind in ("stft_magnitude", "magnitude_spectrum", "envelope_spectrum"):
        return "magnitude"
    if kind == "waveform":
        return "amplitude"
    return str(description.get("unit", "nat"))


def add_noise(x: Tensor, noise: Tensor, snr: Tensor, unit: str) -> Tensor:
    """Add noise to clips, as if both had sounded together.

    Powers add: of spectra the phases are gone, so their products are left out, which is right on average; of waveforms
    the amplitudes themselves are added. The SNR is the ratio of mean power of the clip, all its rows and bands and
    whatever noise it had before, to that of the added noise.

    Parameters
    ----------
    x, noise : Tensor [shape=(clips, rows, bands)]
    snr : Tensor [shape=(clips,)]
        [dB]
    unit : str
        ``dB`` and ``nat`` are of power; ``magnitude`` is its root; ``amplitude``.

    Returns
    -------
    Tensor [shape=(clips, rows, bands)]
        In the same unit.
    """
    ratio = -snr * DECIBEL
    if unit in ("dB", "nat"):
        nat = DECIBEL if unit == "dB" else 1.0
        gain = ratio + (nat * x).flatten(1).logsumexp(1) - (nat * noise).flatten(1).logsumexp(1)
        return torch.logaddexp(nat * x, nat * noise + gain[:, None, None]) / nat
    powers = [part.square().flatten(1).mean(dim=1) for part in (x, noise)]
    gain = (ratio.exp() * powers[0] / powers[1].clamp_min(torch.finfo(x.dtype).tiny))[:, None, None]
    return x + gain.sqrt() * noise if unit == "amplitude" else (x.square() + gain * noise.square()).sqrt()
