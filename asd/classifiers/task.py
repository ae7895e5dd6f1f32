"""One training run of one system, the description of the model that comes out, and how it embeds clips."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from asd.classifiers.params import OBJECTIVES, Objective
from asd.encoders.initial import InitialEncoder
from asd.features.store import FeatureStore


@dataclass(frozen=True)
class Task:
    """One training run of one system.

    Attributes
    ----------
    params : Objective
        How to train.
    encoder : InitialEncoder
    store : FeatureStore
        Training features.
    clips : pd.DataFrame
        Normal machine clips of the training split, sorted by ``clip_id``, with the columns ``label``, ``confidence``.
    seed : int
        Of every random draw of this run.
    device : torch.device
        Where to compute.
    work : Path
        Folder of unfinished work.
    supplements : pd.DataFrame, optional
        Clean and noise-only clips, likewise: to train on, never in a memory bank.
    """

    params: Objective
    encoder: InitialEncoder
    store: FeatureStore
    clips: pd.DataFrame
    seed: int
    device: torch.device
    work: Path
    supplements: pd.DataFrame | None = None

    def network(self) -> nn.Module:
        """Make a copy of the encoder with its initial weights."""
        return copy.deepcopy(self.encoder.network)


def model_description(task: Task) -> dict[str, Any]:
    """Describe a trained model: all that is needed, besides its tensors, to make its network again.

    Returns
    -------
    dict
        The encoder's description, ``objective``, and what the objective adds.
    """
    return task.encoder.description() | {"objective": task.params.objective} | task.params.description()


def embed(
    description: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    clips: pd.DataFrame,
    stores: Sequence[FeatureStore],
    device: torch.device,
) -> np.ndarray:
    """Embed clips by a trained model, as its objective does; see :meth:`asd.classifiers.params.Objective.embed`."""
    return OBJECTIVES[description["objective"]].embed(description, tensors, clips, stores, device)
