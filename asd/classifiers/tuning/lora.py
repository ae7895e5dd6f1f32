"""Low-rank adaptation: a small map is learnt beside each linear layer of a transformer, which stays frozen."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.classifiers.params import FineTuneParams
from asd.core.compute import torch_rng
from asd.core.errors import UserError
from asd.encoders.encoder import Encoder


class LoRA(nn.Module):
    """A frozen linear layer and, beside it, branches of low rank that are connected with each other.

    ``y = W0 x + b0 + s sum_i sum_j g_ij B_j A_i x``, ``s = alpha / rank``. B is zero at first, so that nothing is
    changed until something is learnt. Several connected branches are Han et al.'s "fully-connected" LoRA; how they are
    connected is not openly published, and the three kinds are ours:

    - ``fixed``: ``g = (I + J / n) / 2``, J all ones: half of each branch goes straight on, half is shared by all. It is
      invertible, so the maps are those of one LoRA of n times the rank; a g of ones alone would leave one branch.
    - ``learnt``: g starts there and is learnt: the same maps.
    - ``gated``: ``g_ij(x) = 2 sigmoid(v_ij x) g_ij`` for every token x, with v zero at first: no single matrix.

    Parameters
    ----------
    base : nn.Linear
    branches, rank : int
        n, and the rank of each.
    mixing : str
        ``fixed``, ``learnt`` or ``gated``.
    scale : float
        s.

    References
    ----------
    E. Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022; B. Han et al., arXiv 2508.12230.
    """

    scale: Tensor

    def __init__(self, base: nn.Linear, branches: int, rank: int, mixing: str = "fixed", scale: float = 1.0) -> None:
        super().__init__()
        new = base.weight.new_zeros
        self.base = base
        self.a = nn.Parameter(new(branches, rank, base.in_features))
        self.b = nn.Parameter(new(branches, base.out_features, rank))
        mix = (torch.eye(branches) + torch.full((branches, branches), 1 / branches)).to(base.weight) / 2
        self.mix = nn.Parameter(mix, requires_grad=mixing != "fixed")
        self.gate = nn.Parameter(new(branches**2, base.in_features)) if mixing == "gated" else None
        self.register_buffer("scale", torch.full_like(mix[0, 0], scale))

    def initialise(self, generator: torch.Generator) -> None:
        """Initialise A at random, evenly up to the inverse root of the inputs."""
        with torch.no_grad():
            self.a.uniform_(-1, 1, generator=generator).mul_(self.base.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., in)`` to ``(..., out)``."""
        low = F.linear(x, self.a.flatten(0, 1))  # (..., branches * rank)
        if self.gate is None:
            return self.base(x) + F.linear(low, self.up(self.mix))
        branches, rank = self.a.shape[:2]
        gates = 2 * F.linear(x, self.gate).sigmoid().unflatten(-1, self.mix.shape) * self.mix  # (..., i, j)
        low = torch.einsum("...ij,...ir->...jr", gates, low.unflatten(-1, (branches, rank))).flatten(-2)
        return self.base(x) + F.linear(low, self.up(torch.eye(branches).to(self.mix)))

    def up(self, mix: Tensor) -> Tensor:
        """Give ``s sum_j g_ij B_j`` of all branches i side by side, ``(out, branches * rank)``."""
        return self.scale * torch.einsum("ij,jor->oir", mix, self.b).flatten(1)

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """Give one linear layer that does the same, or this one where there is none."""
        if self.gate is not None:
            return self
        low, up = self.a.flatten(0, 1), self.up(self.mix)
        self.base.weight.copy_(self.base.weight.double() + up.double() @ low.double())
        return self.base


def install(network: nn.Module, params: FineTuneParams, seed: int) -> None:
    """Put LoRA beside the linear layers of a network's transformer blocks and freeze the rest of its encoder, in place.

    A pooling with weights, which is randomly initialised, is left to learn.

    Parameters
    ----------
    network : nn.Module
    params : FineTuneParams
    seed : int
        Of the initial weights.

    Raises
    ------
    UserError
        Where there are no such layers.
    """
    names = [name for block in block_layers(network) for name in block]
    if not names:
        raise UserError(f"train.fine_tune is 'lora': {type(network).__name__} is no transformer, set it to full")
    for encoder in (part for part in network.modules() if isinstance(part, Encoder)):
        encoder.requires_grad_(False)
        encoder.pool.requires_grad_(True)
    plain = params.mixing == "plain"
    branches, rank = (1, params.branches * params.rank) if plain else (params.branches, params.rank)
    for name in names:
        base = network.get_submodule(name)
        assert isinstance(base, nn.Linear)
        layer = LoRA(base, branches, rank, "fixed" if plain else params.mixing, params.alpha / params.rank)
        layer.initialise(torch_rng(seed, "lora", name))
        network.set_submodule(name, layer)


def block_layers(network: nn.Module) -> list[list[str]]:
    """Name the linear layers of each transformer block of a network, the output of its perceptron last."""
    names = []
    for path, part in network.named_modules():
        if isinstance(part, Encoder):
            prefix = f"{path}." if path else ""
            blocks = [f"{prefix}{block}" for block in part.transformer_blocks()]
            names += [[f"{block}.{layer}" for layer in part.block_layers] for block in blocks]
    return names


def merge(network: nn.Module) -> None:
    """Put linear layers back where LoRA merges, in place."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, LoRA):
            network.set_submodule(name, layer.merged())


def train_mode(network: nn.Module, params: FineTuneParams) -> None:
    """Set a network to training mode, but for an encoder that is frozen: its statistics stay, nothing is dropped."""
    network.train()
    for part in network.modules():
        if isinstance(part, Encoder) and params.fine_tune == "lora":
            part.eval()
            part.pool.train()
