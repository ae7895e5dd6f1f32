"""The batches of adaptation: which clips, in which order, which crop of each, and the patches that the student sees.

All is drawn per (seed, epoch, clip): the same for any number of processes and after any interruption, so that the
position in the data is the number of the step and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from asd.core.compute import rng
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import AdaptParams
from asd.encoders.training import crop
from asd.features.store import FeatureStore

KNOTS = 7  # of a gain curve, evenly over the bands
PADDING = -1  # among the visible patches of a clip that is shorter than others of the batch

Machines = Mapping[str, Sequence[str]]


class Batch(NamedTuple):
    """Some clips of a step."""

    x: Tensor
    """[shape=(clips, frames, bands)] Crops as the student sees them; shorter ones are padded with zeros."""
    whole: Tensor
    """[same shape] The same with another random gain of the bands, as the teacher sees them."""
    rows: Tensor
    """[shape=(clips,)], int; frames of each that are real."""
    visible: Tensor
    """[shape=(clips, clones, patches)], int; flat indices of what each clone sees, :data:`PADDING` behind them."""

    def to(self, like: Tensor) -> "Batch":
        """Move to the device of a tensor; what is no index also to its dtype."""
        return Batch(*(part.to(like if part.is_floating_point() else like.device) for part in self))


class View(NamedTuple):
    """One clip of a batch, before padding."""

    student: np.ndarray  # (frames, bands)
    teacher: np.ndarray  # (frames, bands)
    visible: list[np.ndarray]  # (patches,), of each clone


def clip_at(machines: Machines, seed: int, position: int) -> tuple[int, str]:
    """Give the clip at a position of the endless sequence, and how often its machine was gone through before.

    Rounds hold one clip of every machine, in random order: machines are balanced, whatever they have. The clips of
    each machine come in another random order in each of its epochs.

    Parameters
    ----------
    machines : mapping of str to sequence of str
        Clips of each machine.
    seed, position : int

    Returns
    -------
    int
        The machine's epoch.
    str
        ``clip_id``
    """
    turn, within = divmod(position, len(machines))
    machine = sorted(machines)[rng(seed, "round", turn).permutation(len(machines))[within]]
    epoch, index = divmod(turn, len(machines[machine]))
    order = rng(seed, "order", epoch, machine).permutation(len(machines[machine]))
    return epoch, machines[machine][order[index]]


def draw(
    store: FeatureStore, machines: Machines, params: AdaptParams, encoder: Encoder, seed: int, positions: Iterable[int]
) -> Batch:
    """Draw the clips at some positions of the sequence; each is the same whatever the others are.

    Parameters
    ----------
    store : FeatureStore
    machines : mapping of str to sequence of str
        Clips of each machine.
    params : AdaptParams
    encoder : Encoder
        For the size of its patch grid.
    seed : int
    positions : iterable of int
        See :func:`clip_at`.
    """
    views = []
    for position in positions:
        epoch, clip = clip_at(machines, seed, position)
        views.append(view(store, clip, params, encoder, rng(seed, "adapt", epoch, clip)))
    frames = [len(one.student) for one in views]
    patches = max(len(one.visible[0]) for one in views)
    return Batch(
        torch.from_numpy(np.stack([_padded(one.student, max(frames), 0.0) for one in views])),
        torch.from_numpy(np.stack([_padded(one.teacher, max(frames), 0.0) for one in views])),
        torch.tensor(frames),
        torch.from_numpy(np.stack([[_padded(p, patches, PADDING) for p in one.visible] for one in views])),
    )


def view(store: FeatureStore, clip: str, params: AdaptParams, encoder: Encoder, generator: np.random.Generator) -> View:
    """Draw the crop, gains and masks of one clip."""
    frames = min(max(store.n_frames(clip), encoder.least), params.crop or encoder.frames, encoder.frames)
    x = store.normalised(crop(store[clip], frames, generator))  # (frames, bands)
    student, teacher = (x + params.band_gain_db * band_gain(generator, store.n_features) for _ in range(2))
    grid = int(encoder.times(torch.tensor(frames))), encoder.bands
    visible = [visible_patches(generator, *grid, params.mask, params.block) for _ in range(params.clones)]
    return View(student, teacher, visible)


def band_gain(generator: np.random.Generator, bands: int) -> np.ndarray:
    """Draw a smooth curve over the bands ``(bands,)``, float32, of standard deviation 1 at :data:`KNOTS` of them.

    Added to a log spectrum, it is what another room, position or microphone does to the whole clip.
    """
    knots = np.linspace(0, bands - 1, KNOTS)
    return np.interp(np.arange(bands), knots, generator.standard_normal(KNOTS)).astype(np.float32)


def visible_patches(generator: np.random.Generator, time: int, bands: int, mask: float, block: int) -> np.ndarray:
    """Draw the patches that the student sees: square blocks, until at least a fraction ``1 - mask`` is covered.

    Exactly ``round((1 - mask) * time * bands)`` patches, at least one and never all of several, are kept, so that
    the clones of a batch stack; which ones of the last block are given up is random.

    Parameters
    ----------
    generator : np.random.Generator
        Of the random draws.
    time, bands : int
        Size of the patch grid.
    mask : float
        Fraction of patches that are hidden.
    block : int
        [patches] Side of a block.

    Returns
    -------
    np.ndarray [shape=(visible,)], int
        Flat indices, sorted; index = time index * bands + band index.

    References
    ----------
    Baevski et al., "Efficient self-supervised learning with contextualized target representations" (data2vec 2.0),
    ICML 2023; used by EAT.
    """
    patches = time * bands
    wanted = max(1, min(round((1 - mask) * patches), patches - 1))
    seen = np.zeros((time, bands), dtype=bool)
    while (before := seen.copy()).sum() < wanted:
        t, f = generator.integers(time), generator.integers(bands)
        half = block // 2
        seen[max(0, t - half) : max(0, t - half + block), max(0, f - half) : max(0, f - half + block)] = True
        if seen.sum() > wanted:
            new = np.flatnonzero(seen & ~before)
            seen.flat[generator.choice(new, size=int(seen.sum()) - wanted, replace=False)] = False
    return np.flatnonzero(seen)


def _padded(x: np.ndarray, length: int, value: float) -> np.ndarray:
    if len(x) == length:  # most are
        return x
    behind = [(0, length - len(x))] + [(0, 0)] * (x.ndim - 1)
    return np.pad(x, behind, constant_values=value)
