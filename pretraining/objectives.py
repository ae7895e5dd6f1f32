"""Objectives of pre-training: contrasts of sounds, prediction of their known parameters, EAT's own prediction."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.adaptation.batches import Batch as MaskedBatch
from asd.adaptation.batches import visible_patches
from asd.adaptation.objective import UtteranceFrame
from asd.encoders.architectures.machine import BANDS, MachineEncoder
from asd.encoders.architectures.vit import PATCH
from asd.encoders.encoder_params import AdaptParams
from pretraining.settings import TrainParams

HIDDEN, PROJECTED = 256, 128  # dimensions of the contrastive head
STATISTICS = 32  # of a band, of pretraining.blocks.dry_statistics
EAT = AdaptParams.model_validate(
    {
        "steps": 1, "batch": 1, "clones": 2, "mask": 0.5, "block": 2, "position": "remove", "learning_rate": 0.001,
        "ema_decay": 0.99, "ema_decay_end": 0.999, "utterance_weight": 10.0,
    }
)  # fmt: skip


class Batch(NamedTuple):
    """Recordings of a step."""

    x: Tensor
    """[shape=(clips, rows, n_features)]"""
    sound: Tensor
    """[shape=(clips,), int] The same number for the recordings of one sound."""
    group: Tensor
    """[shape=(clips,), int] The same number for a sound and those near to it."""
    amount: Tensor
    """[shape=(clips,)] By how much a sound differs from that of its group."""
    targets: Tensor
    """[shape=(clips, parameters)] Known parameters; nan where a sound has none."""
    dry: Tensor
    """[shape=(clips, 8, 32)] Statistics of the sound itself."""


class Pretraining(nn.Module):
    """An encoder with the heads of all objectives that are asked for.

    - ``changes``: recordings of one sound are alike, those of a sound of which a part has changed are not, nor others.
    - ``doppelgangers``: the same, but sounds that have changed by at most ``like`` are alike, too.
    - ``parameters``: mean squared error of the known parameters, standardised.
    - ``dry``: mean squared error of statistics of each band of the sound itself, without room and background.
    - ``eat``: the student predicts from half of the patches what its moving average makes of all.

    The first two are the supervised contrastive loss of projections of the pooled tokens.

    Parameters
    ----------
    encoder : MachineEncoder
    params : TrainParams
    targets : int
        Known parameters.

    References
    ----------
    Khosla et al., "Supervised contrastive learning", NeurIPS 2020; Cherep and Singh, "Contrastive learning from
    synthetic audio doppelgangers", ICLR 2025; Chen et al., "EAT", IJCAI 2024.
    """

    target_mean: Tensor
    target_std: Tensor
    dry_mean: Tensor
    dry_std: Tensor

    def __init__(self, encoder: MachineEncoder, params: TrainParams, targets: int) -> None:
        super().__init__()
        self.register_buffer("target_mean", torch.zeros(targets))
        self.register_buffer("target_std", torch.ones(targets))
        self.register_buffer("dry_mean", torch.zeros(BANDS, STATISTICS))
        self.register_buffer("dry_std", torch.ones(BANDS, STATISTICS))
        self.encoder, self.params = encoder, params
        encoder.known.requires_grad_(True)
        pooled = BANDS * encoder.dims
        self.project = nn.Sequential(nn.Linear(pooled, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, PROJECTED))
        self.describe = nn.Linear(encoder.dims, STATISTICS)
        self.masked = UtteranceFrame(encoder, EAT) if "eat" in params.objectives else None

    def forward(self, batch: Batch, generator: np.random.Generator) -> dict[str, Tensor]:
        """Compute the loss of each objective: scalars by its name."""
        wanted = self.params.objectives
        losses: dict[str, Tensor] = {}
        if wanted.keys() - {"eat"}:
            grid = self.encoder.tokens(batch.x)[0].values  # (clips, time, bands, dims)
            bands = grid.mean(dim=1)  # (clips, bands, dims)
            pooled = bands.flatten(1)
            for name, alike in (("changes", batch.sound), ("doppelgangers", self._like(batch))):
                if name in wanted:
                    z = F.normalize(self.project(pooled), dim=1)
                    losses[name] = contrastive(z, alike, self.params.temperature)
            if "parameters" in wanted:
                losses["parameters"] = known_error(
                    self.encoder.known(pooled), (batch.targets - self.target_mean) / self.target_std
                )
            if "dry" in wanted:
                losses["dry"] = known_error(self.describe(bands), (batch.dry - self.dry_mean) / self.dry_std)
        if self.masked is not None:
            frame, utterance = self.masked(masked(batch.x, generator))[0]
            losses["eat"] = frame.mean() + EAT.utterance_weight * utterance.mean()
        return losses

    def _like(self, batch: Batch) -> Tensor:
        return torch.where(batch.amount <= self.params.like, -1 - batch.group, batch.sound)


def contrastive(z: Tensor, sound: Tensor, temperature: float) -> Tensor:
    """Compute the supervised contrastive loss, the mean over recordings that have another one of the same sound.

    ``-mean over positives p of log(exp(z . z_p / t) / sum over all others a of exp(z . z_a / t))``

    Parameters
    ----------
    z : Tensor [shape=(clips, dims)]
        Of length 1.
    sound : Tensor [shape=(clips,), int]
    temperature : float

    Returns
    -------
    Tensor [shape=()]
    """
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    likelihood = (z @ z.T / temperature).masked_fill(itself, -torch.inf).log_softmax(dim=1)
    same = (sound[:, None] == sound) & ~itself
    count = same.sum(dim=1)
    each = -likelihood.masked_fill(~same, 0).sum(dim=1) / count.clamp_min(1)
    return each[count > 0].mean()


def known_error(predicted: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean squared error over the parameters that are known; targets ``(clips, parameters)`` may be nan."""
    known = ~targets.isnan()
    return (predicted - targets.nan_to_num()).square()[known].mean()


def masked(x: Tensor, generator: np.random.Generator) -> MaskedBatch:
    """Draw the patches that EAT's student sees of each clip ``(clips, rows, n_features)``."""
    time = x.shape[1] // PATCH
    seen = [
        [visible_patches(generator, time, BANDS, EAT.mask, EAT.block) for _ in range(EAT.clones)] for _ in range(len(x))
    ]
    return MaskedBatch(x, x, torch.full((len(x),), x.shape[1]), torch.from_numpy(np.array(seen)))
