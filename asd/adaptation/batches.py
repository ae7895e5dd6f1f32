"""Which clips adaptation hears, in which order, which crop of each and what the student sees of it.

All is drawn per (seed, epoch, clip): the same for any number of processes and after any interruption, so that the
position in the data is the number of the step and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from asd.adaptation.masks import visible_patches
from asd.base.compute import rng
from asd.encoders.encoder import Encoder
from asd.encoders.params import AdaptParams
from asd.encoders.training import crop
from asd.features.store import FeatureStore

KNOTS = 7  # of a curve that colours a clip, evenly over its bands
PADDING = -1  # among the visible patches of a clip that is shorter than its neighbours

Machines = Mapping[str, Sequence[str]]


class Batch(NamedTuple):
    """Some clips of a step."""

    x: Tensor
    """[shape=(clips, rows, bands)] Crops as the student hears them; shorter ones are padded with zeros."""
    whole: Tensor
    """[same shape] The same as the teacher hears them: coloured otherwise."""
    rows: Tensor
    """[shape=(clips,)], int; rows of each that are real."""
    visible: Tensor
    """[shape=(clips, clones, patches)], int; flat indices of what each clone sees, :data:`PADDING` behind them."""


def clip_at(machines: Machines, seed: int, place: int) -> tuple[int, str]:
    """Say which clip stands at a place of the endless sequence, and how often its machine was gone through before.

    Rounds hold one clip of every machine, in drawn order: machines are balanced, whatever they have. The clips of
    each machine come in an order that is drawn anew for each of its epochs.
    """
    turn, within = divmod(place, len(machines))
    machine = sorted(machines)[rng(seed, "round", turn).permutation(len(machines))[within]]
    epoch, index = divmod(turn, len(machines[machine]))
    order = rng(seed, "order", epoch, machine).permutation(len(machines[machine]))
    return epoch, machines[machine][order[index]]


def draw(
    store: FeatureStore, machines: Machines, params: AdaptParams, encoder: Encoder, seed: int, places: Iterable[int]
) -> Batch:
    """Draw the clips at so many places of the sequence; what one of them gives does not depend on the others."""
    crops, seen = [], []
    for place in places:
        epoch, clip = clip_at(machines, seed, place)
        generator = rng(seed, "adapt", epoch, clip)
        rows = min(max(store.rows(clip), encoder.least), params.crop or encoder.frames, encoder.frames)
        heard = store.normalised(crop(store[clip], rows, generator))
        crops.append([heard + params.colour * colour(generator, store.bands) for _ in range(2)])
        grid = int(encoder.times(torch.tensor(rows))), encoder.bands
        seen.append([visible_patches(generator, *grid, params.mask, params.block) for _ in range(params.clones)])
    lengths = [len(student) for student, _ in crops]
    patches = max(len(clones[0]) for clones in seen)
    student, teacher = (
        torch.from_numpy(np.stack([_padded(x, max(lengths), 0.0) for x in views])) for views in zip(*crops, strict=True)
    )
    return Batch(
        student,
        teacher,
        torch.tensor(lengths),
        torch.from_numpy(np.stack([[_padded(p, patches, PADDING) for p in clones] for clones in seen])),
    )


def colour(generator: np.random.Generator, bands: int) -> np.ndarray:
    """Draw a smooth curve over the bands ``(bands,)``, float32, of deviation 1 at :data:`KNOTS` of them.

    Added to a log spectrum, it is what another room, place or microphone does to the whole clip.
    """
    knots = np.linspace(0, bands - 1, KNOTS)
    return np.interp(np.arange(bands), knots, generator.standard_normal(KNOTS)).astype(np.float32)


def _padded(x: np.ndarray, length: int, value: float) -> np.ndarray:
    if len(x) == length:  # most are
        return x
    behind = [(0, length - len(x))] + [(0, 0)] * (x.ndim - 1)
    return np.pad(x, behind, constant_values=value)
