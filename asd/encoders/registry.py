"""Architecture name -> network, with drawn or given weights."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from asd.base.artifacts import read_json, write_json, write_with
from asd.base.compute import rng
from asd.base.errors import UserError
from asd.base.section import checked
from asd.encoders.adaptation_module import with_module
from asd.encoders.encoder import Encoder
from asd.encoders.params import (
    AdaptationModuleParams,
    DualBranch,
    EncoderBlock,
    EncoderParams,
    MelBands,
    PublishedEncoder,
    SEResNet18,
    Texture,
    Tiny,
    TokenBlock,
)
from asd.encoders.pooling import create_pooling
from asd.encoders.published import PUBLISHED

WEIGHTS, DESCRIPTION = "weights.safetensors", "encoder.json"
TRAINED = ("attentive_statistics",)  # kinds of pooling that have weights
NETWORKS = {
    "texture": "asd.encoders.texture:Texture",
    "pooled_mel": "asd.encoders.pooled_mel:PooledMelEncoder",
    "mel_bands": "asd.encoders.mel_bands:MelBands",
    "dense": "asd.encoders.dense:DenseAutoencoder",
    "se_resnet18": "asd.encoders.se_resnet:SEResNet18Encoder",
    "dual_branch": "asd.encoders.dual_branch:DualBranch",
    "eat": "asd.encoders.vit:ViTEncoder",
    "beats": "asd.encoders.beats:BEATs",
    "dasheng": "asd.encoders.dasheng:Dasheng",
    "efficientat": "asd.encoders.efficientat:EfficientAT",
    "wavlm": "asd.encoders.speech:WavLM",
    "hubert": "asd.encoders.speech:HuBERT",
}


def create_encoder(
    params: EncoderBlock | str, bands: int | None = None, seed: int = 0, weights: Path | str | None = None
) -> nn.Module:
    """Make a network: ``create_encoder("eat_base", weights=path)``.

    Parameters
    ----------
    params : EncoderBlock or str
        Its block of params.yaml, or the name of an architecture, which is taken as it was published.
    bands : int
        Frequency bands of its front end. None: those of the published one, or 128.
    seed : int
        Of the first weights, which depend on it and the architecture alone.
    weights : Path or str
        A safetensors file with the network's own names, such as :func:`asd.encoders.weights.get` gives; None: the
        first weights are drawn.

    Returns
    -------
    nn.Module
        In evaluation mode. Called with features ``(clips, rows, bands)`` it gives embeddings
        ``(clips, bands', dims)``, pooled over time; all networks but ``dense``, which gives reconstructions.

    Raises
    ------
    UserError
        Where the name is unknown, the front end does not fit or the weights are another network's.
    """
    if isinstance(params, str):
        params = checked(
            EncoderParams, {"architecture": params, "features": ""}, "encoder", Path("create_encoder")
        ).root
    architecture: str = params.architecture  # type: ignore[attr-defined]
    name, chosen = network_of(params)
    module, kind = NETWORKS[name].split(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "weights", architecture).integers(2**63)))
        network: nn.Module = getattr(import_module(module), kind)(_bands(architecture, bands), **chosen)
        if isinstance(network, Encoder) and isinstance(params, TokenBlock):
            _choose(network, params, architecture)
    if weights is not None:
        load_weights(network, load_tensors(Path(weights)), str(weights))
    return network.eval()


def network_of(params: EncoderBlock) -> tuple[str, dict[str, Any]]:
    """Find the key of :data:`NETWORKS` and what the constructor takes besides the number of bands."""
    if isinstance(params, PublishedEncoder):
        entry = PUBLISHED[params.architecture]
        return entry.network, dict(entry.options)
    if isinstance(params, Tiny):
        return "eat", params.model_dump(exclude={"architecture", *TokenBlock.model_fields})
    if isinstance(params, MelBands):
        return "mel_bands", {"tokens": params.tokens}
    if isinstance(params, Texture):
        return "texture", {"banks": params.banks}
    if isinstance(params, SEResNet18):
        return "se_resnet18", {"width": params.width}
    if isinstance(params, DualBranch):
        return "dual_branch", params.model_dump(exclude={"architecture", *EncoderBlock.model_fields})
    return params.architecture, {}  # type: ignore[attr-defined]


def _bands(architecture: str, bands: int | None) -> int:
    entry = PUBLISHED.get(architecture)
    if entry and bands not in (None, entry.bands):
        raise UserError(f"{architecture} hears {entry.bands} bands, not {bands}: give it a {entry.front_end} front end")
    return bands or (entry.bands if entry else 128)


def _choose(network: Encoder, params: TokenBlock, architecture: str) -> None:
    """Set the layers and the pooling of an encoder of tokens."""
    if too_deep := [layer for layer in params.layers if layer > network.depth]:
        raise UserError(f"{architecture} has no layer {too_deep[0]}: it has {network.depth}")
    pooling = params.pooling
    if pooling.kind == "cls" and not network.has_cls:
        raise UserError(f"{architecture} has no class token: choose another pooling than cls")
    if not network.even and set(params.layers) - {network.depth} and (pooling.per_band or pooling.kind in TRAINED):
        raise UserError(f"{architecture}'s layers differ in shape: pool one of them, or all bands, by another kind")
    network.chosen, network.precision = tuple(params.layers), params.precision
    network.pool = create_pooling(params.pooling, network.dims)


def load_weights(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Fill a network; see :func:`check_fit`."""
    check_fit(network, tensors, where)
    network.load_state_dict(dict(network.state_dict()) | tensors)


def check_fit(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Refuse tensors that are not a network's own, all of them; those of the pooling may be missing.

    Raises
    ------
    UserError
        Naming the first tensor that does not fit.
    """
    own = network.state_dict()
    wanted = {name: tuple(own[name].shape) for name in own if name in tensors or not name.startswith("pool.")}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        has, wants = (some.get(wrong[0], "absent") for some in (found, wanted))
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise UserError(f"{where}: {wrong[0]} is {has}, wanted is {wants}{more}: these are other weights")


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
    network = create_encoder(checked(EncoderParams, description["encoder"]).root, description["bands"])
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
