"""An adaptation module behind an encoder: linear layers and pooling of its last layers' tokens, trained by a task."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.core.compute import rng
from asd.core.errors import UserError
from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import AdaptationModuleParams
from asd.encoders.pooling import create_pooling


class AdaptationModule(nn.Module):
    """Embed clips by the last layers of an encoder, which may be frozen.

    Tokens ``z_l`` of the last layers become ``h = GELU(sum_l W_l norm(z_l) + b_l)``, are pooled and go through one more
    linear layer. Linear and pooling layers behind the last few layers are the paper's (Wang 2025); how many, of what
    size and in which order is ours.

    Parameters
    ----------
    encoder : Encoder
        Whose layers are all alike.
    params : AdaptationModuleParams

    Attributes
    ----------
    frozen : bool
        Whether the encoder neither learns nor changes anything that it keeps, such as running statistics.

    References
    ----------
    J. Wang, "Fine-tuning pre-trained audio models for anomalous sound detection", DCASE 2025 technical report.
    """

    def __init__(self, encoder: Encoder, params: AdaptationModuleParams) -> None:
        super().__init__()
        if params.layers > encoder.depth or not encoder.even:
            has = f"{encoder.depth} layers" if encoder.even else "layers of unlike shapes"
            raise UserError(f"adaptation_module.layers is {params.layers}: the encoder has {has}")
        self.encoder, self.frozen, dims = encoder, False, params.dims
        self.chosen = range(encoder.depth - params.layers + 1, encoder.depth + 1)
        self.linear = nn.ModuleList(nn.Linear(encoder.dims, dims) for _ in self.chosen)
        self.pool = create_pooling(params.pooling, dims)
        pooled = dims * (2 if params.pooling.kind == "attentive_statistics" else 1)
        self.out = nn.Linear(pooled, dims)

    @property
    def precision(self) -> str:
        """Precision in which sets are embedded; see :attr:`Encoder.precision`."""
        return self.encoder.precision

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Embed clips ``(clips, n_frames, n_features)``, ``rows`` of each real, as ``(clips, bands or 1, dims)``."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            grids = self.encoder.tokens(x, rows, self.chosen)
        parts = [
            linear(F.layer_norm(grid.values, grid.values.shape[-1:]))
            for linear, grid in zip(self.linear, grids, strict=True)
        ]
        return self.out(self.pool(Grid(F.gelu(torch.stack(parts).sum(dim=0)), grids[-1].real)))

    def train(self, mode: bool = True) -> "AdaptationModule":
        """Set the mode of all but a frozen encoder, which stays in evaluation mode."""
        super().train(mode)
        self.encoder.train(mode and not self.frozen)
        return self


def with_module(network: nn.Module, params: AdaptationModuleParams | None, seed: int = 0) -> nn.Module:
    """Put a randomly initialised module behind an encoder, or nothing; its weights depend on the seed alone.

    Parameters
    ----------
    network : nn.Module
    params : AdaptationModuleParams or None
        None: the network stays as it is.
    seed : int

    Returns
    -------
    nn.Module

    Raises
    ------
    UserError
        Where the encoder makes no tokens, or has not so many layers.
    """
    if params is None:
        return network
    if not isinstance(network, Encoder):
        raise UserError("adaptation_module: it takes an encoder of tokens, leave it out")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng(seed, "adaptation module").integers(2**63)))
        return AdaptationModule(network, params).eval()


def freeze(network: nn.Module, frozen: bool) -> None:
    """Freeze the encoder behind which there is a module, or let it learn; other networks always learn."""
    if isinstance(network, AdaptationModule):
        network.frozen = frozen
