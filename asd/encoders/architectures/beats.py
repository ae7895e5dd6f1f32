"""BEATs: a transformer over patches with gated relative positions and deep norm."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, PublishedEncoder
from asd.encoders.published import HUB, PUBLISHED, Published

PATCH = 16  # frames and bands of one patch
EMBED = 512  # dimensions of a patch before they are projected
BUCKETS, FARTHEST = 320, 800  # of relative positions: so many classes, logarithmic up to this distance
KERNEL, GROUPS = 128, 16  # of the convolution that gives positions


class BEATs(Encoder):
    """Embed 16 x 16 patches of a spectrogram as BEATs does; parameters are named as in the published files.

    Patches, ordered band by band within each column, get their positions from a convolution along that order, and
    in every block from a bias by distance, which the query gates. Residual sums are weighted by
    ``(2 depth)^(1/4)`` and normalised afterwards (deep norm).

    Parameters
    ----------
    n_features : int
        Mel bands of the front end, a multiple of 16.
    dims, depth, heads : int
        Size of a token, number of blocks, attention heads; the published one has 768, 12, 12.
    frames : int
        Context length in frames, that of the ten seconds it was trained on.

    References
    ----------
    Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023; the gate: Chen et al., "WavLM:
    Large-scale self-supervised pre-training for full stack speech processing", IEEE JSTSP 2022; deep norm: Wang et
    al., "DeepNet: Scaling transformers to 1,000 layers", 2022.
    """

    least = PATCH
    block_list = "encoder.layers"
    block_layers = (
        *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"),
        *("fc1", "fc2"),
    )

    def __init__(self, n_features: int, dims: int = 768, depth: int = 12, heads: int = 12, frames: int = 1024) -> None:
        super().__init__()
        self.dims, self.bands, self.depth, self.frames = dims, n_features // PATCH, depth, frames
        self.patch_embedding = nn.Conv2d(1, EMBED, PATCH, PATCH, bias=False)
        self.layer_norm = nn.LayerNorm(EMBED)
        self.post_extract_proj = nn.Linear(EMBED, dims)
        self.encoder = Blocks(dims, depth, heads)

    def embed(self, x: Tensor) -> Tensor:
        """Cut ``(clips, frames, n_features)`` into tokens without positions ``(clips, time * bands', dims)``."""
        patches = self.patch_embedding(x.unsqueeze(1)).flatten(2).transpose(1, 2)
        return self.post_extract_proj(self.layer_norm(patches))

    def run(self, tokens: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """Run tokens, real where ``mask`` ``(clips, n)`` is, through the blocks, one after the other."""
        return self.encoder.run(tokens, mask)

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`."""
        mask = None if real is None else real.repeat_interleave(self.bands, dim=1)
        for out in self.run(self.embed(x), mask):
            yield Grid(out.unflatten(1, (-1, self.bands)), real)

    def times(self, rows: Tensor) -> Tensor:
        """See :meth:`Encoder.times`."""
        return rows // PATCH


class Blocks(nn.Module):
    """Positions by convolution, then the blocks."""

    def __init__(self, dims: int, depth: int, heads: int) -> None:
        super().__init__()
        self.pos_conv = nn.ModuleList([PositionConvolution(dims)])
        self.layer_norm = nn.LayerNorm(dims)
        self.layers = nn.ModuleList(Block(dims, depth, heads, first=number == 0) for number in range(depth))

    def run(self, x: Tensor, mask: Tensor | None) -> Iterator[Tensor]:
        """Run tokens ``(clips, n, dims)``, real where ``mask`` ``(clips, n)`` is, giving each block's output."""
        if mask is not None:
            x = x * mask.unsqueeze(2)
        x = self.layer_norm(x + self.pos_conv[0](x))
        bias = self.layers[0].self_attn.by_distance(x.shape[1])  # type: ignore[operator, union-attr]
        hidden = None if mask is None else torch.zeros(mask.shape, dtype=x.dtype, device=x.device)
        if hidden is not None:
            hidden = hidden.masked_fill(~mask, -torch.inf)[:, None, None, :]  # type: ignore[operator]
        for layer in self.layers:
            x = layer(x, bias, hidden)
            yield x


class PositionConvolution(nn.Module):
    """A convolution along the tokens whose weights are normalised tap by tap, and GELU."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        direction = torch.randn(dims, dims // GROUPS, KERNEL) * math.sqrt(4 / (KERNEL * dims))
        self.weight_v = nn.Parameter(direction)
        self.weight_g = nn.Parameter(direction.norm(dim=(0, 1), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(dims))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(clips, n, dims)`` to the same shape."""
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        y = F.conv1d(x.transpose(1, 2), weight, self.bias, padding=KERNEL // 2, groups=GROUPS)
        return F.gelu(y[:, :, :-1]).transpose(1, 2)  # an even kernel gives one too many


class Block(nn.Module):
    """Attention and two-layer perceptron under deep norm."""

    def __init__(self, dims: int, depth: int, heads: int, first: bool) -> None:
        super().__init__()
        self.alpha = (2 * depth) ** 0.25
        self.self_attn = GatedAttention(dims, heads, first)
        self.self_attn_layer_norm = nn.LayerNorm(dims)
        self.fc1 = nn.Linear(dims, 4 * dims)
        self.fc2 = nn.Linear(4 * dims, dims)
        self.final_layer_norm = nn.LayerNorm(dims)

    def forward(self, x: Tensor, bias: Tensor, hidden: Tensor | None) -> Tensor:
        """Map tokens ``(clips, n, dims)`` to tokens."""
        x = self.self_attn_layer_norm(self.alpha * x + self.self_attn(x, bias, hidden))
        return self.final_layer_norm(self.alpha * x + self.fc2(F.gelu(self.fc1(x))))


class GatedAttention(nn.Module):
    """Attention with a bias by distance, scaled for each query by two gates that are computed from it."""

    def __init__(self, dims: int, heads: int, first: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(dims, dims) for _ in range(4))
        self.grep_linear = nn.Linear(dims // heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))
        if first:  # one table for all blocks
            self.relative_attention_bias = nn.Embedding(BUCKETS, heads)

    def by_distance(self, n: int) -> Tensor:
        """Look up the bias ``(heads, n, n)``; of the first block alone."""
        position = torch.arange(n)
        return self.relative_attention_bias(_bucket(position - position[:, None]).to(self.grep_a.device)).movedim(2, 0)

    def forward(self, x: Tensor, bias: Tensor, hidden: Tensor | None) -> Tensor:
        """Attend over ``(clips, n, dims)``, not to what is ``hidden``: ``(clips, 1, 1, n)``, 0 or minus infinity."""
        clips, n, dims = x.shape
        q, k, v = (
            project(x).view(clips, n, self.heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        gates = self.grep_linear(q).unflatten(3, (2, 4)).sum(dim=4).sigmoid()  # (clips, heads, n, 2)
        gate = gates[..., :1] * (gates[..., 1:] * self.grep_a - 1) + 2
        scores = gate * bias if hidden is None else gate * bias + hidden
        attended = F.scaled_dot_product_attention(q, k, v, scores)
        return self.out_proj(attended.transpose(1, 2).reshape(clips, n, dims))


def _bucket(distance: Tensor) -> Tensor:
    """Sort signed distances into classes: half of them by sign, exact while near, logarithmic when far."""
    half = BUCKETS // 2
    near = half // 2
    far = distance.abs()
    growing = (far.clamp_min(1).float() / near).log() / math.log(FARTHEST / near) * (half - near)
    logarithmic = (near + growing.long()).clamp_max(half - 1)
    return half * (distance > 0) + torch.where(far < near, far, logarithmic)


@ENCODERS.register("beats_iter3_plus", "beats_iter3")
class BEATsParams(PublishedEncoder):
    """The block of BEATs."""

    network = BEATs
    adaptable = transformer = True


def own_names(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Unwrap the model; the relative positions are one tensor, written under the names of all layers."""
    tensors = dict(content["model"])
    shared = [name for name in tensors if name.endswith("relative_attention_bias.weight")]
    for name in shared[1:]:
        if torch.equal(tensors[name], tensors[shared[0]]):  # else it is left, and refused as a tensor too many
            del tensors[name]
    return tensors


ITER3_PLUS = PUBLISHED.register("beats_iter3_plus")(
    Published(
        options={"dims": 768, "depth": 12, "heads": 12},
        front_end="beats_fbank",
        n_features=128,
        patch=(16, 16),
        dims=768,
        licence="MIT",
        file="BEATs_iter3_plus_AS2M.pt",
        addresses=(
            f"{HUB}/lpepino/beats_ckpts/resolve/main",
            f"{HUB}/datasets/Bencr/beats-checkpoints/resolve/main",
            f"{HUB}/mooneyko/BEATs/resolve/main",
        ),
        own_names=own_names,
        size=361_499_833,
        sha256="d43cbfad4d7b56381c061d7a24774f908d4d94c72961f6eb1d9090ff18cd8d34",
    )
)
PUBLISHED.register("beats_iter3")(
    replace(
        ITER3_PLUS,
        file="BEATs_iter3.pt",
        sha256="8d1b234032a9ccff353612dc6c20982346dc2968b205b79d97303eb5e77bfb34",
    )
)
