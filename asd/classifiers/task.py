"""What a system is trained on, and objective -> module."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd
import torch
from torch import nn

from asd.classifiers.params import Classification, Reconstruction, Untrained
from asd.encoders.adaptation_module import with_module
from asd.encoders.registry import read_encoder
from asd.features.store import FeatureStore

MODULES = {
    "none": "asd.classifiers.untrained",
    "reconstruction": "asd.classifiers.reconstruction",
}
CLASSIFICATION = "asd.classifiers.classification"  # of every other objective, a loss each


@dataclass(frozen=True)
class Task:
    """One training run of one system.

    Attributes
    ----------
    params : Untrained, Reconstruction or Classification
        How to train.
    encoder : Path
        Folder of the encoder's first weights.
    store : FeatureStore
        Training features.
    clips : pd.DataFrame
        Normal machine clips of the training split, sorted by ``clip_id``, with the columns ``label``, ``confidence``.
    seed : int
        Of everything drawn in this run.
    device : torch.device
        Where to compute.
    work : Path
        Folder of unfinished work.
    supplements : pd.DataFrame, optional
        Clean and noise-only clips, likewise: material to train on, never to remember.
    """

    params: Untrained | Reconstruction | Classification
    encoder: Path
    store: FeatureStore
    clips: pd.DataFrame
    seed: int
    device: torch.device
    work: Path
    supplements: pd.DataFrame | None = None

    def network(self) -> nn.Module:
        """Make the encoder with its first weights, and what is trained behind it."""
        module = self.params.adaptation_module if isinstance(self.params, Classification) else None
        return with_module(read_encoder(self.encoder), module, self.seed)


def module(objective: str) -> ModuleType:
    """Pick the module of an objective.

    It has ``train(task) -> (tensors, metrics)`` and
    ``extract(network, tensors, machines, stores, device) -> np.ndarray [shape=(clips, ...)]``.
    """
    return import_module(MODULES.get(objective, CLASSIFICATION))
