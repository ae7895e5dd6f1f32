"""Encoders made from their blocks of params.yaml, with random or given weights; written and read."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from asd.core.artifacts import read_json, write_json, write_with
from asd.core.compute import rng
from asd.core.errors import UserError
from asd.core.section import checked
from asd.encoders.adaptation_module import with_module
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import (
    DESCRIPTION,
    AdaptationModuleParams,
    EncoderBlock,
    EncoderParams,
    TokenBlock,
)
from asd.encoders.pooling import create_pooling
from asd.encoders.published import PUBLISHED

WEIGHTS = "weights.safetensors"


def create_encoder(
    params: EncoderBlock | str, n_features: int | None = None, seed: int = 0, weights: Path | str | None = None
) -> nn.Module:
    """Make a network.

    Parameters
    ----------
    params : EncoderBlock or str
        Its block of params.yaml, or the name of an architecture, which is taken as it was published.
    n_features : int
        Width of its front end's rows. None: that of the published one, or 128.
    seed : int
        Of the first weights, which depend on it and the architecture alone.
    weights : Path or str
        A safetensors file with the network's own names, such as :func:`asd.encoders.weights.get` gives; None: the
        weights are randomly initialised.

    Returns
    -------
    nn.Module
        In evaluation mode. Called with features ``(clips, frames, n_features)`` it gives embeddings
        ``(clips, bands', dims)``, pooled over time; all networks but ``dense``, which gives reconstructions.

    Raises
    ------
    UserError
        Where the name is unknown, the front end does not fit or the weights are another network's.

    Examples
    --------
    >>> network = create_encoder("tiny", n_features=128)
    >>> network(torch.zeros(2, 112, 128)).shape
    torch.Size([2, 1, 128])
    """
    if isinstance(params, str):
        params = checked(
            EncoderParams, {"architecture": params, "features": ""}, "encoder", Path("create_encoder")
        ).root
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "weights", params.architecture).integers(2**63)))
        network: nn.Module = params.network(_width(params.architecture, n_features), **params.keywords())
        if isinstance(network, Encoder) and isinstance(params, TokenBlock):
            _choose(network, params)
    if weights is not None:
        load_weights(network, load_tensors(Path(weights)), str(weights))
    return network.eval()


def _width(architecture: str, n_features: int | None) -> int:
    """Check the width of the front end's rows, or give the usual one."""
    entry = PUBLISHED.get(architecture)
    if entry and n_features not in (None, entry.n_features):
        takes = f"{entry.n_features} features, not {n_features}: give it a {entry.front_end} front end"
        raise UserError(f"{architecture} takes {takes}")
    return n_features or (entry.n_features if entry else 128)


def _choose(network: Encoder, params: TokenBlock) -> None:
    """Set the layers and the pooling of an encoder of tokens, which its block holds to fit."""
    network.chosen, network.precision = tuple(params.layers), params.precision
    network.pool = create_pooling(params.pooling, network.dims)


def load_weights(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Fill a network with tensors that must all fit; see :func:`check_fit`."""
    check_fit(network, tensors, where)
    network.load_state_dict(dict(network.state_dict()) | tensors)


def check_fit(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Refuse tensors that are not a network's own, all of them; those of the pooling may be missing.

    Parameters
    ----------
    network : nn.Module
    tensors : dict of str to Tensor
    where : str
        Their file, for the message.

    Raises
    ------
    UserError
        Naming the first tensor that does not fit.
    """
    state = network.state_dict()
    wanted = {name: tuple(state[name].shape) for name in state if name in tensors or not name.startswith("pool.")}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    if wrong := sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name)):
        has, wants = (some.get(wrong[0], "absent") for some in (given, wanted))
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UserError(f"{where}: {wrong[0]} is {has}, wanted is {wants}{more}: these are other weights")


def write_encoder(folder: Path, network: nn.Module, params: EncoderBlock, n_features: int) -> None:
    """Write a network's weights and its description; see :func:`read_encoder`.

    Parameters
    ----------
    folder : Path
    network : nn.Module
    params : EncoderBlock
    n_features : int
        Width of its front end's rows.
    """
    save_tensors(dict(network.state_dict()), folder / WEIGHTS)
    write_json(folder / DESCRIPTION, describe_encoder(params, n_features))


def describe_encoder(params: EncoderBlock, n_features: int) -> dict[str, Any]:
    """Give what :func:`recreate` makes a network of: its block of params.yaml, the width of its front end's rows."""
    return {"n_features": n_features, "encoder": params.model_dump()}


def read_encoder(folder: Path) -> nn.Module:
    """Read a network that :func:`write_encoder` wrote."""
    network = recreate(read_json(folder / DESCRIPTION))
    network.load_state_dict(load_tensors(folder / WEIGHTS))
    return network


def recreate(description: dict[str, Any]) -> nn.Module:
    """Make a network, without its weights, from its description."""
    network = create_encoder(checked(EncoderParams, description["encoder"]).root, description["n_features"])
    module = description.get("adaptation_module")
    return with_module(network, checked(AdaptationModuleParams, module) if module else None)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors: the same bytes for the same content."""
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write_with(path, lambda part: save_file(plain, part))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read tensors.

    Raises
    ------
    UserError
        Where the file is missing.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: run dvc repro")
    return dict(load_file(path))
