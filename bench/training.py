"""A step of training a classifier: how much of what matrix products allow, float32 against bfloat16."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from asd.classifiers.classification import train_step
from asd.classifiers.losses.registry import create_loss
from asd.classifiers.params import Classification
from asd.encoders.params import SEResNet18
from asd.encoders.registry import create_encoder
from bench.adaptation import Noise, _products, _wait
from bench.harness import Row, in_turns

THREADS, RUNS = 2, 3
BANDS, FRAMES, CLASSES, BATCH = 128, 313, 60, 32
BLOCK = {"objective": "adacos", "epochs": 1, "batch": BATCH, "learning_rate": 1e-3}
PARAMS = Classification.model_validate(BLOCK)
WIDTHS = {16: 0.1, 64: 0.2}  # of the default and of the seed: share of the peak that is asked for
PEAK = "float32 matrix products of as many operations"


def rows() -> list[Row]:
    """Measure on two cores, and on a GPU where there is one."""
    torch.set_num_threads(THREADS)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return [row for device in devices for width, share in WIDTHS.items() for row in _of_width(width, share, device)]


def _of_width(width: int, share: float, device: str) -> list[Row]:
    block = SEResNet18(architecture="se_resnet18", features="x", width=width)
    step = _step(create_encoder(block, BANDS), device)
    clips = list(range(BATCH))
    with FlopCounterMode(display=False) as counted:
        step(clips)
    works = {"ours": step, "peak": _products(counted.get_total_flops() / BATCH, device)}
    if device == "cpu":
        works["half"] = _step(create_encoder(block, BANDS), device, half=True)
    times = in_turns(works, clips, RUNS)
    where = f"{THREADS} threads" if device == "cpu" else "GPU, bfloat16"
    said = f"a step of training se_resnet18 of width {width}, {BATCH} clips x {FRAMES} frames, {where}"
    asked = share if device == "cpu" else 0.0
    found = [Row(said, "ms/clip", times["ours"], PEAK, times["peak"], PEAK, times["peak"], least_share=asked)]
    if "half" in times:
        found.append(Row(f"{said}, bfloat16", "ms/clip", times["half"], "float32", times["ours"]))
    return found


def _step(encoder: nn.Module, device: str, half: bool = False) -> Callable[[Sequence[int]], Any]:
    """Make a step as the loop takes it; on the CPU in bfloat16 if asked for, which the loop does not do."""
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    dims = encoder.eval()(torch.zeros(1, 64, BANDS)).numel()
    trained = nn.ModuleDict({"encoder": encoder, "loss": create_loss(PARAMS, dims, CLASSES)}).to(device)
    optimiser = torch.optim.AdamW(trained.parameters(), 1e-3)
    store, labels = Noise(BANDS, FRAMES), torch.eye(CLASSES)
    generator = torch.Generator().manual_seed(0)

    def step(clips: Sequence[int]) -> None:
        x = torch.from_numpy(np.stack([store[str(clip)] for clip in clips]))
        y = labels[[clip % CLASSES for clip in clips]]
        with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
            train_step(trained, optimiser, x, y, PARAMS, generator)
        _wait(device)

    return step
