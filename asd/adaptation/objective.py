"""Self-supervised objectives: a student that sees a part predicts what its own moving average makes of the whole."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from asd.adaptation.batches import Batch
from asd.core.errors import UserError
from asd.encoders.architectures.beats import BEATs
from asd.encoders.architectures.dasheng import Dasheng
from asd.encoders.architectures.vit import ViTEncoder
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import AdaptParams

EPSILON = 1e-5
GROUPS = 16  # of the decoder's convolutions


class Losses(NamedTuple):
    """One value a clip, so that any division of a batch sums up to the same."""

    frame: Tensor
    """[shape=(clips,)]"""
    utterance: Tensor
    """[shape=(clips,)]"""


class Targets(NamedTuple):
    """Targets of a batch, by the teacher."""

    frames: Tensor
    """[shape=(clips, patches, dims)] Normalised."""
    utterance: Tensor
    """[shape=(clips, dims)] Mean over patches, not normalised."""
    real: Tensor
    """[shape=(clips, patches)], bool; False where a shorter clip is padded."""


class SelfDistillation(nn.Module):
    """Student and teacher, targets and losses of both objectives.

    The teacher, an exponential moving average of the student, sees all patches. Its target is the mean of all its
    layers' outputs, normalised over the patches of a clip and then over dimensions:

    ``L = mean over hidden patches (prediction - target)^2 + mean (utterance - mean over patches of the raw target)^2``

    Padding is in neither.

    Parameters
    ----------
    student : Encoder
        The encoder to adapt; changed in place.
    params : AdaptParams
        ``position: remove`` takes from the teacher's outputs what it makes of the mean clip, which is all that a
        position tells without a sound, and leaves out the first of the two normalisations, which would take what
        the patches of a clip have in common. ``keep`` is EAT's.
    """

    def __init__(self, student: Encoder, params: AdaptParams) -> None:
        super().__init__()
        self.student, self.position = student, params.position
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.utterance = nn.Linear(student.dims, student.dims)

    def predict(self, x: Tensor, visible: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Let the student predict all patches of every clone, and the utterance.

        Parameters
        ----------
        x : Tensor [shape=(clips, rows, bands)]
        visible : Tensor [shape=(clips * clones, patches)], int
            Flat indices of what is seen, negative where there is nothing.
        real : Tensor [shape=(clips * clones, all patches)], bool

        Returns
        -------
        tuple of Tensor
            ``(clips * clones, all patches, dims)`` and ``(clips * clones, dims)``.
        """
        raise NotImplementedError

    def forward(self, batch: Batch) -> tuple[Losses, Targets]:
        """Compute both losses of every clip, and the targets."""
        clips, clones, _ = batch.visible.shape
        targets = self.targets(batch)
        # Every clone of a clip: (clips * clones, ...); what it sees, and what is no padding.
        visible, real = batch.visible.flatten(0, 1), targets.real.repeat_interleave(clones, dim=0)
        frames, utterance = self.predict(batch.x, visible, real)  # (clips * clones, patches, dims), (.., dims)
        hidden = real & ~_at(visible, real.shape[1])
        error = (frames - targets.frames.repeat_interleave(clones, dim=0)).square().mean(dim=2)
        frame = (error * hidden).sum(dim=1) / hidden.sum(dim=1).clamp_min(1)
        whole = (utterance - targets.utterance.repeat_interleave(clones, dim=0)).square().mean(dim=1)
        return Losses(*(loss.view(clips, clones).mean(dim=1) for loss in (frame, whole))), targets

    @torch.no_grad()
    def targets(self, batch: Batch) -> Targets:
        """Let the teacher see the whole clips; see :class:`Targets`."""
        times = self.teacher.times(batch.rows)
        columns = torch.arange(int(times.max()), device=batch.x.device) < times[:, None]  # (clips, time)
        raw = self._mean_of_layers(batch.whole, None if bool(columns.all()) else columns)
        if self.position == "remove":
            raw = raw - self._mean_of_layers(self._mean_clip(batch.whole))
        real = columns.repeat_interleave(self.teacher.bands, dim=1)  # (clips, patches)
        weight = (real / real.sum(dim=1, keepdim=True)).unsqueeze(2)
        mean = (raw * weight).sum(dim=1, keepdim=True)
        if self.position == "keep":
            std = ((raw - mean).square() * weight).sum(dim=1, keepdim=True).add(EPSILON).sqrt()
            raw = (raw - mean) / std
        return Targets(F.layer_norm(raw, raw.shape[2:]), mean.squeeze(1), real)

    def _mean_of_layers(self, x: Tensor, columns: Tensor | None = None) -> Tensor:
        return torch.stack([grid.values.flatten(1, 2) for grid in self.teacher.hidden(x, columns)]).mean(dim=0)

    def _mean_clip(self, like: Tensor) -> Tensor:
        """Make the clip ``(1, rows, bands)`` that is nothing but average: what is left of it is position."""
        fitted = getattr(self.teacher, "input", None)
        return torch.zeros_like(like[:1]) + (0 if fitted is None else fitted.mean)

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the teacher towards the student: ``teacher = decay * teacher + (1 - decay) * student``."""
        for mean, value in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


class UtteranceFrame(SelfDistillation):
    """EAT's utterance-frame objective: the student runs on the visible patches alone, a light decoder fills the grid.

    The class token predicts the utterance.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024.
    """

    student: ViTEncoder

    def __init__(self, student: ViTEncoder, params: AdaptParams) -> None:
        super().__init__(student, params)
        self.decoder = Decoder(student.dims, params.decoder_layers)

    def predict(self, x: Tensor, visible: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`SelfDistillation.predict`."""
        clones = len(visible) // len(x)
        columns = real[::clones, :: self.student.bands]
        tokens = self.student.embed(x, columns).repeat_interleave(clones, dim=0)
        seen = visible >= 0
        index = visible.clamp_min(0).unsqueeze(2).expand(-1, -1, tokens.shape[2])
        out = _last(self.student.run(tokens.gather(1, index), None if bool(seen.all()) else seen))
        positions = torch.where(seen, visible, tokens.shape[1])  # padding goes behind the grid
        return self.decoder(out[:, 1:], positions, real, self.student.bands), self.utterance(out[:, 0])


class MaskedPrediction(SelfDistillation):
    """The same for encoders without a class token, whose positions need the whole grid: ours, not BEATs' or Dasheng's.

    Hidden patches are replaced by a learnt one, the student runs on all and its own outputs, through one linear layer,
    are the prediction; the mean of its outputs predicts the utterance.
    """

    student: BEATs | Dasheng

    def __init__(self, student: BEATs | Dasheng, params: AdaptParams) -> None:
        super().__init__(student, params)
        self.mask = nn.Parameter(0.02 * torch.randn(student.dims))
        self.project = nn.Linear(student.dims, student.dims)

    def predict(self, x: Tensor, visible: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`SelfDistillation.predict`."""
        tokens = self.student.embed(x).repeat_interleave(len(visible) // len(x), dim=0)
        seen = _at(visible, tokens.shape[1]).unsqueeze(2)
        tokens = torch.where(seen, tokens, self.mask.to(tokens.dtype))
        out = _last(self.student.run(tokens, None if bool(real.all()) else real))
        weight = (real / real.sum(dim=1, keepdim=True)).unsqueeze(2)
        return self.project(out), self.utterance((out * weight).sum(dim=1))


class Decoder(nn.Module):
    """Fill hidden patches with one learnt token and convolve over the grid."""

    def __init__(self, dims: int, layers: int) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(dims))
        self.convolutions = nn.ModuleList(nn.Conv2d(dims, dims, 3, padding=1, groups=GROUPS) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(dims, elementwise_affine=False) for _ in range(layers))
        self.project = nn.Linear(dims, dims)

    def forward(self, seen: Tensor, positions: Tensor, real: Tensor, bands: int) -> Tensor:
        """Predict all patches ``(clones, patches, dims)`` from those seen ``(clones, visible, dims)``.

        ``positions`` ``(clones, visible)`` are theirs in the grid; ``real`` ``(clones, patches)`` is False for padding.
        """
        clones, patches = real.shape
        grid = self.mask.to(seen.dtype).expand(clones, patches + 1, -1)
        grid = grid.scatter(1, positions.unsqueeze(2).expand_as(seen), seen)[:, :patches]
        keep = real.unsqueeze(1).unflatten(2, (patches // bands, bands))
        x = grid.transpose(1, 2).unflatten(2, (patches // bands, bands)) * keep
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = norm(convolution(x).movedim(1, 3)).movedim(3, 1)
            x = (x + F.gelu(y)) * keep
        return self.project(x.flatten(2).transpose(1, 2))


def create_objective(encoder: nn.Module, params: AdaptParams) -> SelfDistillation:
    """Find the objective of an encoder.

    Raises
    ------
    UserError
        Where there is none: convolutional networks are not adapted.
    """
    if isinstance(encoder, ViTEncoder):
        return UtteranceFrame(encoder, params)
    if isinstance(encoder, BEATs | Dasheng):
        return MaskedPrediction(encoder, params)
    raise UserError(f"{type(encoder).__name__} is not adapted, only EAT's family, BEATs and Dasheng: leave adapt out")


@contextmanager
def recomputed(encoder: Encoder) -> Iterator[None]:
    """Have the blocks' activations computed again in the backward pass instead of kept."""
    blocks = encoder.transformer_blocks().values()
    for block in blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _last(layers: Iterator[Tensor]) -> Tensor:
    *_, out = layers
    return out


def _at(index: Tensor, length: int) -> Tensor:
    """Mark positions ``(n, length)``, bool, by their indices ``(n, some)``; negative ones mark nothing."""
    index = torch.where(index >= 0, index, length)
    return torch.zeros(len(index), length + 1, dtype=torch.bool, device=index.device).scatter(1, index, True)[:, :-1]
