"""A fine-tuned encoder from initial weights to tensors and back: LoRA is merged where it can be."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from asd.classifiers.params import FineTuneParams
from asd.classifiers.tuning import groups as adapters
from asd.classifiers.tuning import lora
from asd.core.clips import training
from asd.encoders.embedding import apply
from asd.encoders.networks import recreate
from asd.features.store import FeatureStore

MEMBER, CENTRES = "group_of.", "group_centres"  # names of tensors that are no weights


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


def tune(network: nn.Module, params: FineTuneParams, groups: Mapping[str, int], seed: int) -> None:
    """Put LoRA and the adapters of groups into a network, in place, as far as they are asked for.

    Parameters
    ----------
    network : nn.Module
    params : FineTuneParams
    groups : mapping of str to int
        Group of each machine; empty: no adapters.
    seed : int
        Of the initial weights.
    """
    if params.fine_tune == "lora":
        lora.install(network, params, seed)
    if groups:
        adapters.install(network, max(groups.values()) + 1, params.bottleneck, seed)


def stored(network: nn.Module, groups: Groups | None) -> dict[str, Tensor]:
    """Merge what merges and give all tensors: plain weights, or what :func:`restore` makes the network from again.

    Parameters
    ----------
    network : nn.Module
        On the CPU afterwards.
    groups : Groups or None

    Returns
    -------
    dict of str to Tensor
        Weights by name; ``group_of.<machine>`` and ``group_centres`` where there are groups.
    """
    lora.merge(network)
    tensors = dict(network.cpu().state_dict())
    if groups is not None:
        tensors |= {MEMBER + machine: torch.tensor(number) for machine, number in groups.of.items()}
        tensors[CENTRES] = torch.from_numpy(groups.centres)
    return tensors


def restore(network: nn.Module, tensors: Mapping[str, Tensor], params: FineTuneParams) -> Groups | None:
    """Fill a plain network, in place, with what :func:`stored` gave.

    Parameters
    ----------
    network : nn.Module
        As it was before :func:`tune`.
    tensors : mapping of str to Tensor
    params : FineTuneParams
        Those of :func:`tune`.

    Returns
    -------
    Groups or None
        None where there are no adapters of groups.
    """
    of = {name.removeprefix(MEMBER): int(value) for name, value in tensors.items() if name.startswith(MEMBER)}
    if params.fine_tune == "lora" and params.mixing != "gated":  # merged
        params = params.model_copy(update={"fine_tune": "full"})
    tune(network, params, of, seed=0)
    network.load_state_dict({n: v for n, v in tensors.items() if n != CENTRES and not n.startswith(MEMBER)})
    return Groups(of, tensors[CENTRES].numpy()) if of else None


def embed_tuned(
    description: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    clips: pd.DataFrame,
    stores: Sequence[FeatureStore],
    device: torch.device,
) -> np.ndarray:
    """Embed clips, each through the adapters of its machine's group if there are some.

    A machine that was not trained on takes those of the nearest group, by the mean embedding of its own training clips;
    the shared path where it has none.

    Parameters
    ----------
    description, tensors, clips, stores, device
        See :meth:`asd.classifiers.params.Objective.embed`; without ``fine_tune`` in the description the tensors are
        plain weights.

    Returns
    -------
    np.ndarray [shape=(clips, bands, dims)], float32
        Pooled over time, in the order of ``clips``.
    """
    network = recreate(dict(description))
    groups = restore(network, tensors, FineTuneParams.model_validate(description.get("fine_tune", {})))
    network.to(device).eval()
    ids = clips["clip_id"].to_numpy()
    if groups is None:
        return apply(network, stores, list(ids), device)
    numbers = _numbers(network, groups, clips, stores, device)
    embeddings: dict[str, np.ndarray] = {}
    for number in np.unique(numbers):
        mine = list(ids[numbers == number])
        with adapters.of_groups(network, torch.tensor([number], device=device) if number >= 0 else None):
            embeddings.update(zip(mine, apply(network, stores, mine, device), strict=True))
    return np.stack([embeddings[clip] for clip in ids])


def _numbers(
    network: nn.Module, groups: Groups, clips: pd.DataFrame, stores: Sequence[FeatureStore], device: torch.device
) -> np.ndarray:
    """Give the group of each clip, -1: none."""
    unseen = clips[~clips["machine"].isin(list(groups.of))]
    means = adapters.machine_means(network, stores, training(unseen), device) if len(unseen) else {}
    of = dict(groups.of) | {machine: adapters.nearest(mean, groups.centres) for machine, mean in means.items()}
    return clips["machine"].map(of).fillna(-1).to_numpy(dtype=np.int64)
