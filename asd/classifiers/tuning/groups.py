"""Machine-aware group adapters: a small bottleneck in each transformer block for each group of alike machines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.base.compute import torch_rng
from asd.base.errors import UserError
from asd.classifiers.tuning.lora import BLOCK
from asd.encoders.batches import apply
from asd.features.store import FeatureStore

LAST = re.compile(f"{BLOCK}(?:mlp\\.2|mlp\\.fc2|fc2)$")  # layer of a block's perceptron
CLIPS = 16  # of a machine that stand for it


class GroupAdapter(nn.Module):
    """A layer, and behind it a bottleneck for each group of machines: ``y = h + U_g GELU(D_g h)``, ``h`` what it gives.

    U is zero at first. Clips without a group take the shared path, ``y = h``. That adapters are chosen by groups of
    machines is Han et al.'s; where they sit, their size and how groups are found is not openly published: bottlenecks
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

    def draw(self, generator: torch.Generator) -> None:
        """Draw D, evenly up to the inverse root of the inputs."""
        with torch.no_grad():
            self.down.uniform_(-1, 1, generator=generator).mul_(self.down.shape[2] ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(clips * windows, tokens, ...)``."""
        y = self.base(x)
        if self.numbers is None:
            return y
        own = self.numbers.repeat_interleave(len(x) // len(self.numbers))
        return y + F.gelu(y @ self.down[own].transpose(1, 2)) @ self.up[own].transpose(1, 2)


def install(network: nn.Module, groups: int, hidden: int, seed: int) -> None:
    """Put adapters of so many groups into all blocks of a network, in place.

    Raises
    ------
    UserError
        Where there are no blocks.
    """
    layers = [(name, layer) for name, layer in network.named_modules() if LAST.search(name)]
    if not layers:
        raise UserError(f"train.groups: {type(network).__name__} is no transformer, set it to 0")
    for name, layer in layers:
        dims = getattr(layer, "base", layer).out_features
        adapter = GroupAdapter(layer, groups, hidden, dims)  # type: ignore[arg-type]
        adapter.draw(torch_rng(seed, "groups", name))
        network.set_submodule(name, adapter)


@contextmanager
def of_groups(network: nn.Module, numbers: Tensor | None) -> Iterator[None]:
    """Tell the adapters the group of each clip that a network is called with, ``(clips,)``; None: the shared path."""
    adapters = [part for part in network.modules() if isinstance(part, GroupAdapter)]
    for adapter in adapters:
        adapter.numbers = numbers
    yield
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
        How many are to be found, by Ward's clustering of ``means``; or the groups themselves, machines joined by ``+``.
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
        found = _clusters(np.stack([means[m] for m in machines]), groups)
        return dict(zip(machines, found, strict=True))
    given = {machine: number for number, own in enumerate(groups) for machine in own.split("+")}
    if unknown := sorted(given.keys() - set(machines)):
        raise UserError(f"train.groups names {unknown[0]}: the training clips are of {', '.join(machines)}")
    centres = centres_of(given, means)
    return {machine: given.get(machine, nearest(means[machine], centres)) for machine in machines}


def _clusters(means: np.ndarray, count: int) -> list[int]:
    """Cluster directions; numbers are in the order of first members."""
    if len(means) == 1:
        return [0]
    from scipy.cluster.hierarchy import fcluster, linkage  # all that train or embed start a third of a second sooner

    found = fcluster(linkage(means, "ward"), count, "maxclust").tolist()
    order = list(dict.fromkeys(found))
    return [order.index(own) for own in found]


def centres_of(groups: Mapping[str, int], means: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give the mean direction of each group's machines, ``(groups, dims)``."""
    numbers = range(max(groups.values()) + 1)
    return np.stack([_direction(np.mean([means[m] for m, g in groups.items() if g == n], axis=0)) for n in numbers])


def nearest(mean: np.ndarray, centres: np.ndarray) -> int:
    """Give the group whose centre a machine's mean direction is nearest to."""
    return int((centres @ mean).argmax())


def _direction(mean: np.ndarray) -> np.ndarray:
    return mean / max(float(np.linalg.norm(mean)), 1e-12)
