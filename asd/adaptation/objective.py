"""The utterance-frame objective: a student that sees a fifth predicts what its own average makes of the whole."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.encoders.vit import ViTEncoder


class UtteranceFrame(nn.Module):
    """Student, decoder and teacher of EAT's self-supervised objective.

    The teacher, an exponential moving average of the student, sees all patches; its target is the mean of all
    its blocks' outputs, normalised over the patches of a clip and then over dimensions. The student sees the few
    patches that the mask leaves, the decoder fills the grid and predicts the target where it was hidden:

    ``L = mean (decoder - target)^2 + mean (class token - mean over patches of the un-normalised target)^2``

    Parameters
    ----------
    student : ViTEncoder
        The encoder to adapt; changed in place.
    decoder_layers : int
        Convolutions of the decoder.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024.
    """

    def __init__(self, student: ViTEncoder, decoder_layers: int = 2) -> None:
        super().__init__()
        self.student = student
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.decoder = Decoder(student.dims, decoder_layers)
        self.utterance = nn.Linear(student.dims, student.dims)

    def forward(self, x: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Compute both losses of a batch.

        Parameters
        ----------
        x : Tensor [shape=(clips, rows, bands)]
            Normalised features.
        visible : Tensor [shape=(clips, clones, patches)], int
            Flat indices of the patches that each clone sees.

        Returns
        -------
        tuple of Tensor
            Frame loss and utterance loss.
        """
        frames, utterance = self.targets(x)
        clones = visible.shape[1]
        tokens = self.student.embed(x).repeat_interleave(clones, dim=0)
        index = visible.flatten(0, 1).unsqueeze(2).expand(-1, -1, tokens.shape[2])
        out = self.student.layers(tokens.gather(1, index))[-1]
        predicted = self.decoder(out[:, 1:], index, tokens.shape[1], self.student.bands)
        hidden = torch.ones(predicted.shape[:2], device=x.device).scatter(1, index[:, :, 0], 0.0)
        error = (predicted - frames.repeat_interleave(clones, dim=0)).square().mean(dim=2)
        frame_loss = (error * hidden).sum() / hidden.sum()
        utterance_loss = F.mse_loss(self.utterance(out[:, 0]), utterance.repeat_interleave(clones, dim=0))
        return frame_loss, utterance_loss

    @torch.no_grad()
    def targets(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Ask the teacher: normalised targets ``(clips, patches, dims)``, un-normalised mean ``(clips, dims)``."""
        layers = self.teacher.layers(self.teacher.embed(x))
        target = torch.stack([layer[:, 1:] for layer in layers]).mean(dim=0)
        over_patches = F.instance_norm(target.transpose(1, 2)).transpose(1, 2)
        return F.layer_norm(over_patches, over_patches.shape[-1:]), target.mean(dim=1)

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the teacher towards the student: ``teacher = decay * teacher + (1 - decay) * student``."""
        for mean, value in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)


class Decoder(nn.Module):
    """Fill hidden patches with small noise-free tokens and convolve over the grid."""

    def __init__(self, dims: int, layers: int) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(dims))
        self.convolutions = nn.ModuleList(nn.Conv2d(dims, dims, 3, padding=1, groups=16) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(dims, elementwise_affine=False) for _ in range(layers))
        self.project = nn.Linear(dims, dims)

    def forward(self, seen: Tensor, index: Tensor, patches: int, bands: int) -> Tensor:
        """Predict all patches ``(clones, patches, dims)`` from those seen ``(clones, visible, dims)``."""
        grid = self.mask.expand(len(seen), patches, -1).scatter(1, index, seen)
        x = grid.transpose(1, 2).unflatten(2, (patches // bands, bands))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = norm(convolution(x).movedim(1, 3)).movedim(3, 1)
            x = x + F.gelu(y)
        return self.project(x.flatten(2).transpose(1, 2))
