"""Augmentations of a batch: mixup, SpecAugment, StatEx and FeatEx, and noise-only clips added to others.

Mixup and SpecAugment keep the classes. StatEx and FeatEx exchange something between the clips of a batch and make
classes of their own: labels over three times the classes, ``[y, 0, 0]`` where nothing was exchanged and
``[0, y_i / 2, y_r / 2]`` where clip i has something of clip r, so that a network must tell what belongs together from
what does not. One after the other they make nine times the classes.

A new one is a function ``(x, y, fraction, generator) -> (x, y)``, a line in a table at the end and a key of
:class:`asd.classifiers.params.Augmented`. Noise is added before, in the unit of the front end.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from asd.classifiers.params import Augmented

MASKS = 2  # of SpecAugment along each axis
WIDEST = 8  # the widest mask is an eighth of its axis
EXPANDS = 3  # times the classes there were, after an exchange
LEAST = 1e-5  # standard deviation below which there is none
DECIBEL = math.log(10) / 10  # [nat]


def mixup(x: Tensor, y: Tensor, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend a fraction of the clips with others of the batch, and their labels with them.

    ``x_i <- lambda x_i + (1 - lambda) x_r``, ``y`` likewise, ``lambda ~ U(0, 1)`` for each clip, ``r`` a permutation.

    Parameters
    ----------
    x : Tensor [shape=(clips, frames, bands)]
        Features.
    y : Tensor [shape=(clips, classes)]
        Labels.
    fraction : float
        Probability that a clip is blended.
    generator : torch.Generator
        Of the random draws.

    References
    ----------
    H. Zhang et al., "mixup: Beyond empirical risk minimization", ICLR 2018.
    """
    clips = len(x)
    blend = torch.rand(clips, generator=generator)
    kept = torch.rand(clips, generator=generator) >= fraction
    blend[kept] = 1.0
    other = torch.randperm(clips, generator=generator)
    weight = blend[:, None]
    return weight[:, None] * x + (1 - weight[:, None]) * x[other], weight * y + (1 - weight) * y[other]


def spec_augment(x: Tensor, y: Tensor, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Hide two stretches of time and two of frequency of a fraction of the clips; labels stay.

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
    hidden &= (torch.rand(len(x), generator=generator) < fraction)[:, None, None]
    return torch.where(hidden, x.mean(dim=(1, 2), keepdim=True), x), y


def _mask(shape: torch.Size, axis: int, generator: torch.Generator) -> Tensor:
    """Draw one mask a clip along an axis, in a shape that broadcasts."""
    clips, length = shape[0], shape[axis]
    width = torch.rand(clips, generator=generator) * length / WIDEST
    start = torch.rand(clips, generator=generator) * (length - width)
    middle = torch.arange(length) + 0.5  # the middle of a frame or band
    mask = (middle >= start[:, None]) & (middle < (start + width)[:, None])
    return mask[:, :, None] if axis == 1 else mask[:, None, :]


def statex(x: Tensor, y: Tensor, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give a fraction of the clips the statistics of others: every band's mean and standard deviation over time.

    ``x_i <- (x_i - mu_i) / sigma_i sigma_r + mu_r``, ``r`` a permutation of the batch; labels as in the module's
    docstring. In the paper time, frequency or both are chosen at random to take the statistics over; time alone as
    in Wilkinghoff's code.

    Parameters
    ----------
    x : Tensor [shape=(clips, frames, bands)]
        Spectrograms.
    y : Tensor [shape=(clips, classes)]
        Labels.
    fraction : float
        Probability that a clip is changed.
    generator : torch.Generator
        Of the random draws.

    Returns
    -------
    Tensor, Tensor
        Of the shapes ``(clips, frames, bands)`` and ``(clips, 3 classes)``.

    References
    ----------
    H. Chen et al., "An effective anomalous sound detection method based on representation learning with simulated
    anomalies", ICASSP 2023; K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """
    changed, other = _partners(len(x), fraction, generator)
    mean, std = x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True, correction=0)
    changed &= (std > LEAST).any(dim=2).squeeze(1)  # a clip of one frame has no statistics
    exchanged = (x - mean) / std.clamp_min(LEAST) * std[other] + mean[other]
    return torch.where(changed[:, None, None], exchanged, x), expanded(y, changed, other)


def featex(x: Tensor, y: Tensor, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give a fraction of the embeddings the second half of others'.

    ``[a_i, b_i] <- [a_i, b_r]``, ``r`` a permutation of the batch; labels as in the module's docstring. With two
    branches side by side the halves are the branches, as in the paper; the halves of a single network's embedding
    are ours.

    Parameters
    ----------
    x : Tensor [shape=(clips, dims)]
        Embeddings.
    y, fraction, generator
        See :func:`statex`.

    Returns
    -------
    Tensor, Tensor
        Of the shapes ``(clips, dims)`` and ``(clips, 3 classes)``.

    References
    ----------
    K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """
    changed, other = _partners(len(x), fraction, generator)
    taken = changed.to(x.device)[:, None] & (torch.arange(x.shape[1], device=x.device) >= x.shape[1] // 2)
    return torch.where(taken, x[other.to(x.device)], x), expanded(y, changed, other)


def expanded(y: Tensor, changed: Tensor, other: Tensor) -> Tensor:
    """Write labels ``(clips, classes)`` over three times the classes."""
    changed, other = changed.to(y.device)[:, None], other.to(y.device)
    return torch.cat([y * ~changed, y / 2 * changed, y[other] / 2 * changed], dim=1)


def _partners(clips: int, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.rand(clips, generator=generator) < fraction, torch.randperm(clips, generator=generator)


def unit_of(description: dict[str, Any]) -> str:
    """Tell the unit of a front end by its stored description: dB, nat, magnitude or amplitude (a waveform)."""
    kind = description["kind"]
    if kind == "envelope_spectrum":
        return "magnitude"
    if kind == "waveform":
        return "amplitude"
    return str(description.get("unit", "nat"))


def add_noise(x: Tensor, noise: Tensor, snr: Tensor, unit: str) -> Tensor:
    """Add noise to clips, as if both had sounded together.

    Powers add: of spectra the phases are gone, so their products are left out, which is right on average; of waveforms
    the amplitudes themselves are added. The SNR is the ratio of mean power of the clip, all its frames and bands and
    whatever noise it had before, to that of the added noise.

    Parameters
    ----------
    x, noise : Tensor [shape=(clips, frames, bands)]
    snr : Tensor [shape=(clips,)]
        [dB]
    unit : str
        ``dB`` and ``nat`` are of power; ``magnitude`` is its root; ``amplitude``.

    Returns
    -------
    Tensor [shape=(clips, frames, bands)]
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


Augmentation = Callable[[Tensor, Tensor, float, torch.Generator], tuple[Tensor, Tensor]]
OF_FEATURES: dict[str, Augmentation] = {"mixup": mixup, "spec_augment": spec_augment, "statex": statex}
OF_EMBEDDINGS: dict[str, Augmentation] = {"featex": featex}
AUGMENTATIONS = OF_FEATURES | OF_EMBEDDINGS
EXPANDING = ("statex", "featex")
BLENDING = ("mixup", *EXPANDING)  # after which a clip is of several classes


def augment(
    table: dict[str, Augmentation], x: Tensor, y: Tensor, params: Augmented, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply those augmentations of a table whose fraction is not 0.

    Parameters
    ----------
    table : dict
        :data:`OF_FEATURES` or :data:`OF_EMBEDDINGS`.
    x : Tensor [shape=(clips, frames, bands) or (clips, dims)]
    y : Tensor [shape=(clips, classes)]
    params : Augmented
    generator : torch.Generator

    Returns
    -------
    Tensor, Tensor
        The same, the second over :func:`label_classes` columns once all are applied.
    """
    for name, change in table.items():
        if fraction := getattr(params, name):
            x, y = change(x, y, fraction, generator)
    return x, y


def label_classes(n_classes: int, params: Augmented) -> int:
    """Count the classes of labels after all augmentations."""
    return n_classes * EXPANDS ** sum(getattr(params, name) > 0 for name in EXPANDING)
