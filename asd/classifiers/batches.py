"""The batches of a classifier: which clips, what of each, with what noise, augmented how.

All is drawn per (seed, epoch, ...): the same after any interruption and for any number of processes.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from asd.base.compute import rng, torch_rng
from asd.classifiers.augmentations.noise import add_noise, unit_of
from asd.classifiers.augmentations.registry import OF_FEATURES, augment
from asd.classifiers.material import Material
from asd.classifiers.params import Classification
from asd.classifiers.sampler import arranged
from asd.classifiers.task import Task
from asd.encoders.training import crop


def batches(task: Task, material: Material, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Draw the batches of an epoch: features ``(clips, rows, bands)``, soft labels ``(clips, classes)``, which clips.

    A rest of a single clip is left out, since batch normalisation needs two.
    """
    params = task.params
    assert isinstance(params, Classification)
    clip_ids = list(material.clips["clip_id"])
    rows = params.crop or max(task.store.rows(c) for c in clip_ids)
    generator = torch_rng(task.seed, "batches", epoch)
    order = epoch_order(material.clips["domain"].to_numpy(), params.target_share, generator)
    order = arranged(order, material.labels.argmax(dim=1).numpy(), params.sampler, generator)
    for place, index in enumerate(order.split(params.batch)):
        if len(index) < 2:
            continue
        draws = [rng(task.seed, "crop", epoch, place, i) for i in range(len(index))]
        x = _cut(task, [clip_ids[i] for i in index], rows, draws)
        x = task.store.normalised(_with_noise(x, material, index, rows, draws, task))
        yield *augment(OF_FEATURES, torch.from_numpy(x), material.labels[index], params, generator), index


def epoch_order(domain: np.ndarray, target_share: float, generator: torch.Generator) -> Tensor:
    """Draw the clips of an epoch, as many as there are.

    Every clip comes once; or so many target clips, each as often as the others, that they are ``target_share`` of the
    epoch, and fewer of the rest. Where there are more of them, or none, or nothing else, nothing is changed.
    """
    order = torch.randperm(len(domain), generator=generator)
    target = torch.from_numpy(domain == "target")[order]
    wanted = round(target_share * len(domain))
    if not target.sum() or target.all() or wanted <= target.sum():
        return order
    repeated = order[target].repeat(-(-wanted // int(target.sum())))[:wanted]
    both = torch.cat([repeated, order[~target][: len(domain) - wanted]])
    return both[torch.randperm(len(both), generator=generator)]


def _cut(task: Task, clip_ids: list[str], rows: int, draws: list[np.random.Generator]) -> np.ndarray:
    return np.stack([crop(task.store[clip], rows, draw) for clip, draw in zip(clip_ids, draws, strict=True)])


def _with_noise(
    x: np.ndarray, material: Material, index: Tensor, rows: int, draws: list[np.random.Generator], task: Task
) -> np.ndarray:
    """Add noise-only clips to a share of those that are none, at drawn signal-to-noise ratios."""
    params = task.params
    assert isinstance(params, Classification)
    if not params.noise_mix:
        return x
    clips = material.clips.iloc[index.numpy()]
    mixed = np.array([draw.random() for draw in draws]) < params.noise_mix
    mixed &= (clips["kind"] != "noise").to_numpy()
    if not mixed.any():
        return x
    own = [draw for draw, chosen in zip(draws, mixed, strict=True) if chosen]
    pools = [material.noise_for(machine) for machine in clips.loc[mixed, "machine"]]
    noise = _cut(task, [str(draw.choice(pool)) for draw, pool in zip(own, pools, strict=True)], rows, own)
    snr = torch.tensor([draw.uniform(params.snr_low, params.snr_high) for draw in own], dtype=torch.float32)
    unit = unit_of(task.store.description)
    x[mixed] = add_noise(torch.from_numpy(x[mixed]), torch.from_numpy(noise), snr, unit).numpy()
    return x
