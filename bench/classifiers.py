"""Training steps of the convolutional networks: share of what matrix products allow."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import nn

from asd.base.section import checked
from asd.classifiers.losses.adacos import AdaCos
from asd.encoders.params import EncoderBlock, EncoderParams
from asd.encoders.registry import create_encoder
from asd.features.params import FrontEnd
from bench.harness import Row, in_turns
from bench.products import operations_of, products, wait

THREADS, RUNS, BATCH, CLASSES, SECONDS = 2, 3, 16, 40, 10
WIDTHS = {"se_resnet18": (32, 64), "dual_branch": (8, 16)}  # of each the last is the paper's
PARAMS = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8"))


def networks() -> dict[str, EncoderBlock]:
    """Give the convolutional networks of params.yaml at two widths each."""
    return {
        f"{name}, width {width}": checked(EncoderParams, PARAMS["encoders"][name] | {"width": width}).root
        for name, widths in WIDTHS.items()
        for width in widths
    }


def shape(block: EncoderBlock) -> tuple[int, int]:
    """Give rows and bands of ten seconds as a network hears them."""
    heard = checked(FrontEnd, PARAMS["features"][block.features]).root
    assert heard.rows_per_second
    return round(SECONDS * heard.rows_per_second), heard.bands


def rows() -> list[Row]:
    """Measure a step of each in float32 and in bfloat16, on the processor and on a GPU where there is one."""
    torch.set_num_threads(THREADS)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return [row for device in devices for name, block in networks().items() for row in _step(name, block, device)]


def _step(name: str, block: EncoderBlock, device: str) -> list[Row]:
    """Measure forward, backward and Adam in both precisions, in turns with products of as many operations."""
    clips = list(range(BATCH if device == "cpu" else 8 * BATCH))
    plain, half = (_training(block, device, low, len(clips)) for low in (False, True))
    operations = operations_of(lambda: plain(clips)) / len(clips)
    low = products(operations, device, torch.bfloat16)
    works: Mapping[str, Callable] = {
        "float32": plain, "bfloat16": half,
        "float32 products": products(operations, device, torch.float32), "bfloat16 products": low,
    }  # fmt: skip
    times = in_turns(works, clips, RUNS)
    found = []
    for precision, other in (("float32", "bfloat16"), ("bfloat16", "float32")):
        said = f"a training step of {name}, {len(clips)} clips of {SECONDS} s, {device}, {precision}"
        said += f", {operations / 1e9:.2f} GFLOP/clip"
        floor = f"matrix products of as many operations in {precision}"
        row = Row(said, "ms/clip", times[precision], other, times[other], floor, times[f"{precision} products"])
        found.append(row)
    return found


def _training(block: EncoderBlock, device: str, low: bool, clips: int) -> Callable[[Sequence], None]:
    rows, bands = shape(block)
    network = create_encoder(block, bands).to(device).train()
    x = torch.randn(clips, rows, bands, device=device)
    y = nn.functional.one_hot(torch.arange(clips) % CLASSES, CLASSES).float().to(device)
    loss = AdaCos(network(x[:2]).shape[-1], CLASSES).to(device)
    optimiser = torch.optim.Adam([*network.parameters(), *loss.parameters()], 1e-3)

    def step(items: Sequence) -> None:
        own = slice(max(2, len(items)))
        with torch.autocast(device, torch.bfloat16, enabled=low):
            embeddings = network(x[own]).flatten(1)
        optimiser.zero_grad(set_to_none=True)
        loss(embeddings.float(), y[own])[0].backward()
        optimiser.step()
        wait(device)

    return step
