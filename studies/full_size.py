"""A published encoder at full size through its systems on a CPU: seconds of every stage and the largest memory.

    python -m studies.full_size eat_base|beats_iter3_plus|dasheng_base [--threads 1] [--batch 8] [--crop 128] [--step]

Random weights, a machine of the tiny simulated factory, a few clips a step and a few steps: what is shown is that every
stage runs and what it costs, not how well it detects. Every system of params.yaml that trains an adapted encoder is
trained with this one instead. ``--step`` makes no more than a few training steps by ArcFace, all weights learning.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from asd.classifiers.classification import train_step
from asd.classifiers.losses.arcface import ArcFace
from asd.classifiers.params import Classification
from asd.encoders.published import PUBLISHED
from asd.encoders.registry import create_encoder
from stages import (
    adapt,
    check,
    download,
    embed,
    ensemble,
    evaluate,
    extract,
    features,
    index,
    pseudo_label,
    report,
    score,
    select,
    trade_off,
    train,
)
from studies.factory import PARAMS, silent

MACHINE, SEED, CLASSES = "bearing", 1000, 40
ADAPT = {"steps": 2, "batch": 2, "clones": 2, "mask": 0.8, "block": 5, "learning_rate": 1.0e-05}
FEW = {"steps": 2, "learning_rate": 1.0e-05, "hold_out": 0.0}
GIB = 2**30


def few(params: dict[str, Any], encoder: str, threads: int, **step: int) -> dict[str, Any]:
    """Put an encoder of full size in the place of the labellers', and little of everything else.

    ``step`` is ``batch`` [clips] and ``crop`` [rows] of a step of training.
    """
    before, heard = params["embed"]["encoder"], PUBLISHED[encoder].front_end
    adapted = {before, *(name for name, block in params["encoders"].items() if block.get("adapt"))}
    own = {name: system for name, system in params["systems"].items() if system["encoder"] in adapted}
    own = {name: system for name, system in own.items() if system["train"]["objective"] != "none"}
    for system in own.values():
        system |= {"encoder": encoder, "features": heard}
        system["train"] |= FEW | step | ({"freeze_steps": 1} if "freeze_steps" in system["train"] else {})
    kept = ("log_mel", params["pseudo_label"]["frequency"]["features"])
    published = next((block for block in params["features"].values() if block["kind"] == heard), {"kind": heard})
    params["features"] = {name: params["features"][name] for name in kept} | {heard: published}
    decay = {"decay": 0.9998, "decay_end": 0.9999}
    block = {"architecture": encoder, "features": heard, "weights": "random", "adapt": ADAPT | decay}
    params |= {"embed": {"encoder": encoder, "features": heard}, "encoders": {encoder: block}, "systems": own}
    params["dataset"] |= {"name": "simulated", "machines": MACHINE}
    params["dataset"]["simulated"] |= {"size": "tiny", "seed": SEED}
    params["ensemble"]["members"], params["evaluate"]["resamples"] = list(own), 100
    params["compute"] |= {"device": "cpu", "threads": threads, "jobs": 1}
    return params


def stages(params: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """List what is to be run, in order."""
    (encoder,) = params["encoders"]
    steps: dict[str, Callable[[], object]] = {"check": check.main, "download": download.main, "index": index.main}
    steps |= {f"features@{name}": lambda name=name: features.main(name) for name in params["features"]}
    steps |= {f"adapt@{encoder}": lambda: adapt.main(encoder), "embed": embed.main, "pseudo_label": pseudo_label.main}
    for system in params["systems"]:
        for stage in (train, extract, score, select):
            steps[f"{stage.__name__.removeprefix('stages.')}@{system}"] = lambda s=system, stage=stage: stage.main(s)
    return steps | {s.__name__.removeprefix("stages."): s.main for s in (trade_off, ensemble, evaluate, report)}


def run(encoder: str, threads: int, say: Callable[[str], object] = print, **step: int) -> tuple[float, float]:
    """Run everything in a folder of its own; give the seconds and the largest memory of this process [GiB]."""
    torch.set_num_threads(threads)
    params = few(yaml.safe_load(PARAMS.read_text(encoding="utf-8")), encoder, threads, **step)
    total = 0.0
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        for name, work in stages(params).items():
            start = time.perf_counter()
            with silent():
                work()
            seconds = time.perf_counter() - start
            total += seconds
            say(f"| {name} | {seconds:.1f} | {_memory():.1f} |")
    return total, _memory()


def step(encoder: str, batch: int, crop: int) -> float:
    """Make training steps on noise; give the seconds of the second."""
    network = create_encoder(encoder)
    dims, bands = PUBLISHED[encoder].dims, PUBLISHED[encoder].bands
    trained = nn.ModuleDict({"encoder": network, "loss": ArcFace(dims, CLASSES)})
    optimiser = torch.optim.AdamW(trained.parameters(), 1.0e-05)
    params = Classification(objective="arcface", batch=batch, crop=crop, steps=1, learning_rate=1.0e-05)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(batch, crop, bands, generator=generator), torch.eye(CLASSES)[torch.arange(batch) % CLASSES]
    for _ in range(2):
        start = time.perf_counter()
        train_step(trained, optimiser, x, y, params, generator)
    return time.perf_counter() - start


def _memory() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if os.uname().sysname == "Darwin" else 1024) / GIB


def main() -> None:
    """Print a line a stage."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("encoder", choices=[n for n in PUBLISHED if n.startswith(("eat", "sslam", "beats", "dash"))])
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--batch", type=int, default=8, help="[clips] of a training step")
    arguments.add_argument("--crop", type=int, default=128, help="[rows] of each, 100 a second")
    arguments.add_argument("--step", action="store_true", help="a training step alone")
    args = arguments.parse_args()
    if args.step:
        torch.set_num_threads(args.threads)
        seconds = step(args.encoder, args.batch, args.crop)
        print(f"{args.encoder}, {args.batch} clips of {args.crop} rows: {seconds:.1f} s a step, {_memory():.1f} GiB")
        return
    print("| stage | seconds | GiB at most so far |\n| --- | ---: | ---: |", flush=True)
    say = partial(print, flush=True)
    seconds, memory = run(args.encoder, args.threads, say, batch=args.batch, crop=args.crop)
    print(f"| {args.encoder}, all | {seconds:.0f} | {memory:.1f} |")


if __name__ == "__main__":
    main()
