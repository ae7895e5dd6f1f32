"""A tuned encoder from first weights to a file and back: what merges is plain weights, the rest tells its own shape."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from asd.classifiers.params import Tuned
from asd.classifiers.tuning import groups as adapters
from asd.classifiers.tuning import lora
from asd.clips import training
from asd.encoders.batches import apply
from asd.features.store import FeatureStore

MEMBER, CENTRES = "group_of.", "group_centres"  # of tensors that are no weights
WRAPPED = ".base"  # in a layer's name, once for each wrapping


class Groups(NamedTuple):
    """Which machines are of which group.

    Attributes
    ----------
    of : mapping of str to int
    centres : np.ndarray [shape=(groups, dims)]
        Mean direction of each, by the shared path.
    """

    of: Mapping[str, int]
    centres: np.ndarray


def tune(network: nn.Module, params: Tuned, groups: Mapping[str, int], seed: int) -> None:
    """Put LoRA and the adapters of groups into a network, in place, as far as they are asked for."""
    if params.fine_tune == "lora":
        lora.install(network, params, seed)
    if groups:
        adapters.install(network, max(groups.values()) + 1, params.bottleneck, seed)


def stored(network: nn.Module, groups: Groups | None) -> dict[str, Tensor]:
    """Merge what merges and give all tensors: plain weights, or what :func:`restore` makes the network from again."""
    lora.merge(network)
    tensors = dict(network.cpu().state_dict())
    if groups is not None:
        tensors |= {MEMBER + machine: torch.tensor(number) for machine, number in groups.of.items()}
        tensors[CENTRES] = torch.from_numpy(groups.centres)
    return tensors


def restore(network: nn.Module, tensors: Mapping[str, Tensor]) -> Groups | None:
    """Fill a plain network, in place, with what :func:`stored` gave; give its groups, if it has some."""
    weights = {name: value for name, value in tensors.items() if name != CENTRES and not name.startswith(MEMBER)}
    for name in [name.removesuffix(".gate") for name in weights if name.endswith(".gate")]:
        (branches, rank, _), place = weights[f"{name}.a"].shape, name.replace(WRAPPED, "")
        network.set_submodule(place, lora.LoRA(network.get_submodule(place), branches, rank, "gated"))  # type: ignore[arg-type]
    for name in [name.removesuffix(".down") for name in weights if name.endswith(".down")]:
        layer = network.get_submodule(name)
        network.set_submodule(name, adapters.GroupAdapter(layer, *weights[f"{name}.down"].shape))
    network.load_state_dict(weights)
    if CENTRES not in tensors:
        return None
    of = {name.removeprefix(MEMBER): int(tensors[name]) for name in tensors if name.startswith(MEMBER)}
    return Groups(of, tensors[CENTRES].numpy())


def extract(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    clips: pd.DataFrame,
    stores: Sequence[FeatureStore],
    device: torch.device,
) -> np.ndarray:
    """Embed clips by what :func:`stored` gave, or by plain weights; each through the adapters of its machine's group.

    A machine that was not trained on takes those of the nearest group, by the mean embedding of its own training clips;
    the shared path where it has none.

    Returns
    -------
    np.ndarray [shape=(clips, bands, dims)], float32
        Pooled over time, in the order of ``clips``.
    """
    groups = restore(network, tensors)
    network.to(device).eval()
    ids = clips["clip_id"].to_numpy()
    if groups is None:
        return apply(network, stores, list(ids), device)
    numbers = _numbers(network, groups, clips, stores, device)
    found: dict[str, np.ndarray] = {}
    for number in np.unique(numbers):
        mine = list(ids[numbers == number])
        with adapters.of_groups(network, torch.tensor([number], device=device) if number >= 0 else None):
            found.update(zip(mine, apply(network, stores, mine, device), strict=True))
    return np.stack([found[clip] for clip in ids])


def _numbers(
    network: nn.Module, groups: Groups, clips: pd.DataFrame, stores: Sequence[FeatureStore], device: torch.device
) -> np.ndarray:
    """Find the group of each clip, -1: none."""
    unseen = clips[~clips["machine"].isin(list(groups.of))]
    means = adapters.machine_means(network, stores, training(unseen), device) if len(unseen) else {}
    of = dict(groups.of) | {machine: adapters.nearest(mean, groups.centres) for machine, mean in means.items()}
    return clips["machine"].map(of).fillna(-1).to_numpy(dtype=np.int64)
