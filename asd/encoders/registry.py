"""Architecture name -> network."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from asd.artifacts import read_json, write_json, write_with
from asd.compute import rng
from asd.encoders.params import EncoderBlock, EncoderParams, SEResNet18, Tiny
from asd.errors import UserError
from asd.section import checked

WEIGHTS, DESCRIPTION = "weights.safetensors", "encoder.json"
NETWORKS = {
    "pooled_mel": "asd.encoders.pooled_mel:PooledMelEncoder",
    "dense": "asd.encoders.dense:DenseAutoencoder",
    "se_resnet18": "asd.encoders.se_resnet:SEResNet18Encoder",
    "tiny": "asd.encoders.vit:ViTEncoder",
}


def create_encoder(params: EncoderBlock, bands: int, seed: int = 0) -> nn.Module:
    """Make a network with first weights that depend on ``seed`` and the architecture alone.

    Parameters
    ----------
    params : EncoderBlock
        Its block of params.yaml.
    bands : int
        Frequency bands of its front end.
    seed : int
        Of the weights.

    Returns
    -------
    nn.Module
        In evaluation mode. Called with features ``(clips, rows, bands)`` it gives embeddings
        ``(clips, bands', dims)``, pooled over time; all networks but ``dense``, which gives reconstructions.
    """
    architecture: str = params.architecture  # type: ignore[attr-defined]
    module, name = NETWORKS[architecture].split(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "weights", architecture).integers(2**63)))
        network: nn.Module = getattr(import_module(module), name)(bands, **options(params))
    return network.eval()


def options(params: EncoderBlock) -> dict[str, int]:
    """Pick what the network's constructor takes besides the number of bands."""
    if isinstance(params, SEResNet18):
        return {"width": params.width}
    if isinstance(params, Tiny):
        return {"dims": params.dims, "depth": params.depth, "heads": params.heads, "frames": params.frames}
    return {}


def write_encoder(folder: Path, network: nn.Module, params: EncoderBlock, bands: int) -> None:
    """Write a network's weights and what is needed to make it again."""
    save_tensors(dict(network.state_dict()), folder / WEIGHTS)
    write_json(folder / DESCRIPTION, {"bands": bands, "encoder": params.model_dump()})


def read_encoder(folder: Path) -> nn.Module:
    """Read what :func:`write_encoder` wrote."""
    network = recreate(read_json(folder / DESCRIPTION))
    network.load_state_dict(load_tensors(folder / WEIGHTS))
    return network


def recreate(description: dict[str, Any]) -> nn.Module:
    """Make a network, without its weights, from its description."""
    return create_encoder(checked(EncoderParams, description["encoder"]).root, description["bands"])


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
