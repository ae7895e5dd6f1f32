"""Encoders: embeddings a second against the limit by matrix products of the processor."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from asd.encoders.encoder import Encoder
from asd.encoders.networks import create_encoder
from asd.encoders.precision import at_precision
from bench.harness import Row, in_turns

ROWS, BATCH, RUNS = 998, 4, 3  # ten seconds; clips at once
SIZE = 2048  # of the square matrices whose product is the peak
THREADS = 2


@torch.inference_mode()
def rows() -> list[Row]:
    """Measure EAT base with random weights, in float32 and in the faster of bfloat16 and int8."""
    torch.set_num_threads(THREADS)
    encoder = create_encoder("eat_base")
    assert isinstance(encoder, Encoder)
    clips = list(torch.randn(BATCH, 1, ROWS, 128, generator=torch.Generator().manual_seed(0)))
    embed = {low: _embedding(at_precision(encoder, low)) for low in ("float32", "bfloat16", "int8")}
    peaks = {f"{low} products": _products(encoder, getattr(torch, low)) for low in ("float32", "bfloat16")}
    times = in_turns(embed | peaks, clips, RUNS)
    name = f"eat_base, batches of {BATCH} clips of 10 s, {THREADS} threads, {{}}"

    def row(low: str, reference: str, least: float = 0.0) -> Row:
        floor = "float32" if low == "float32" else "bfloat16"
        products = times[f"{floor} products"]
        floor_name = f"matrix products of as many operations in {floor}"
        return Row(
            name.format(low),
            "ms/clip",
            times[low],
            reference,
            times[reference],
            floor_name,
            products,
            min_fraction=least,
        )

    fastest = min(("bfloat16", "int8"), key=lambda low: min(times[low]))
    return [row("float32", fastest, least=0.5), row(fastest, "float32")]


def operations(encoder: Encoder, rows: int) -> int:
    """Count the multiplications and additions of the matrix products of EAT for one clip."""
    dims, n = encoder.dims, 1 + rows // 16 * encoder.bands
    block = 2 * n * dims * 12 * dims + 4 * n * n * dims  # projections and perceptron; scores and their use
    return encoder.depth * block + 2 * n * dims * 16 * 16


def _embedding(embed: Callable[[Tensor], Tensor]) -> Callable[[Sequence[Tensor]], object]:
    return lambda clips: embed(torch.cat(list(clips)))


def _products(encoder: Encoder, precision: torch.dtype) -> Callable[[Sequence[Tensor]], object]:
    """Multiply square matrices for as many operations as the clips take."""
    a, b = (torch.randn(SIZE, SIZE).to(precision) for _ in range(2))
    each = operations(encoder, ROWS) / (2 * SIZE**3)  # products a clip

    def work(clips: Sequence[Tensor]) -> None:
        for _ in range(round(each * len(clips))):
            a @ b

    return work
