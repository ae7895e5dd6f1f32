"""Costs: parameters, operations and time of every system; published encoders at full size and in lower precision.

    python -m studies.costs [--seconds 10] [--threads 2] [--systems NAME ...] [--full]
    python -m studies.costs full_size eat_base|beats_iter3_plus|dasheng_base [--threads 1] [--batch 8] [--crop 128]
                                      [--step]
    python -m studies.costs precision ENCODER

``--help`` after the name of a study says what it measures.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from asd.classifiers.batches import Batch
from asd.classifiers.losses.arcface import ArcFace
from asd.classifiers.objectives.classification import Classification, train_step
from asd.classifiers.objectives.reconstruction import gather, vectors
from asd.classifiers.params import Objective, TrainedObjective, TrainParams
from asd.classifiers.tuning.groups import of_groups
from asd.classifiers.tuning.lora import merge
from asd.classifiers.tuning.tuned import tune
from asd.core.clips import read_clips, training
from asd.core.project import CLIPS, TRUTH
from asd.core.section import read_params
from asd.encoders.adaptation_module import with_module
from asd.encoders.architectures.dense import DenseAutoencoder
from asd.encoders.architectures.dual_branch import DualBranchParams
from asd.encoders.architectures.se_resnet import SEResNet18Params
from asd.encoders.embedding import apply
from asd.encoders.encoder_params import EncoderBlock
from asd.encoders.networks import create_encoder, read_encoder
from asd.encoders.published import PUBLISHED
from asd.evaluation.auc import auc, partial_auc
from asd.evaluation.labelled_scores import read_truth, scored_clips
from asd.evaluation.official import mean
from asd.features.front_end import FrontEndParams
from asd.features.prepare import prepare_waveform
from asd.features.store import FeatureStore
from asd.params import Params, System, check
from bench.harness import peak_memory
from stages import (
    adapt,
    download,
    embed,
    embeddings,
    ensemble,
    evaluate,
    features,
    index,
    pseudo_label,
    report,
    score,
    train,
)
from stages import check as check_stage
from studies.shared import Commands, scratch_project, shipped_params, silent, table

HEADER = ["system", "front end", "network", "stored", "trained", "MMAC/clip", "front end, ms/clip", "network, ms/clip"]
SIZES: dict[type[EncoderBlock], dict[str, Any]] = {SEResNet18Params: {"width": 64}, DualBranchParams: {"width": 16}}
RUNS = 5
MACHINE, SEED, CLASSES = "bearing", 1000, 40
ADAPT = {"steps": 2, "batch": 2, "clones": 2, "mask": 0.8, "block": 5, "learning_rate": 1.0e-05}
FEW = {"steps": 2, "learning_rate": 1.0e-05, "hold_out": 0.0}
PRECISIONS = ("float32", "bfloat16", "int8")


class Cost(NamedTuple):
    """Costs of one system for one clip.

    Attributes
    ----------
    stored : int
        Numbers of a trained network, LoRA merged where it merges: parameters and running statistics.
    trained : int
        Those that its objective changes.
    macs : int
        Multiplications and additions of products and convolutions.
    front_end, network : float
        [s]
    """

    stored: int
    trained: int
    macs: int
    front_end: float
    network: float


def systems(args: argparse.Namespace) -> None:
    """Count and time every system: parameters, multiplications and additions, seconds a clip.

    Of the networks of params.yaml, or with ``--full`` at the sizes of their papers, for one clip; the autoencoder has
    as many parameters for each machine. MACs are those of the network's products and convolutions, half of the
    operations that torch counts; transforms and scores are not in them. Seconds are of front end and network, medians
    on this machine.
    """
    torch.set_num_threads(args.threads)
    params = check(read_params())
    print(table(costs(params, args.systems or [name for _, name, _ in params.recipes()], args.seconds, args.full)))


def costs(params: Params, systems: list[str], seconds: float, published: bool) -> pd.DataFrame:
    """Measure the systems, a row each."""
    rows = []
    for name in systems:
        system = {**params.training_free, **params.systems}[name]
        encoder, features = params.encoder(system.encoder), params.features[system.features]
        if published:
            encoder = encoder.model_copy(update=SIZES.get(type(encoder), {}))
        found = cost(encoder, features, system.train.root if isinstance(system, System) else None, seconds)
        counts = (f"{found.stored:,}", f"{found.trained:,}", f"{found.macs / 1e6:,.1f}")
        rows.append((name, system.features, system.encoder, *counts, *(f"{1000 * s:.1f}" for s in found[3:])))
    return pd.DataFrame(rows, columns=HEADER).set_index("system")


def cost(
    encoder: EncoderBlock,
    features: FrontEndParams,
    trains: Objective | None,
    seconds: float,
) -> Cost:
    """Measure one system on a clip of noise."""
    samples = np.random.default_rng(0).standard_normal((round(seconds * features.sample_rate), 1)).astype(np.float32)
    waveform = prepare_waveform(0.1 * samples, features.sample_rate, features)
    x = features.compute(waveform)
    network = _tuned(create_encoder(encoder, x.shape[1]), trains)
    learns = isinstance(trains, TrainedObjective)
    trained = sum(p.numel() for p in network.parameters() if learns and p.requires_grad)
    merge(network)
    inputs = _inputs(network, x)
    with of_groups(network, torch.zeros(len(inputs), dtype=torch.long)):
        with torch.no_grad(), FlopCounterMode(display=False) as counted, sdpa_kernel(SDPBackend.MATH):  # it counts that
            network(inputs)
        with torch.inference_mode():
            network_seconds = _seconds(lambda: network(inputs))
    stored = sum(value.numel() for value in network.state_dict().values() if value.is_floating_point())
    front_end_seconds = _seconds(lambda: features.compute(waveform))
    return Cost(stored, trained, counted.get_total_flops() // 2, front_end_seconds, network_seconds)


def _tuned(network: nn.Module, trains: Objective | None) -> nn.Module:
    """Add to a network the parts that are trained besides it, or instead."""
    if not isinstance(trains, Classification):
        return network
    network = with_module(network, trains.adaptation_module)
    groups = trains.groups if isinstance(trains.groups, int) else len(trains.groups)
    tune(network, trains, {str(number): number for number in range(groups)}, 0)
    return network.eval()


def _inputs(network: nn.Module, x: np.ndarray) -> Tensor:
    """Shape one clip's frames for a network: the autoencoder takes stacked frames."""
    return gather(*vectors([x])) if isinstance(network, DenseAutoencoder) else torch.from_numpy(x)[None]


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def full_size(args: argparse.Namespace) -> None:
    """Run a published encoder at full size through its systems on a CPU: seconds of every stage and the largest memory.

    Random weights, a machine of the tiny simulated factory, a few clips a step and a few steps: it shows that every
    stage runs and what it costs, not how well it detects. Every system of params.yaml that trains an adapted encoder is
    trained with this one instead. ``--step`` makes no more than a few training steps by ArcFace, all weights learning.
    """
    if args.step:
        torch.set_num_threads(args.threads)
        seconds = training_step(args.encoder, args.batch, args.crop)
        clips = f"{args.encoder}, {args.batch} clips of {args.crop} frames"
        print(f"{clips}: {seconds:.1f} s a step, {peak_memory() / 1024:.1f} GiB")
        return
    print("| stage | seconds | GiB at most so far |\n| --- | ---: | ---: |", flush=True)
    say = partial(print, flush=True)
    seconds, memory = run(args.encoder, args.threads, say, batch=args.batch, crop=args.crop)
    print(f"| {args.encoder}, all | {seconds:.0f} | {memory:.1f} |")


def few(params: dict[str, Any], encoder: str, threads: int, **step: int) -> dict[str, Any]:
    """Replace the labellers' encoder by one of full size, and reduce everything else.

    ``step`` is ``batch`` [clips] and ``crop`` [frames] of a training step.
    """
    front_end = PUBLISHED[encoder].front_end
    systems = {name: one for name, one in params["systems"].items() if one["encoder"].startswith("adapted/")}
    for system in systems.values():
        system |= {"encoder": f"adapted/{encoder}", "features": front_end}
        system["train"] |= FEW | step | ({"freeze_steps": 1} if "freeze_steps" in system["train"] else {})
    kept = ("log_mel", params["pseudo_label"]["frequency"]["features"])
    published = next(
        (block for block in params["features"].values() if block["kind"] == front_end), {"kind": front_end}
    )
    params["features"] = {name: params["features"][name] for name in kept} | {front_end: published}
    block = {"architecture": encoder, "features": front_end, "weights": "random"}
    adapt = ADAPT | {"features": front_end, "ema_decay": 0.9998, "ema_decay_end": 0.9999}
    params |= {"encoders": {encoder: block}, "adapt": {encoder: adapt}, "training_free": {}, "systems": systems}
    params["embed"] = {"encoder": f"adapted/{encoder}", "features": front_end}
    params["dataset"] |= {"name": "simulated", "machines": MACHINE}
    params["dataset"]["simulated"] |= {"size": "tiny", "seed": SEED}
    params["ensemble"]["members"], params["evaluate"]["resamples"] = list(systems), 100
    params["compute"] |= {"device": "cpu", "threads": threads, "jobs": 1}
    return params


def stages(params: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """List the stages to run, in order, by name."""
    (encoder,) = params["encoders"]
    steps: dict[str, Callable[[], object]] = {"check": check_stage.main, "download": download.main, "index": index.main}
    steps |= {f"features@{name}": lambda name=name: features.main(name) for name in params["features"]}
    steps |= {f"adapt@{encoder}": lambda: adapt.main(encoder), "embed": embed.main, "pseudo_label": pseudo_label.main}
    for system in params["systems"]:
        for stage in (train, embeddings, score):
            steps[f"{stage.__name__.removeprefix('stages.')}@{system}"] = lambda s=system, stage=stage: stage.main(s)
    return steps | {s.__name__.removeprefix("stages."): s.main for s in (ensemble, evaluate, report)}


def run(encoder: str, threads: int, say: Callable[[str], object] = print, **step: int) -> tuple[float, float]:
    """Run everything in a folder of its own; give the seconds and the largest memory of this process [GiB]."""
    torch.set_num_threads(threads)
    params, total = few(shipped_params(), encoder, threads, **step), 0.0
    with scratch_project(params):
        for name, work in stages(params).items():
            start = time.perf_counter()
            with silent():
                work()
            seconds = time.perf_counter() - start
            total += seconds
            say(f"| {name} | {seconds:.1f} | {peak_memory() / 1024:.1f} |")
    return total, peak_memory() / 1024


def training_step(encoder: str, batch: int, crop: int) -> float:
    """Make training steps on noise; give the seconds of the second."""
    network = create_encoder(encoder)
    dims, bands = PUBLISHED[encoder].dims, PUBLISHED[encoder].n_features
    trained = nn.ModuleDict({"encoder": network, "loss": ArcFace(dims, CLASSES)})
    optimiser = torch.optim.AdamW(trained.parameters(), 1.0e-05)
    block = {"objective": "arcface", "batch": batch, "crop": crop, "steps": 1, "learning_rate": 1.0e-05}
    params = TrainParams.model_validate(block).root
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(batch, crop, bands, generator=generator), torch.eye(CLASSES)[torch.arange(batch) % CLASSES]
    for _ in range(2):
        start = time.perf_counter()
        train_step(trained, network, optimiser, Batch(x, y, torch.arange(batch)), params, generator)
    return time.perf_counter() - start


def precision(args: argparse.Namespace) -> None:
    """Measure the effect of a lower precision on embeddings and on the official score.

    Embeds all clips of the project's finished run with ``data/encoders/adapted/<ENCODER>`` in every precision,
    scores test clips by the cosine distance to the nearest training clip of their machine, and prints time, change and
    official score.
    """
    torch.set_num_threads(read_params()["compute"]["threads"])
    network = read_encoder(Path("data/encoders/adapted") / args.encoder)
    folder = Path("data/features") / read_params()["encoders"][args.encoder]["features"]
    stores = [FeatureStore(folder / part) for part in ("train", "test")]
    clips = pd.concat([training(read_clips(CLIPS)), scored_clips(read_clips(CLIPS))], ignore_index=True)
    exact = None
    for precision in PRECISIONS:
        network.precision = precision  # type: ignore[assignment]
        start = time.monotonic()
        found = apply(network, stores, list(clips["clip_id"]), torch.device("cpu"))
        milliseconds = 1000 * (time.monotonic() - start) / len(clips)
        exact = found if exact is None else exact
        change = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        print(f"{precision:9} {milliseconds:7.1f} ms/clip  change {change:.2%}  official {official(clips, found):.3%}")


def official(clips: pd.DataFrame, embeddings: np.ndarray) -> float:
    """Score by the nearest training clip and compute the official score of 2022-2026."""
    points = embeddings.reshape(len(clips), -1).astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    scored = clips.drop(columns="domain").merge(read_truth(TRUTH), how="left", on="clip_id", validate="1:1")
    values: list[float] = []
    for _, machine in scored.groupby("machine"):
        known, test = machine[machine["split"] == "train"], machine[machine["split"] == "test"]
        scores = (1 - points[test.index] @ points[known.index].T).min(axis=1)
        faulty = (test["anomaly"] == 1).to_numpy()
        within = [~faulty & (test["domain"] == domain).to_numpy() for domain in ("source", "target")]
        values += [float(auc(scores[normal], scores[faulty])[0]) for normal in within]
        values.append(float(partial_auc(scores[~faulty], scores[faulty])[0]))
    return mean(np.array(values))


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__, default="systems")
    made = commands.add("systems", systems)
    made.add_argument("--seconds", type=float, default=10.0, help="of a clip")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    made.add_argument("--full", action="store_true", help="networks at the sizes of their papers")
    made = commands.add("full_size", full_size)
    made.add_argument("encoder", choices=[n for n in PUBLISHED if n.startswith(("eat", "sslam", "beats", "dash"))])
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--batch", type=int, default=8, help="[clips] of a training step")
    made.add_argument("--crop", type=int, default=128, help="[frames] of each, 100 a second")
    made.add_argument("--step", action="store_true", help="a training step alone")
    made = commands.add("precision", precision)
    made.add_argument("encoder", help="one of params.yaml")
    commands.run()


if __name__ == "__main__":
    main()
