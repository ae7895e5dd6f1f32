"""Faster arithmetic for embedding large sets: bfloat16, or eight-bit weights."""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

Embed = Callable[[Tensor], Tensor]


def at_precision(network: nn.Module, precision: str) -> Embed:
    """Make a copy of a network that computes at a precision; the network itself stays as it is.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, in float32.
    precision : str
        ``float32``; ``bfloat16``: weights and activations have eight bits of mantissa, faster where the processor or
        the GPU computes with them; ``int8``: the weights of linear layers have eight bits, activations are rounded
        as they come (dynamic quantisation), on the CPU alone.

    Returns
    -------
    callable
        Takes ``(clips, n_frames, n_features)``, gives float32.
    """
    if precision == "bfloat16":
        half = copy.deepcopy(network).bfloat16()
        return lambda x: half(x.bfloat16()).float()
    if precision == "int8":
        with warnings.catch_warnings(action="ignore"):  # torch announces another home for it
            small = torch.ao.quantization.quantize_dynamic(copy.deepcopy(network).cpu(), {nn.Linear}, torch.qint8)
        return lambda x: small(x.cpu())
    return network
