"""The batches of a classifier: which clips, what of each, with what noise, augmented how.

All is drawn per (seed, step, ...): the same after any interruption and for any number of processes.
"""

import numpy as np
import torch
from torch import Tensor

from asd.base.compute import rng, torch_rng
from asd.classifiers.augmentations.noise import add_noise, unit_of
from asd.classifiers.augmentations.registry import OF_FEATURES, augment
from asd.classifiers.material import Material
from asd.classifiers.params import Classification
from asd.classifiers.sampler import arranged, length
from asd.classifiers.task import Task
from asd.encoders.training import crop


def batch(task: Task, material: Material, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the batch of a step: features ``(clips, rows, bands)``, soft labels ``(clips, classes)``, which clips."""
    params = task.params
    assert isinstance(params, Classification)
    index = batch_clips(material, params, task.seed, step)
    clip_ids = [material.clips["clip_id"].iloc[i] for i in index.tolist()]
    rows = params.crop or max(task.store.rows(c) for c in material.clips["clip_id"])
    draws = [rng(task.seed, "crop", step, i) for i in range(len(index))]
    x = _cut(task, clip_ids, rows, draws)
    x = task.store.normalised(_with_noise(x, material, index, rows, draws, task))
    generator = torch_rng(task.seed, "augment", step)
    return *augment(OF_FEATURES, torch.from_numpy(x), material.labels[index], params, generator), index


def batch_clips(material: Material, params: Classification, seed: int, step: int) -> Tensor:
    """Say which clips are in the batch of a step, by their places in the table.

    All clips are gone through again and again, each time in an order drawn anew. A rest of a single clip is left out,
    since batch normalisation needs two.

    Returns
    -------
    Tensor [shape=(clips of the batch,)], int
    """
    clips = length(len(material.clips), params.sampler)
    epoch, place = divmod(step, clips // params.batch + (clips % params.batch > 1))
    generator = torch_rng(seed, "batches", epoch)
    order = epoch_order(material.clips["domain"].to_numpy(), params.target_share, generator)
    order = arranged(order, material.labels.argmax(dim=1).numpy(), params.sampler, generator)
    return order.split(params.batch)[place]


def epoch_order(domain: np.ndarray, target_share: float, generator: torch.Generator) -> Tensor:
    """Draw an order of all clips, as many as there are.

    Every clip comes once; or so many target clips, each as often as the others, that they are ``target_share`` of the
    whole, and fewer of the rest. Where there are more of them, or none, or nothing else, nothing is changed.
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
