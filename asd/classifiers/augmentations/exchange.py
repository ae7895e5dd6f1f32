"""Exchanges between the clips of a batch that make classes of their own: StatEx and FeatEx.

Both give labels over three times the classes: ``[y, 0, 0]`` where nothing was exchanged and ``[0, y_i / 2, y_r / 2]``
where clip i has something of clip r, so that a network must tell what belongs together from what does not. One after
the other they make nine times the classes.
"""

import torch
from torch import Tensor

EXPANDS = 3  # times the classes there were
LEAST = 1e-5  # deviation below which there is none


def statex(x: Tensor, y: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give a share of the clips the statistics of others: every band's mean and deviation over time.

    ``x_i <- (x_i - mu_i) / sigma_i sigma_r + mu_r``, ``r`` a permutation of the batch; the labels as above. In the
    paper time, frequency or both are drawn to take the statistics over; time alone as in Wilkinghoff's code.

    Parameters
    ----------
    x : Tensor [shape=(clips, rows, bands)]
        Spectrograms.
    y : Tensor [shape=(clips, classes)]
        Labels.
    share : float
        Probability that a clip is changed.
    generator : torch.Generator
        Where the draws come from.

    Returns
    -------
    Tensor, Tensor
        Of the shapes ``(clips, rows, bands)`` and ``(clips, 3 classes)``.

    References
    ----------
    H. Chen et al., "An effective anomalous sound detection method based on representation learning with simulated
    anomalies", ICASSP 2023; K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """
    changed, other = _drawn(len(x), share, generator)
    mean, deviation = x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True, correction=0)
    changed &= (deviation > LEAST).any(dim=2).squeeze(1)  # a clip of one row has no statistics
    exchanged = (x - mean) / deviation.clamp_min(LEAST) * deviation[other] + mean[other]
    return torch.where(changed[:, None, None], exchanged, x), expanded(y, changed, other)


def featex(x: Tensor, y: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give a share of the embeddings the second half of others'.

    ``[a_i, b_i] <- [a_i, b_r]``, ``r`` a permutation of the batch; the labels as above. With two branches side by side
    the halves are the branches, as in the paper; the halves of a single network's embedding are ours.

    Parameters
    ----------
    x : Tensor [shape=(clips, dims)]
        Embeddings.
    y, share, generator
        See :func:`statex`.

    Returns
    -------
    Tensor, Tensor
        Of the shapes ``(clips, dims)`` and ``(clips, 3 classes)``.

    References
    ----------
    K. Wilkinghoff, "Self-supervised learning for anomalous sound detection", ICASSP 2024.
    """
    changed, other = _drawn(len(x), share, generator)
    taken = changed.to(x.device)[:, None] & (torch.arange(x.shape[1], device=x.device) >= x.shape[1] // 2)
    return torch.where(taken, x[other.to(x.device)], x), expanded(y, changed, other)


def expanded(y: Tensor, changed: Tensor, other: Tensor) -> Tensor:
    """Write labels ``(clips, classes)`` over three times the classes."""
    changed, other = changed.to(y.device)[:, None], other.to(y.device)
    return torch.cat([y * ~changed, y / 2 * changed, y[other] / 2 * changed], dim=1)


def _drawn(clips: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.rand(clips, generator=generator) < share, torch.randperm(clips, generator=generator)
