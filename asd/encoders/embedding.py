"""Run a network over clips: features to batches, batches to embeddings."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from asd.core import compute
from asd.core.progress import progress
from asd.encoders.adaptation_module import AdaptationModule
from asd.encoders.encoder import Encoder
from asd.encoders.precision import Embed, at_precision
from asd.features.store import FeatureStore

PART = 8  # batches that are sent to a worker of a cluster at a time
Part = list[tuple[int, list[str]]]  # batches: the number of a store, clips of it


def by_length(store: FeatureStore, clip_ids: Sequence[str], size: int) -> Iterator[list[str]]:
    """Group clips of equal length, so that no batch needs padding and no embedding depends on the other clips.

    Parameters
    ----------
    store : FeatureStore
    clip_ids : sequence of str
    size : int
        Clips of one batch, at most.

    Yields
    ------
    list of str
    """
    ordered = sorted(clip_ids, key=lambda c: (store.n_frames(c), c))
    for _, same in groupby(ordered, key=store.n_frames):
        clips = list(same)
        yield from (clips[i : i + size] for i in range(0, len(clips), size))


def stack(store: FeatureStore, clip_ids: Sequence[str]) -> Tensor:
    """Read clips of equal length as one normalised batch ``(clips, n_frames, n_features)``."""
    return torch.from_numpy(np.stack([store.normalised(store[c]) for c in clip_ids]))


def apply(
    network: Embed,
    stores: Sequence[FeatureStore],
    clip_ids: Sequence[str],
    device: torch.device,
    size: int = 16,
) -> np.ndarray:
    """Run a network over clips, in this process or, with ``compute.backend: dask``, over the cluster.

    Parameters
    ----------
    network : callable
        ``(clips, n_frames, n_features)`` -> ``(clips, ...)``; an encoder of tokens is run at its own precision.
    stores : sequence of FeatureStore
        Each clip is in one of them.
    clip_ids : sequence of str
        Order of the result.
    device : torch.device
    size : int
        Clips of one batch; with twice as many, maps no longer fit a processor's cache.

    Returns
    -------
    np.ndarray [shape=(clips, ...)], float32
        One row a clip.
    """
    if isinstance(network, Encoder | AdaptationModule):
        network = at_precision(network, network.precision)
    batches = [
        (number, batch)
        for number, store in enumerate(stores)
        for batch in by_length(store, [c for c in clip_ids if c in store], size)
    ]
    parts = [batches[i : i + PART] for i in range(0, len(batches), PART)]
    work = partial(_embedded, network, stores, device)
    there = compute.spread() and len(parts) > 1
    done = compute.parallel(partial(_on_worker, work), parts) if there else map(work, parts)
    shown = progress("embed", "part", len(parts), done)
    embeddings = {clip: row for part in shown for clip, row in part.items()}
    return np.stack([embeddings[c] for c in clip_ids])


@torch.inference_mode()
def _embedded(
    network: Embed, stores: Sequence[FeatureStore], device: torch.device, part: Part
) -> dict[str, np.ndarray]:
    """Embed batches of clips."""
    embeddings: dict[str, np.ndarray] = {}
    for number, batch in part:
        outputs = network(stack(stores[number], batch).to(device)).float().cpu().numpy()
        embeddings.update(zip(batch, outputs, strict=True))
    return embeddings


def _on_worker(work: Callable[[Part], dict[str, np.ndarray]], part: Part) -> dict[str, np.ndarray]:
    compute.device()  # sets the threads, on whose number bytes depend
    return work(part)
