"""Which clips stand together in a batch: any, two views of each, or pairs of a class."""

import numpy as np
import torch
from torch import Tensor


def length(clips: int, sampler: str) -> int:
    """Count the clips that are drawn until all have been, of so many."""
    return {"shuffled": clips, "views": 2 * clips, "pairs": clips // 2 * 2}[sampler]


def arranged(order: Tensor, classes: np.ndarray, sampler: str, generator: torch.Generator) -> Tensor:
    """Put together what shall be in one batch of even size.

    Parameters
    ----------
    order : Tensor [shape=(clips,)], int
        Drawn clips.
    classes : np.ndarray [shape=(all clips,)], int
    sampler : str
        ``shuffled``: as they are. ``views``: each twice, one behind the other. ``pairs``: two clips of one class
        behind each other, the pairs in drawn order; the last clip of an odd class stands beside another one of it, or
        itself where there is none.

    Returns
    -------
    Tensor [shape=(:func:`length`,)]
    """
    if sampler == "shuffled":
        return order
    if sampler == "views":
        return order.repeat_interleave(2)
    pairs = []
    own = classes[order.numpy()]
    for kind in np.unique(own):
        clips = order[torch.from_numpy(own == kind)]
        pairs.append(torch.cat([clips, clips[:1]])[: len(clips) + len(clips) % 2].view(-1, 2))
    together = torch.cat(pairs)
    drawn = together[torch.randperm(len(together), generator=generator)]
    return drawn.flatten()[: length(len(order), sampler)]
