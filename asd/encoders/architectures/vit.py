"""A vision transformer over a spectrogram, of EAT's architecture."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from asd.encoders.encoder import Encoder, Grid
from asd.encoders.encoder_params import ENCODERS, FrontEndLike, PublishedEncoder, TokenBlock
from asd.encoders.published import HUB, PUBLISHED, Published
from asd.encoders.standardise import Standardise

PATCH = 16  # frames and bands of one patch


class ViTEncoder(Encoder):
    """Embed 16 x 16 patches of a spectrogram by transformer blocks, as EAT and SSLAM do.

    Fixed two-dimensional sine positions, a class token, one layer norm before the first block and
    normalisation after each residual sum (data2vec 2.0's blocks).

    Parameters
    ----------
    n_features : int
        Mel bands of the front end, a multiple of 16.
    dims, depth, heads : int
        Size of a token, number of blocks, attention heads; EAT base has 768, 12, 12.
    frames : int
        Context length in frames, as it was trained; longer clips are embedded in windows of so many.
    places : int
        Patches along time of the table of positions, which is part of EAT's published weights (768); 0: positions
        are computed as they are needed, and are not part of the weights.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024; Alex et al., "SSLAM:
    Enhancing self-supervised models with audio mixtures for polyphonic soundscapes", ICLR 2025.
    """

    positions: Tensor | None
    least = PATCH
    has_cls = True
    block_list = "blocks"
    block_layers = ("qkv", "project", "mlp.0", "mlp.2")

    def __init__(
        self,
        n_features: int,
        dims: int = 128,
        depth: int = 4,
        heads: int = 4,
        frames: int = 256,
        places: int = 0,
    ) -> None:
        super().__init__()
        self.dims, self.bands, self.depth, self.frames = dims, n_features // PATCH, depth, frames
        self.patches = nn.Conv2d(1, dims, PATCH, PATCH)
        nn.init.xavier_uniform_(self.patches.weight.view(dims, -1))
        if not places:
            self.patches.weight.data = smooth_in_time(self.patches.weight.data)
        nn.init.zeros_(self.patches.bias)  # type: ignore[arg-type]
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, dims))
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.blocks = nn.ModuleList(Block(dims, heads) for _ in range(depth))
        self.register_buffer("positions", frequency_first(places, self.bands, dims)[None] if places else None)
        self.input = None if places else Standardise(n_features)

    def embed(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Cut ``(clips, frames, n_features)`` into tokens with positions ``(clips, time * bands', dims)``.

        Rows beyond a multiple of 16 are left out; columns that are not ``real`` ``(clips, time)`` have no say in the
        level of a clip.
        """
        tokens = in_patches(self._image(x, real), self.patches)
        time = tokens.shape[1] // self.bands
        if self.positions is not None:
            return tokens + self.positions[:, : time * self.bands]
        return tokens + positions(time, self.bands, self.dims).to(tokens)

    def _image(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Standardise the image that patches are cut out of: ``(clips, 1, frames, n_features)``."""
        x = x[:, : x.shape[1] // PATCH * PATCH]
        if self.input is not None:
            x = self.input(x, None if real is None else real.repeat_interleave(PATCH, dim=1))
        return x.unsqueeze(1)

    def run(self, tokens: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
        """Run tokens ``(clips, n, dims)`` behind a class token through the blocks, one after the other.

        Parameters
        ----------
        tokens : Tensor [shape=(clips, n, dims)]
        mask : Tensor [shape=(clips, n)], bool
            False where a token is padding, which is not attended to. None: none is.

        Yields
        ------
        Tensor [shape=(clips, 1 + n, dims)]
            The output of each block.
        """
        x = self.norm(torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1))
        seen = None if mask is None else F.pad(mask, (1, 0), value=True)[:, None, None, :]
        for block in self.blocks:
            x = block(x, seen)
            yield x

    def hidden(self, x: Tensor, real: Tensor | None = None) -> Iterator[Grid]:
        """See :meth:`Encoder.hidden`."""
        mask = None if real is None else real.repeat_interleave(self.bands, dim=1)
        for out in self.run(self.embed(x, real), mask):
            yield Grid(out[:, 1:].unflatten(1, (-1, self.bands)), real, out[:, 0])

    def times(self, rows: Tensor) -> Tensor:
        """See :meth:`Encoder.times`."""
        return rows // PATCH


class Block(nn.Module):
    """Attention and two-layer perceptron, each followed by a residual sum and a layer norm."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.project = nn.Linear(dims, dims)
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dims, 4 * dims), nn.GELU(), nn.Linear(4 * dims, dims))
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        """Map tokens ``(clips, n, dims)`` to tokens that look at those ``seen``: ``(clips, 1, 1, n)``, bool."""
        clips, n, dims = x.shape
        q, k, v = self.qkv(x).view(clips, n, 3, self.heads, dims // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v, seen).transpose(1, 2).reshape(clips, n, dims)
        x = self.norm1(x + self.project(attended))
        return self.norm2(x + self.mlp(x))


def in_patches(x: Tensor, patches: nn.Conv2d) -> Tensor:
    """Apply a convolution whose stride is its size, as one product of matrices.

    Its gradient takes a third of the time of the convolution's on a CPU.

    Parameters
    ----------
    x : Tensor [shape=(clips, channels, frames, n_features)]
    patches : nn.Conv2d

    Returns
    -------
    Tensor [shape=(clips, time * bands, dims)]
        Row after row of patches.
    """
    clips, channels, rows, bands = x.shape
    side = patches.stride[0]
    last = x.permute(0, 2, 3, 1)  # channels last, as it lies in memory, and as its gradient should
    cut = last.reshape(clips, rows // side, side, bands // side, side, channels).transpose(2, 3)
    weight = patches.weight.permute(0, 2, 3, 1).flatten(1)
    return F.linear(cut.reshape(clips, rows // side * (bands // side), -1), weight, patches.bias)


def positions(time: int, bands: int, dims: int) -> Tensor:
    """Make fixed sine positions for a grid, half of the dimensions for each axis.

    Parameters
    ----------
    time, bands : int
        Size of the grid.
    dims : int

    Returns
    -------
    Tensor [shape=(time * bands, dims)]
    """
    t, f = torch.meshgrid(torch.arange(time), torch.arange(bands), indexing="ij")
    return torch.cat([_sines(t.flatten(), dims // 2), _sines(f.flatten(), dims // 2)], dim=1)


def smooth_in_time(weight: Tensor) -> Tensor:
    """Weaken the response of random patches ``(dims, 1, rows, bands)`` to fast changes, at the same energy.

    Component k of a cosine transform along time by ``(1 + k)^-2``.
    A machine's lines last longer than a patch, the noise of a single frame does not: its share of a token
    can be neither predicted nor used.
    """
    rows = weight.shape[2]
    k, row = torch.meshgrid(torch.arange(rows), torch.arange(rows), indexing="ij")
    basis = torch.cos(math.pi * k * (row + 0.5) / rows)
    basis = basis / basis.norm(dim=1, keepdim=True)
    gains = (1.0 + torch.arange(rows)) ** -2
    gains = gains / gains.square().mean().sqrt()
    return torch.einsum("dirb,kr,k,ks->disb", weight, basis, gains, basis)


def frequency_first(time: int, bands: int, dims: int) -> Tensor:
    """Make the positions of EAT's published weights: :func:`positions` with the band's dimensions first."""
    return positions(time, bands, dims).roll(dims // 2, dims=1)


def _sines(position: Tensor, dims: int) -> Tensor:
    rates = 10000.0 ** -(torch.arange(dims // 2) / (dims / 2))
    angles = position[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


@ENCODERS.register("tiny")
class TinyParams(TokenBlock):
    """Keywords of :class:`ViTEncoder`: a small vision transformer of EAT's architecture."""

    network = ViTEncoder
    adaptable = transformer = True

    dims: int = Field(128, ge=8, multiple_of=8)
    depth: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    frames: int = Field(256, ge=16, multiple_of=16)

    @model_validator(mode="after")
    def _heads_divide_dims(self) -> "TinyParams":
        if self.dims % self.heads:
            raise ValueError(f"dims is {self.dims}: it must divide by heads, {self.heads}")
        return self

    def mismatch(self, front_end: FrontEndLike) -> str:
        """See :meth:`EncoderBlock.mismatch`."""
        fits = front_end.kind in ("log_mel", "kaldi_fbank") and front_end.n_features % PATCH == 0
        return "" if fits else f"takes a log_mel or kaldi_fbank whose n_mels is a multiple of {PATCH}"


@ENCODERS.register("small")
class SmallParams(TinyParams):
    """A quarter of EAT base: 12 blocks of 384 dimensions, 21.5 M parameters."""

    dims: int = Field(384, ge=8, multiple_of=8)
    depth: int = Field(12, ge=1)
    heads: int = Field(6, ge=1)
    frames: int = Field(1024, ge=16, multiple_of=16)


@ENCODERS.register("eat_base", "eat_large", "sslam")
class EATParams(PublishedEncoder):
    """The block of EAT and SSLAM."""

    network = ViTEncoder
    adaptable = transformer = True


NAMES = (  # pattern in the published file, our name
    (r"^model\.", ""),
    (r"^local_encoder\.proj\.", "patches."),
    (r"^extra_tokens$", "cls"),
    (r"^pre_norm\.", "norm."),
    (r"^fixed_positional_encoder\.positions$", "positions"),
    (r"\.attn\.qkv\.", ".qkv."),
    (r"\.attn\.proj\.", ".project."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.2."),
)


def own_names(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rename the tensors of the authors' safetensors."""
    return {_renamed(name): value for name, value in content.items()}


def _renamed(name: str) -> str:
    for pattern, ours in NAMES:
        name = re.sub(pattern, ours, name)
    return name


EAT = PUBLISHED.register("eat_base")(
    Published(
        options={"dims": 768, "depth": 12, "heads": 12, "frames": 1024, "places": 768},
        front_end="kaldi_fbank",
        n_features=128,
        patch=(PATCH, PATCH),
        dims=768,
        licence="MIT",
        file="model.safetensors",
        addresses=(f"{HUB}/worstchan/EAT-base_epoch30_pretrain/resolve/main",),
        own_names=own_names,
        size=359_905_840,
        sha256="8623072d09aac4f3ad1168b4fed3a24e4f68fe1da25b9fe733375efb237e5f48",
    )
)
PUBLISHED.register("eat_large")(
    replace(
        EAT,
        options={"dims": 1024, "depth": 24, "heads": 16, "frames": 1024, "places": 768},
        dims=1024,
        addresses=tuple(  # its sha256 is not known, so by revision first
            f"{HUB}/worstchan/EAT-large_epoch20_pretrain/resolve/{revision}"
            for revision in ("1109aaae544915a2b82182c643c1894b1b4d9f27", "main")
        ),
        size=None,
        sha256=None,
    )
)
PUBLISHED.register("sslam")(
    replace(
        EAT,
        addresses=(f"{HUB}/ta012/SSLAM_pretrain/resolve/main",),
        size=None,
        sha256="8ec670adb241c710422ddd894ff1bade142ef0b25cf1ee68577aa45f89432298",
    )
)
