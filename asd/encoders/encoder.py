"""Base class of encoders of tokens: clips of any length, padding, layers, pooling."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asd.encoders.pooling import Mean


class Grid(NamedTuple):
    """Tokens that one layer makes of a batch of clips."""

    values: Tensor
    """[shape=(clips, time, bands, dims)]"""
    real: Tensor | None = None
    """[shape=(clips, time)], bool; False where a shorter clip is padded. None: no padding anywhere."""
    cls: Tensor | None = None
    """[shape=(clips, dims)], the class token, of encoders that have one; the mean over the windows of a long clip."""


class Encoder(nn.Module):
    """A network that makes a grid of tokens of a spectrogram, or of a waveform.

    A clip longer than ``frames`` is embedded in as few windows as cover it, evenly spaced, so that all are of the
    length that the encoder was trained on; its tokens are those of all its windows. A clip shorter than one token is
    repeated to that length. An encoder defines :meth:`hidden` and :meth:`times`.

    Attributes
    ----------
    dims : int
        Size of a token of the last layer.
    bands : int
        Tokens on top of each other, 1 where an encoder has no frequency axis.
    depth : int
        Layers.
    frames : int
        Context length: frames (rows) that it takes at once, at most.
    least : int
        Frames of the shortest clip that gives a token.
    masks : bool
        Whether :meth:`hidden` can leave padding out of account. If not, clips of one length are run together.
    has_cls : bool
        Whether there is a class token.
    even : bool
        Whether all layers have the same bands and dimensions.
    pool : nn.Module
        Takes a :class:`Grid`, gives embeddings ``(clips, bands or 1, ...)``; by default the mean of all tokens.
    chosen : sequence of int
        Layers that are pooled, counted from 1; their embeddings stand side by side. Empty: the last.
    block_list : str
        Name of the list of transformer blocks; empty where there are none.
    block_layers : tuple of str
        Names of the linear layers within a block: of attention first, then of the perceptron.
    precision : str
        In which sets are embedded; see :func:`asd.encoders.precision.at_precision`.
    """

    dims: int
    bands: int
    depth: int
    frames: int
    least: int
    masks = True
    has_cls = False
    even = True
    block_list = ""
    block_layers: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.pool: nn.Module = Mean()
        self.chosen: Sequence[int] = ()
        self.precision = "float32"

    def transformer_blocks(self) -> dict[str, nn.Module]:
        """Give the transformer blocks by their names within the encoder, in their order; none of a network without."""
        if not self.block_list:
            return {}
        blocks = self.get_submodule(self.block_list)
        return {f"{self.block_list}.{name}": block for name, block in blocks.named_children()}

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """Run clips of at most ``frames`` frames, layer by layer.

        Parameters
        ----------
        x : Tensor [shape=(clips, frames, n_features)]
        real : Tensor [shape=(clips, time)], bool
            False where tokens are padding; only where ``masks``.

        Yields
        ------
        Grid
        """
        raise NotImplementedError

    def times(self, rows: Tensor) -> Tensor:
        """Count the tokens along time that so many rows give."""
        raise NotImplementedError

    def tokens(self, x: Tensor, rows: Tensor | None = None, layers: Sequence[int] = ()) -> list[Grid]:
        """Make the tokens of clips.

        Parameters
        ----------
        x : Tensor [shape=(clips, frames, n_features)]
            Shorter clips are padded with anything.
        rows : Tensor [shape=(clips,)], int
            Frames that each clip really has. None: all.
        layers : sequence of int
            Which, counted from 1. Empty: the last.

        Returns
        -------
        list of Grid
            In the order of ``layers``; the tokens of a clip do not depend on the other clips of the batch.
        """
        wanted = list(layers) or [self.depth]
        if rows is None or bool((rows == x.shape[1]).all()):
            return self._of_one_length(x, wanted)
        if self.masks and int(rows.max()) <= self.frames and int(rows.min()) >= self.least:
            times = self.times(rows)
            real = torch.arange(int(times.max()), device=x.device) < times[:, None]
            return self._wanted(x[:, : int(rows.max())], wanted, real)
        return self._length_by_length(x, rows, wanted)

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Embed clips ``(clips, frames, n_features)``, ``rows`` of each real, as ``(clips, bands or 1, dims)``."""
        return torch.cat([self.pool(grid) for grid in self.tokens(x, rows, self.chosen)], dim=2)

    def long_enough(self, x: Tensor) -> Tensor:
        """Repeat clips ``(clips, frames, n_features)`` that are too short for a token."""
        return x if x.shape[1] >= self.least else x.repeat(1, -(-self.least // x.shape[1]), 1)[:, : self.least]

    def _wanted(self, x: Tensor, wanted: list[int], real: Tensor | None = None) -> list[Grid]:
        grids = {}
        for number, grid in enumerate(self.hidden(x, real), start=1):
            if number in wanted:
                grids[number] = grid
            if number == max(wanted):
                break
        return [grids[number] for number in wanted]

    def _of_one_length(self, x: Tensor, wanted: list[int]) -> list[Grid]:
        pieces = windows(self.long_enough(x), self.frames)
        return [_joined(grid, *pieces.shape[:2]) for grid in self._wanted(pieces.flatten(0, 1), wanted)]

    def _length_by_length(self, x: Tensor, rows: Tensor, wanted: list[int]) -> list[Grid]:
        single: dict[int, list[Grid]] = {}
        for length in rows.unique().tolist():
            clips = (rows == length).nonzero()[:, 0]
            grids = self._of_one_length(x[clips, :length], wanted)
            single |= {clip: [_one(g, i) for g in grids] for i, clip in enumerate(clips.tolist())}
        return [_padded([single[clip][layer] for clip in range(len(x))]) for layer in range(len(wanted))]


def windows(x: Tensor, rows: int) -> Tensor:
    """Cut clips into as few windows as cover them, evenly spaced.

    Parameters
    ----------
    x : Tensor [shape=(clips, n_frames, n_features)]
    rows : int
        Length of a window [frames].

    Returns
    -------
    Tensor [shape=(clips, windows, rows at most, n_features)]
    """
    if x.shape[1] <= rows:
        return x.unsqueeze(1)
    count = -(-x.shape[1] // rows)
    starts = torch.linspace(0, x.shape[1] - rows, count).round().long().tolist()
    return torch.stack([x[:, start : start + rows] for start in starts], dim=1)


def _joined(grid: Grid, clips: int, count: int) -> Grid:
    """Concatenate the windows of each clip along time."""
    values = grid.values.unflatten(0, (clips, count)).flatten(1, 2)
    return Grid(values, None, None if grid.cls is None else grid.cls.unflatten(0, (clips, count)).mean(dim=1))


def _one(grid: Grid, clip: int) -> Grid:
    return Grid(grid.values[clip], None, None if grid.cls is None else grid.cls[clip])


def _padded(clips: list[Grid]) -> Grid:
    """Stack grids of single clips ``(time, bands, dims)``."""
    times = torch.tensor([len(clip.values) for clip in clips])
    real = (torch.arange(int(times.max())) < times[:, None]).to(clips[0].values.device)
    cls = [clip.cls for clip in clips if clip.cls is not None]
    return Grid(
        pad_sequence([clip.values for clip in clips], batch_first=True), real, torch.stack(cls) if cls else None
    )
