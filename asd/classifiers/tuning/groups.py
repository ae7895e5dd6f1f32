"""Machine-aware group adapters: a small bottleneck in each transformer block for each group of alike machines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.classifiers.tuning.lora import LoRA, block_layers
from asd.core.compute import torch_rng
from asd.core.errors import UserError
from asd.encoders.embedding import apply
from asd.features.store import FeatureStore

CLIPS = 16  # of a machine that stand for it


class GroupAdapter(nn.Module):
    """A layer, and behind it a bottleneck for each group of machines: ``y = h + U_g GELU(D_g h)``, ``h`` what it gives.

    U is zero at first. Clips without a group take the shared path, ``y = h``. That adapters are chosen by groups of
    machines is Han et al.'s; where they sit, their size and how groups are made is not openly published: bottlenecks
    behind the perceptrons are Houlsby et al.'s, the groups ours (:func:`divide`).

    Parameters
    ----------
    base : nn.Module
        Gives ``(clips, tokens, dims)``.
    groups, hidden, dims : int

    References
    ----------
    B. Han et al., arXiv 2508.12230; N. Houlsby et al., "Parameter-efficient transfer learning for NLP", ICML 2019.
    """

    def __init__(self, base: nn.Module, groups: int, hidden: int, dims: int) -> None:
        super().__init__()
        like = next(base.parameters())
        self.base = base
        self.down = nn.Parameter(like.new_zeros(groups, hidden, dims))
        self.up = nn.Parameter(like.new_zeros(groups, dims, hidden))
        self.numbers: Tensor | None = None  # (clips,): the group of each clip of the batch

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise D at random, evenly up to the inverse root of the inputs."""
        with torch.no_grad():
            self.down.uniform_(-1, 1, generator=generator).mul_(self.down.shape[2] ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(clips * windows, tokens, ...)``."""
        y = self.base(x)
        if self.numbers is None:
            return y
        group = self.numbers.to(x.device).repeat_interleave(len(x) // len(self.numbers))  # (clips * windows,)
        narrow = F.gelu(y @ self.down[group].transpose(1, 2))  # (clips * windows, tokens, hidden)
        return y + narrow @ self.up[group].transpose(1, 2)  # (clips * windows, tokens, dims)


def install(network: nn.Module, groups: int, hidden: int, seed: int) -> None:
    """Put adapters of so many groups into all blocks of a network, in place.

    Parameters
    ----------
    network : nn.Module
    groups, hidden : int
        Number of groups, dimensions within an adapter.
    seed : int
        Of the initial weights.

    Raises
    ------
    UserError
        Where there are no blocks.
    """
    names = [block[-1] for block in block_layers(network)]
    if not names:
        raise UserError(f"train.groups: {type(network).__name__} is no transformer, set it to 0")
    for name in names:
        layer = network.get_submodule(name)
        linear = layer.base if isinstance(layer, LoRA) else layer
        adapter = GroupAdapter(layer, groups, hidden, linear.out_features)  # type: ignore[arg-type]
        adapter.initialise(torch_rng(seed, "groups", name))
        network.set_submodule(name, adapter)


@contextmanager
def of_groups(network: nn.Module, numbers: Tensor | None) -> Iterator[None]:
    """Set the groups of the clips that a network is called with.

    Parameters
    ----------
    network : nn.Module
    numbers : Tensor [shape=(clips,)], int, or None
        None: the shared path.
    """
    adapters = [part for part in network.modules() if isinstance(part, GroupAdapter)]
    for adapter in adapters:
        adapter.numbers = numbers
    try:
        yield
    finally:
        for adapter in adapters:
            adapter.numbers = None


def machine_means(
    network: nn.Module, stores: Sequence[FeatureStore], clips: pd.DataFrame, device: torch.device
) -> dict[str, np.ndarray]:
    """Embed some clips of each machine, normal ones first, by the shared path; give its mean direction ``(dims,)``."""
    ordered = clips.assign(supplement=clips["kind"] != "machine").sort_values(["machine", "supplement", "clip_id"])
    some = ordered.groupby("machine").head(CLIPS)
    if some.empty:
        return {}
    training = network.training
    embeddings = apply(network.to(device).eval(), stores, list(some["clip_id"]), device).reshape(len(some), -1)
    network.train(training)
    means = pd.DataFrame(embeddings.astype(np.float64)).groupby(some["machine"].to_numpy()).mean()
    return {str(machine): _direction(mean) for machine, mean in zip(means.index, means.to_numpy(), strict=True)}


def divide(groups: int | Sequence[str], means: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Divide machines into groups.

    Parameters
    ----------
    groups : int or sequence of str
        How many there shall be, by Ward's clustering of ``means``; or the groups themselves, machines joined by ``+``.
    means : mapping of str to np.ndarray
        Mean direction of each machine's training clips; see :func:`machine_means`.

    Returns
    -------
    dict of str to int
        The group of every machine. One that is in no group that is given is put to the nearest.

    Raises
    ------
    UserError
        Where a group that is given names no machine of the training clips.
    """
    machines = sorted(means)
    if isinstance(groups, int):
        numbers = _clusters(np.stack([means[m] for m in machines]), groups)
        return dict(zip(machines, numbers, strict=True))
    given = {machine: number for number, group in enumerate(groups) for machine in group.split("+")}
    if unknown := sorted(given.keys() - set(machines)):
        raise UserError(f"train.groups names {unknown[0]}: the training clips are of {', '.join(machines)}")
    centres = centres_of(given, means)
    return {machine: given.get(machine, nearest(means[machine], centres)) for machine in machines}


def _clusters(means: np.ndarray, count: int) -> list[int]:
    """Cluster directions; numbers are in the order of first members."""
    if len(means) == 1:
        return [0]
    from scipy.cluster.hierarchy import fcluster, linkage  # all that train or embed start a third of a second sooner

    numbers = fcluster(linkage(means, "ward"), count, "maxclust").tolist()
    order = list(dict.fromkeys(numbers))
    return [order.index(number) for number in numbers]


def centres_of(groups: Mapping[str, int], means: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give the mean direction of each group's machines, ``(groups, dims)``."""
    numbers = range(max(groups.values()) + 1)
    return np.stack([_direction(np.mean([means[m] for m, g in groups.items() if g == n], axis=0)) for n in numbers])


def nearest(mean: np.ndarray, centres: np.ndarray) -> int:
    """Give the group whose centre a machine's mean direction is nearest to."""
    return int((centres @ mean).argmax())


def _direction(mean: np.ndarray) -> np.ndarray:
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
