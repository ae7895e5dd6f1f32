"""Training steps of the convolutional networks: share of what matrix products allow."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from asd.classifiers.losses.adacos import AdaCos
from asd.encoders.params import DualBranch, EncoderBlock, SEResNet18
from asd.encoders.registry import create_encoder
from bench.harness import Row, in_turns
from bench.products import operations_of, products, wait

THREADS, RUNS, BATCH, CLASSES = 2, 3, 16, 40
SHAPES = {"se_resnet18": (313, 128), "dual_branch": (500, 320)}  # rows and bands of ten seconds


def networks() -> dict[str, EncoderBlock]:
    """Give the networks of the seeds at the default's and at their own width."""
    found: dict[str, EncoderBlock] = {}
    for width in (16, 64):
        block = {"architecture": "se_resnet18", "features": "", "width": width}
        found[f"se_resnet18, width {width}"] = SEResNet18.model_validate(block)
    for width in (8, 16):
        block = {"architecture": "dual_branch", "features": "", "width": width, "magnitudes": "log"}
        found[f"dual_branch, width {width}"] = DualBranch.model_validate(block)
    return found


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
        said = f"a training step of {name}, {len(clips)} clips of 10 s, {device}, {precision}"
        said += f", {operations / 1e9:.2f} GFLOP/clip"
        floor = f"matrix products of as many operations in {precision}"
        row = Row(said, "ms/clip", times[precision], other, times[other], floor, times[f"{precision} products"])
        found.append(row)
    return found


def _training(block: EncoderBlock, device: str, low: bool, clips: int) -> Callable[[Sequence], None]:
    network = create_encoder(block, SHAPES[block.architecture][1]).to(device).train()  # type: ignore[attr-defined]
    x = torch.randn(clips, *SHAPES[block.architecture], device=device)  # type: ignore[attr-defined]
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
