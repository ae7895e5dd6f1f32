"""What a classifier is trained on: normal clips and those supplements that have a class, with their labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from asd.base.errors import UserError
from asd.classifiers.augmentations.registry import label_classes
from asd.classifiers.classes import class_names, class_targets
from asd.classifiers.params import Classification
from asd.classifiers.task import Task

SWITCHES = "statex, featex, noise_class, dataset.auxiliary, or labels that divide it"


@dataclass(frozen=True)
class Material:
    """Clips to train on.

    Attributes
    ----------
    clips : pd.DataFrame
        Rows of the clip table.
    labels : Tensor [shape=(clips, classes)]
    names : list of str
        Of the classes.
    noise : dict of list of str
        ``clip_id`` of the noise-only clips that may be added to clips, by machine; under ``""`` those of all.
    """

    clips: pd.DataFrame
    labels: Tensor
    names: list[str]
    noise: Mapping[str, list[str]]

    def noise_for(self, machine: str) -> list[str]:
        """List the machine's own noise-only clips, or everyone's where it has none."""
        return self.noise.get(machine, self.noise[""])


def gather(task: Task) -> Material:
    """Collect the clips and classes that a block of params asks for.

    Raises
    ------
    UserError
        Where there is nothing to tell apart, or no noise to add.
    """
    params = task.params
    assert isinstance(params, Classification)
    clips = pd.concat([task.clips, task.supplements], ignore_index=True)  # None is left out
    named = clips[class_names(clips, params) != ""].reset_index(drop=True)
    labels = torch.from_numpy(class_targets(named, params.confidence, params))
    names = sorted(set(class_names(named, params)))
    if label_classes(len(names), params) < 2 and params.objective != "dual_contrastive":  # which has views and codes
        raise UserError(f"train: all clips are of one class, {names[0]}: switch on {SWITCHES}")
    return Material(named, labels, names, _noise(clips, params))


def _noise(clips: pd.DataFrame, params: Classification) -> dict[str, list[str]]:
    noise = clips[clips["kind"] == "noise"]
    if params.noise_mix and noise.empty:
        raise UserError(f"train.noise_mix is {params.noise_mix:g}: there are no noise-only clips, set it to 0")
    by_machine = {str(machine): list(own["clip_id"]) for machine, own in noise.groupby("machine")}
    return by_machine | {"": list(noise["clip_id"])}
