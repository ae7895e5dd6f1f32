"""A system without training: pooled embeddings of an encoder as it is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from asd.classifiers.task import Task
from asd.encoders.batches import apply
from asd.features.store import FeatureStore


def train(task: Task) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Take the encoder's weights as they are."""
    return dict(task.network().state_dict()), {"epochs": 0}


def extract(
    network: nn.Module,
    tensors: dict[str, Tensor],
    clips: pd.DataFrame,
    stores: Sequence[FeatureStore],
    device: torch.device,
) -> np.ndarray:
    """Embed clips.

    Returns
    -------
    np.ndarray [shape=(clips, bands, dims)], float32
        Pooled over time, in the order of ``clips``.
    """
    network.load_state_dict(tensors)
    return apply(network.to(device).eval(), stores, list(clips["clip_id"]), device)
