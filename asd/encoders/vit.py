"""A vision transformer over a spectrogram, of EAT's architecture."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 16  # frames and bands of one patch


class ViTEncoder(nn.Module):
    """Embed 16 x 16 patches of a spectrogram by transformer blocks, as EAT does.

    Fixed two-dimensional sine positions, a class token, one layer norm before the first block and
    normalisation after each residual sum (data2vec 2.0's blocks).

    Parameters
    ----------
    bands : int
        Mel bands of the front end, a multiple of 16.
    dims, depth, heads : int
        Size of a token, number of blocks, attention heads; EAT base has 768, 12, 12.
    frames : int
        Rows that it looks at at once, those it was trained on; longer clips are embedded in windows of so many.

    References
    ----------
    Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024.
    """

    def __init__(self, bands: int, dims: int = 128, depth: int = 4, heads: int = 4, frames: int = 256) -> None:
        super().__init__()
        self.dims, self.bands, self.frames = dims, bands // PATCH, frames
        self.patches = nn.Conv2d(1, dims, PATCH, PATCH)
        nn.init.xavier_uniform_(self.patches.weight.view(dims, -1))
        nn.init.zeros_(self.patches.bias)  # type: ignore[arg-type]
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, dims))
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.blocks = nn.ModuleList(Block(dims, heads) for _ in range(depth))

    def embed(self, x: Tensor) -> Tensor:
        """Cut ``(clips, rows, bands)`` into tokens with positions ``(clips, time * bands', dims)``.

        Rows beyond a multiple of 16 are left out; a clip shorter than a patch is repeated to one.
        """
        if x.shape[1] < PATCH:
            x = x.repeat(1, -(-PATCH // x.shape[1]), 1)[:, :PATCH]
        tokens = self.patches(x.unsqueeze(1))  # (clips, dims, time, bands')
        time = tokens.shape[2]
        return tokens.flatten(2).transpose(1, 2) + positions(time, self.bands, self.dims).to(tokens)

    def layers(self, tokens: Tensor) -> list[Tensor]:
        """Run tokens ``(clips, n, dims)`` behind a class token through all blocks.

        Returns
        -------
        list of Tensor [shape=(clips, 1 + n, dims)]
            The output of every block.
        """
        x = self.norm(torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1))
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``(clips, rows, bands)`` as ``(clips, 1, dims)``: the mean of the last block's patch tokens."""
        pieces = windows(x, self.frames)
        tokens = self.layers(self.embed(pieces.flatten(0, 1)))[-1][:, 1:]
        return tokens.mean(dim=1).unflatten(0, pieces.shape[:2]).mean(dim=1, keepdim=True)


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

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens ``(clips, n, dims)`` to tokens."""
        clips, n, dims = x.shape
        q, k, v = self.qkv(x).view(clips, n, 3, self.heads, dims // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(clips, n, dims)
        x = self.norm1(x + self.project(attended))
        return self.norm2(x + self.mlp(x))


def windows(x: Tensor, rows: int) -> Tensor:
    """Cut clips into as few windows as cover them, evenly spaced: ``(clips, windows, rows at most, bands)``."""
    if x.shape[1] <= rows:
        return x.unsqueeze(1)
    count = -(-x.shape[1] // rows)
    starts = torch.linspace(0, x.shape[1] - rows, count).round().long().tolist()
    return torch.stack([x[:, start : start + rows] for start in starts], dim=1)


def positions(time: int, bands: int, dims: int) -> Tensor:
    """Make fixed sine positions for a grid, half of the dimensions for each axis, ``(time * bands, dims)``."""
    t, f = torch.meshgrid(torch.arange(time), torch.arange(bands), indexing="ij")
    return torch.cat([_sines(t.flatten(), dims // 2), _sines(f.flatten(), dims // 2)], dim=1)


def _sines(position: Tensor, dims: int) -> Tensor:
    rates = 10000.0 ** -(torch.arange(dims // 2) / (dims / 2))
    angles = position[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
