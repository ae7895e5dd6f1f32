"""From the tensors of a published file to a network's own, by name; nothing is left over silently."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from asd.base.errors import UserError

EAT_NAMES = (  # pattern in the published file, our name
    (r"^model\.", ""),
    (r"^local_encoder\.proj\.", "patches."),
    (r"^extra_tokens$", "cls"),
    (r"^pre_norm\.", "norm."),
    (r"^fixed_positional_encoder\.positions$", "positions"),
    (r"\.attn\.qkv\.", ".qkv."),
    (r"\.attn\.proj\.", ".project."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
)


def to_own(layout: str, content: Mapping[str, Any], where: str) -> dict[str, Tensor]:
    """Name the tensors of a published file as the network does.

    Parameters
    ----------
    layout : str
        Key of :data:`LAYOUTS`.
    content : mapping
        What was read from the file.
    where : str
        The file, for messages.

    Raises
    ------
    UserError
        Where the file is not laid out like that.
    """
    try:
        own = LAYOUTS[layout](content)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where} is not laid out as the published file ({error}): download it again") from None
    if strange := [name for name, value in own.items() if not isinstance(value, Tensor)]:
        raise UserError(f"{where}: {strange[0]} is no tensor: these are other weights")
    return own


def _eat(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' safetensors."""
    return {_renamed(name): value for name, value in content.items()}


def _renamed(name: str) -> str:
    for pattern, own in EAT_NAMES:
        name = re.sub(pattern, own, name)
    return name


def _beats(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Unwrap the model; the relative positions are one tensor, written under the names of all layers."""
    tensors = dict(content["model"])
    shared = [name for name in tensors if name.endswith("relative_attention_bias.weight")]
    for name in shared[1:]:
        if torch.equal(tensors[name], tensors[shared[0]]):  # else it is left, and refused as a tensor too many
            del tensors[name]
    return tensors


def _dasheng(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Unwrap the model; window and filters of its spectrogram are the front end's."""
    return {name: value for name, value in content["model"].items() if name not in DASHENG_FRONT_END}


def _torchaudio(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Put the tensors behind ``model``; the files name normalised weights as torch did before 2.0."""
    newer = {"conv.weight_g": "conv.parametrizations.weight.original0"}
    newer["conv.weight_v"] = "conv.parametrizations.weight.original1"
    return {_replaced(f"model.{name}", newer): value for name, value in content.items()}


def _replaced(name: str, newer: Mapping[str, str]) -> str:
    return next((name.replace(old, new) for old, new in newer.items() if name.endswith(old)), name)


DASHENG_FRONT_END = ("front_end.0.spectrogram.window", "front_end.0.mel_scale.fb")
LAYOUTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Tensor]]] = {
    "eat": _eat,
    "beats": _beats,
    "dasheng": _dasheng,
    "own": dict,
    "torchaudio": _torchaudio,
}
