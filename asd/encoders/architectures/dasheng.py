"""Dasheng: a transformer over columns of a log-mel spectrogram."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, PublishedEncoder
from asd.encoders.published import PUBLISHED, Published

PATCH = 4  # frames of one token, which spans all bands


class Dasheng(Encoder):
    """Embed columns of four frames as Dasheng does; parameters are named as in the published files.

    The last layer is the last block's output behind the final layer norm, as the authors give it. A last window that
    the authors fill with zeros is one of the evenly spaced windows here, as of every encoder.

    Parameters
    ----------
    n_features : int
        Mel bands of the front end.
    dims, depth, heads : int
        Size of a token, number of blocks, attention heads: 768, 12, 12; 1280, 32, 16; 1536, 40, 24.
    frames : int
        Context length in frames; so many have positions.

    References
    ----------
    Dinkel et al., "Scaling up masked audio encoder learning for general audio classification", Interspeech 2024.
    """

    least = PATCH
    block_list = "blocks"
    block_layers = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")

    def __init__(self, n_features: int, dims: int = 768, depth: int = 12, heads: int = 12, frames: int = 1008) -> None:
        super().__init__()
        self.dims, self.bands, self.depth, self.frames = dims, 1, depth, frames
        self.init_bn = nn.ModuleDict({"1": nn.BatchNorm2d(n_features, momentum=0.01)})
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, dims, (n_features, PATCH), (n_features, PATCH))})
        self.time_pos_embed = nn.Parameter(0.02 * torch.randn(1, dims, 1, frames // PATCH))
        self.freq_pos_embed = nn.Parameter(0.02 * torch.randn(1, dims, 1, 1))
        self.blocks = nn.Sequential(*(Block(dims, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dims, eps=1e-6)

    def embed(self, x: Tensor) -> Tensor:
        """Cut ``(clips, frames, n_features)`` into columns without positions ``(clips, time, dims)``."""
        image = self.init_bn["1"](x.transpose(1, 2).unsqueeze(2)).transpose(1, 2)  # (clips, 1, n_features, frames)
        return self.patch_embed["proj"](image).flatten(2).transpose(1, 2)

    def run(self, tokens: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """Run columns, real where ``mask`` ``(clips, n)`` is, through the blocks, one after the other."""
        positions = self.time_pos_embed[..., : tokens.shape[1]] + self.freq_pos_embed
        tokens = tokens + positions.flatten(2).transpose(1, 2)
        seen = None if mask is None else mask[:, None, None, :]
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens, seen)
            yield self.norm(tokens) if number == self.depth else tokens

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`."""
        for out in self.run(self.embed(x), real):
            yield Grid(out.unsqueeze(2), real)

    def times(self, rows: Tensor) -> Tensor:
        """See :meth:`Encoder.times`."""
        return rows // PATCH


class Block(nn.Module):
    """Attention and two-layer perceptron, each behind a layer norm and added to its input."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = Attention(dims, heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dims, 4 * dims), "fc2": nn.Linear(4 * dims, dims)})

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """Map tokens ``(clips, n, dims)`` to tokens that look at those ``seen``: ``(clips, 1, 1, n)``, bool."""
        x = x + self.attn(self.norm1(x), seen)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class Attention(nn.Module):
    """Attention of several heads."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """Map tokens ``(clips, n, dims)`` to tokens."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, seen)
        return self.proj(attended.transpose(1, 2).flatten(2))


@ENCODERS.register("dasheng_base", "dasheng_06b", "dasheng_12b")
class DashengParams(PublishedEncoder):
    """The block of Dasheng."""

    network = Dasheng
    adaptable = transformer = True


FRONT_END = ("front_end.0.spectrogram.window", "front_end.0.mel_scale.fb")


def own_names(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Unwrap the model; window and filters of its spectrogram are the front end's."""
    return {name: value for name, value in content["model"].items() if name not in FRONT_END}


BASE = PUBLISHED.register("dasheng_base")(
    Published(
        options={"dims": 768, "depth": 12, "heads": 12},
        front_end="dasheng_mel",
        n_features=64,
        patch=(4, 64),
        dims=768,
        licence="Apache-2.0",
        file="dasheng_base.pt",
        addresses=("https://zenodo.org/records/11511780/files",),
        own_names=own_names,
    )
)
for _name, _dims, _depth, _heads in (("dasheng_06b", 1280, 32, 16), ("dasheng_12b", 1536, 40, 24)):
    _options = {"dims": _dims, "depth": _depth, "heads": _heads}
    PUBLISHED.register(_name)(replace(BASE, options=_options, dims=_dims, file=f"{_name}.pt"))
