"""The clips that a classifier is trained on, and its batches: which clips, which crop of each, what is added to them.

All is drawn per (seed, step, ...): the same after any interruption and for any number of processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from asd.classifiers.augmentations import OF_FEATURES, add_noise, augment, label_classes, unit_of
from asd.classifiers.classes import SoundClass, class_list, class_targets, sound_classes
from asd.classifiers.task import Task
from asd.core.compute import rng, torch_rng
from asd.core.errors import UserError
from asd.encoders.training import crop

if TYPE_CHECKING:
    from asd.classifiers.objectives.classification import Classification

SWITCHES = "statex, featex, noise_class, dataset.auxiliary, or labels that divide it"


@dataclass(frozen=True)
class Material:
    """Clips to train on.

    Attributes
    ----------
    clips : pd.DataFrame
        Rows of the clip table.
    labels : Tensor [shape=(clips, classes)]
    hard : np.ndarray [shape=(clips,)], int
        The class that each clip is most of.
    classes : list of SoundClass
    noise : dict of list of str
        ``clip_id`` of the noise-only clips that may be added to clips, by machine; under ``""`` those of all.
    """

    clips: pd.DataFrame
    labels: Tensor
    hard: np.ndarray
    classes: list[SoundClass]
    noise: Mapping[str, list[str]]

    def noise_for(self, machine: str) -> list[str]:
        """List the machine's own noise-only clips, or everyone's where it has none."""
        return self.noise.get(machine, self.noise[""])


def gather(task: Task) -> Material:
    """Collect the clips and classes of a task whose objective is a classification.

    Raises
    ------
    UserError
        Where there is nothing to tell apart, or no noise to add.
    """
    params = cast("Classification", task.params)
    clips = pd.concat([task.clips, task.supplements], ignore_index=True)  # None is left out
    of_clips = sound_classes(clips, params)
    used = [one for one in of_clips if one is not None]
    clips_used = clips[[one is not None for one in of_clips]].reset_index(drop=True)
    labels = torch.from_numpy(class_targets(used, clips_used["confidence"].to_numpy(), params.confidence))
    classes = class_list(used)
    if label_classes(len(classes), params) < 2 and params.loss.needs_classes:
        raise UserError(f"train: all clips are of one class, {classes[0]}: switch on {SWITCHES}")
    noise = clips[clips["kind"] == "noise"]
    if params.noise_mix and noise.empty:
        raise UserError(f"train.noise_mix is {params.noise_mix:g}: there are no noise-only clips, set it to 0")
    by_machine = {str(machine): list(rows["clip_id"]) for machine, rows in noise.groupby("machine")}
    hard = labels.argmax(dim=1).numpy()
    return Material(clips_used, labels, hard, classes, by_machine | {"": list(noise["clip_id"])})


class Batch(NamedTuple):
    """One step's clips."""

    x: Tensor
    """[shape=(clips, frames, bands)] Crops of features, augmented."""
    y: Tensor
    """[shape=(clips, classes)] Soft labels."""
    clips: Tensor
    """[shape=(clips,)], int; rows of the clips in the table."""


class Batches:
    """The batches of a training run, step by step.

    Parameters
    ----------
    task : Task
        Whose objective is a classification.
    material : Material
    """

    def __init__(self, task: Task, material: Material) -> None:
        self.params = cast("Classification", task.params)
        self.store, self.seed, self.material = task.store, task.seed, material
        self.clip_ids = list(material.clips["clip_id"])
        self.frames = self.params.crop or max(self.store.n_frames(clip) for clip in self.clip_ids)
        count = clips_of_epoch(len(self.clip_ids), self.params.sampler)
        self.steps = count // self.params.batch + (count % self.params.batch > 1)  # of an epoch
        self._epoch: tuple[int, Tensor] | None = None  # number and order of the last one

    def __getitem__(self, step: int) -> Batch:
        """Draw the batch of a step."""
        index = self.clips(step)
        clip_ids = [self.clip_ids[i] for i in index.tolist()]
        draws = [rng(self.seed, "crop", step, i) for i in range(len(index))]
        noisy = self._with_noise(self._crops(clip_ids, draws), index, draws)  # (clips, frames, bands)
        generator = torch_rng(self.seed, "augment", step)
        x = torch.from_numpy(self.store.normalised(noisy))
        return Batch(*augment(OF_FEATURES, x, self.material.labels[index], self.params, generator), index)

    def clips(self, step: int) -> Tensor:
        """Give the rows of the clips of a step, ``(clips,)``.

        All clips come before one comes again, in another order each epoch. A rest of a single clip is left out, since
        batch normalisation needs two.
        """
        epoch, number = divmod(step, self.steps)
        if self._epoch is None or self._epoch[0] != epoch:
            generator = torch_rng(self.seed, "batches", epoch)
            domain, params = self.material.clips["domain"].to_numpy(), self.params
            order = epoch_order(domain, params.min_target_fraction, generator)
            self._epoch = epoch, arranged(order, self.material.hard, params.sampler, generator)
        return self._epoch[1].split(self.params.batch)[number]

    def _crops(self, clip_ids: list[str], draws: list[np.random.Generator]) -> np.ndarray:
        pairs = zip(clip_ids, draws, strict=True)
        return np.stack([crop(self.store[clip], self.frames, draw) for clip, draw in pairs])

    def _with_noise(self, x: np.ndarray, index: Tensor, draws: list[np.random.Generator]) -> np.ndarray:
        """Add noise-only clips to a fraction of the others, at random signal-to-noise ratios."""
        params = self.params
        if not params.noise_mix:
            return x
        clips = self.material.clips.iloc[index.numpy()]
        mixed = np.array([draw.random() for draw in draws]) < params.noise_mix
        mixed &= (clips["kind"] != "noise").to_numpy()
        if not mixed.any():
            return x
        draws = [draw for draw, chosen in zip(draws, mixed, strict=True) if chosen]
        pools = [self.material.noise_for(machine) for machine in clips.loc[mixed, "machine"]]
        noise = self._crops([str(draw.choice(pool)) for draw, pool in zip(draws, pools, strict=True)], draws)
        snr = torch.tensor([draw.uniform(params.snr_low, params.snr_high) for draw in draws], dtype=torch.float32)
        unit = unit_of(self.store.description)
        x[mixed] = add_noise(torch.from_numpy(x[mixed]), torch.from_numpy(noise), snr, unit).numpy()
        return x


def epoch_order(domain: np.ndarray, min_target_fraction: float, generator: torch.Generator) -> Tensor:
    """Draw an order of all clips, as many as there are.

    Every clip comes once; or so many target clips, each as often as the others, that they are ``min_target_fraction``
    of the whole, and fewer of the rest. Where there are more of them, or none, or nothing else, nothing is changed.

    Parameters
    ----------
    domain : np.ndarray [shape=(clips,)] of str
    min_target_fraction : float
    generator : torch.Generator

    Returns
    -------
    Tensor [shape=(clips,)], int
    """
    order = torch.randperm(len(domain), generator=generator)
    target = torch.from_numpy(domain == "target")[order]
    wanted = round(min_target_fraction * len(domain))
    if not target.sum() or target.all() or wanted <= target.sum():
        return order
    repeated = order[target].repeat(-(-wanted // int(target.sum())))[:wanted]
    both = torch.cat([repeated, order[~target][: len(domain) - wanted]])
    return both[torch.randperm(len(both), generator=generator)]


def clips_of_epoch(clips: int, sampler: str) -> int:
    """Count the clips of an epoch: all, all twice (``views``), or an even number (``pairs``)."""
    return {"shuffled": clips, "views": 2 * clips, "pairs": clips // 2 * 2}[sampler]


def arranged(order: Tensor, classes: np.ndarray, sampler: str, generator: torch.Generator) -> Tensor:
    """Put side by side the clips that shall be in one batch of even size.

    Parameters
    ----------
    order : Tensor [shape=(clips,)], int
        Random order of clips.
    classes : np.ndarray [shape=(all clips,)], int
    sampler : str
        ``shuffled``: as they are. ``views``: each twice, one behind the other. ``pairs``: two clips of one class
        behind each other, the pairs in random order; the last clip of an odd class stands beside another one of it, or
        itself where there is none.
    generator : torch.Generator

    Returns
    -------
    Tensor [shape=(:func:`clips_of_epoch`,)]
    """
    if sampler == "shuffled":
        return order
    if sampler == "views":
        return order.repeat_interleave(2)
    pairs = []
    ordered = classes[order.numpy()]
    for kind in np.unique(ordered):
        clips = order[torch.from_numpy(ordered == kind)]
        pairs.append(torch.cat([clips, clips[:1]])[: len(clips) + len(clips) % 2].view(-1, 2))
    together = torch.cat(pairs)  # (pairs, 2)
    shuffled = together[torch.randperm(len(together), generator=generator)]
    return shuffled.flatten()[: clips_of_epoch(len(order), sampler)]
