"""Training steps of the convolutional networks: fraction of the limit by matrix products."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
import yaml
from torch import nn

from asd.classifiers.losses.adacos import AdaCos
from asd.core.section import checked
from asd.encoders.encoder_params import EncoderBlock, EncoderParams
from asd.encoders.networks import create_encoder
from asd.features.front_end import FrontEnd
from bench.harness import Row, in_turns
from bench.products import operations_of, products, wait

THREADS, RUNS, BATCH, CLASSES, SECONDS = 2, 3, 16, 40, 10
WIDTHS = {"se_resnet18": (32, 64), "dual_branch": (8, 16)}  # the last of each is the paper's
PARAMS = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8"))


def networks() -> dict[str, EncoderBlock]:
    """Give the convolutional networks of params.yaml at two widths each."""
    return {
        f"{name}, width {width}": checked(EncoderParams, PARAMS["encoders"][name] | {"width": width}).root
        for name, widths in WIDTHS.items()
        for width in widths
    }


def shape(block: EncoderBlock) -> tuple[int, int]:
    """Give frames and features of ten seconds as a network takes them."""
    front_end = checked(FrontEnd, PARAMS["features"][block.features]).root
    assert front_end.frames_per_second
    return round(SECONDS * front_end.frames_per_second), front_end.n_features


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
        title = f"a training step of {name}, {len(clips)} clips of {SECONDS} s, {device}, {precision}"
        title += f", {operations / 1e9:.2f} GFLOP/clip"
        floor = f"matrix products of as many operations in {precision}"
        row = Row(title, "ms/clip", times[precision], other, times[other], floor, times[f"{precision} products"])
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
        batch = slice(max(2, len(items)))
        with torch.autocast(device, torch.bfloat16, enabled=low):
            embeddings = network(x[batch]).flatten(1)
        optimiser.zero_grad(set_to_none=True)
        loss(embeddings.float(), y[batch])[0].backward()
        optimiser.step()
        wait(device)

    return step
