"""Capacity: what scoring the recordings of a factory takes, from rates that are measured here on clips of noise.

    python -m bench capacity [--seconds 10] [--clips 32] [--reference 1000] [--microphones 1 1000 100000]

Every front end and network of params.yaml is run by one thread, on the processor and on a GPU where there is one; years
follow by multiplication. Nothing is trained here: networks have their initial weights, which take as long as others.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import soundfile
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from asd.classifiers.objectives.reconstruction import gather, vectors
from asd.core.artifacts import atomic, write_json
from asd.core.compute import ComputeParams
from asd.datasets.index import make_index
from asd.encoders.architectures.dense import DenseAutoencoder
from asd.encoders.networks import create_encoder
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEndParams
from asd.features.recorded import all_recorded
from asd.params import check
from asd.scoring.scorers.knn import KNN
from bench.pipeline import ROOT, project_params

OUT = Path("data/bench_capacity")
YEAR = 365.25 * 24 * 3600  # [s]
RATE, CHANNELS, BITS = 16000, 1, 16  # of the recordings
RUNS = 3
NOT_MEASURED = "not measured"


class Step(NamedTuple):
    """One step of scoring clips.

    Attributes
    ----------
    name : str
    seconds : float
        Of one core, for a clip.
    gpu : float or None
        [s] of a GPU, for a clip; None where it was not measured.
    stored : int
        [bytes] that a clip leaves.
    scores : bool
        Whether clips that are scored need it; else training clips alone.
    """

    name: str
    seconds: float
    gpu: float | None
    stored: int
    scores: bool = True


def main(words: Sequence[str]) -> int:
    """Measure the rates, and print them and what years of microphones need."""
    parser = argparse.ArgumentParser("python -m bench capacity", description=(__doc__ or "").splitlines()[0])
    shown = "(default: %(default)s)"
    parser.add_argument("--seconds", type=float, default=10.0, help=f"of a clip {shown}")
    parser.add_argument("--clips", type=int, default=32, help=f"that are measured {shown}")
    parser.add_argument("--reference", type=int, default=1000, help=f"normal clips of a microphone {shown}")
    parser.add_argument("--microphones", type=int, nargs="+", default=[1, 1000, 100_000])
    parser.add_argument("--out", type=Path, default=OUT, help=f".md and .json {shown}")
    args = parser.parse_args(words)
    steps, memory = measure(project_params(ROOT), args.seconds, args.clips, args.reference)
    text = f"{rates(steps, memory, args)}\n\n{years(steps, memory, args.seconds, args.microphones)}"
    with atomic(args.out.with_suffix(".md"), "w") as file:
        file.write(text + "\n")
    about = {"seconds": args.seconds, "reference": args.reference, "memory": memory}
    write_json(args.out.with_suffix(".json"), {"steps": [step._asdict() for step in steps], **about})
    print(text)
    return 0


def measure(content: dict[str, Any], seconds: float, clips: int, reference: int) -> tuple[list[Step], dict[str, int]]:
    """Measure every step on clips of noise, by one thread.

    Parameters
    ----------
    content : dict
        Of params.yaml.
    seconds : float
        Of a clip.
    clips : int
        That are measured.
    reference : int
        Normal clips that each is compared with.

    Returns
    -------
    steps : list of Step
        Index, front ends, networks and scores of all systems, in this order.
    memory : dict of int
        [bytes] of the reference embeddings of one microphone, by system.
    """
    params = check(content)
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder, threadpool_limits(1):
        paths = _recordings(Path(folder), seconds, clips)
        steps = [Step("index", _a_clip(lambda: _index(paths), clips), None, 0)]
        made = {name: _front_end(name, block, paths, steps) for name, block in params.features.items()}
        scores, memory = [], {}
        for _, name, system in params.recipes():
            network = create_encoder(params.encoder(system.encoder), made[system.features][0].shape[1])
            embeddings = _network(name, network, made[system.features], steps)
            memory[name] = reference * embeddings[0].nbytes
            scores.append(_score(name, embeddings, reference))
    return [*steps, *scores], memory


def _recordings(folder: Path, seconds: float, clips: int) -> list[Path]:
    draw = np.random.default_rng(0)
    paths = [folder / f"{number}.wav" for number in range(clips)]
    for path in paths:
        noise = 0.1 * draw.standard_normal((round(RATE * seconds), CHANNELS))
        soundfile.write(path, noise, RATE, subtype=f"PCM_{BITS}")
    return paths


def _a_clip(work: Callable[[], object], clips: int) -> float:
    """Give the processor time for a clip [s], which other load hardly changes; the median of several runs."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return median(seconds) / clips


def _index(paths: Sequence[Path]) -> None:
    splits = ["train", *["test"] * (len(paths) - 1)]
    table = pd.DataFrame({"path": list(map(str, paths)), "split": splits})
    told = {"machine": "fan", "section": "00", "domain": "source", "kind": "machine"}
    told |= dict.fromkeys(("attributes", "recording", "time", "speed_hz", "true_attributes"), "")
    told |= {"anomaly": "0", "true_domain": "source"}
    make_index(table.assign(**told), "fail", ComputeParams(jobs=1))


def _front_end(name: str, block: FrontEndParams, paths: Sequence[Path], steps: list[Step]) -> list[np.ndarray]:
    """Add a front end to the steps; give its rows of each clip."""
    front_end = FittedFrontEnd(block)
    rows = [extract(path, front_end) for path in paths]
    seconds = _a_clip(lambda: [extract(path, front_end) for path in paths], len(paths))
    held = all_recorded({name: str(paths[0])}, block, ComputeParams(jobs=1))  # by the recording itself
    steps.append(Step(f"features@{name}", seconds, None, 0 if held else rows[0].nbytes, block.clips == "all"))
    return rows


@torch.inference_mode()
def _network(name: str, network: nn.Module, rows: Sequence[np.ndarray], steps: list[Step]) -> np.ndarray:
    """Add a network to the steps; give its embeddings [shape=(clips, ...)], of an autoencoder its output's errors."""
    network.eval()
    clips = [np.asarray(one, np.float32) for one in rows]
    frames = isinstance(network, DenseAutoencoder)
    inputs = [gather(*vectors([clip])) if frames else torch.from_numpy(clip)[None] for clip in clips]
    embeddings = torch.zeros(len(clips), 1) if frames else torch.cat([network(one) for one in inputs])
    seconds = _a_clip(lambda: [network(one) for one in inputs], len(clips))
    gpu = None
    if torch.cuda.is_available():
        network, batch = network.cuda(), torch.cat(inputs).cuda()
        gpu = _on_gpu(lambda: network(batch)) / len(clips)
    steps.append(Step(f"embeddings@{name}", seconds, gpu, embeddings[0].numpy().nbytes))
    return embeddings.numpy()


def _on_gpu(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(RUNS + 1):  # the first loads the kernels
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])


def _score(name: str, embeddings: np.ndarray, reference: int) -> Step:
    """Measure the distances to the normal clips of one microphone: the larger part of any scorer's work."""
    clips = embeddings.reshape(len(embeddings), -1)
    normal = np.resize(clips, (reference, clips.shape[1])) + np.random.default_rng(0).random((reference, 1), np.float32)
    knn = KNN().fit(normal, np.repeat(["source", "target"], [reference - 1, 1]))
    return Step(f"score@{name}", _a_clip(lambda: knn.anomaly_score(clips), len(clips)), None, 8)


def rates(steps: Sequence[Step], memory: dict[str, int], args: argparse.Namespace) -> str:
    """Write clips a second and bytes a clip of every step."""
    lines = ["| step | clips a second and core | clips a second and GPU | bytes a clip |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for step in steps:
        gpu = f"{1 / step.gpu:,.0f}" if step.gpu else NOT_MEASURED
        name = step.name if step.scores else f"{step.name}, of training clips alone"
        lines.append(f"| {name} | {1 / max(step.seconds, 1e-9):,.1f} | {gpu} | {step.stored:,} |")
    about = (
        f"Clips of {args.seconds:g} s at {RATE} Hz; scores by the distances to {args.reference:,} normal clips, whose "
    )
    held = f"embeddings hold {max(memory.values()) / 1e6:.1f} MB for a microphone and system at most."
    return "\n".join([*lines, "", about + held])


def years(steps: Sequence[Step], memory: dict[str, int], seconds: float, microphones: Sequence[int]) -> str:
    """Write what a year of so many microphones needs, recorded without a break and scored once by every system.

    Parameters
    ----------
    steps : sequence of Step
    memory : dict of int
        As of :func:`measure`.
    seconds : float
        Of a clip.
    microphones : sequence of int

    Returns
    -------
    str
        A markdown table: core hours by kind of step, cores that keep up, bytes, memory of the reference embeddings.
    """
    clips = YEAR / seconds  # of one microphone
    kinds = list(dict.fromkeys(step.name.split("@")[0] for step in steps))
    of_kind = {kind: [step for step in steps if step.name.split("@")[0] == kind and step.scores] for kind in kinds}
    spent = {kind: sum(step.seconds for step in some) for kind, some in of_kind.items()}
    stored = {kind: sum(step.stored for step in of_kind[kind]) for kind in ("features", "embeddings")}
    each = {
        "clips": clips,
        **{f"{kind}, core hours": clips * value / 3600 for kind, value in spent.items()},
        "cores that keep up": sum(spent.values()) / seconds,
        "recordings, TB": YEAR * RATE * CHANNELS * BITS / 8 / 1e12,
        **{f"{kind}, TB": clips * value / 1e12 for kind, value in stored.items()},
        "reference embeddings of all systems, in memory, GB": sum(memory.values()) / 1e9,
    }
    lines = ["| a year of so many microphones | " + " | ".join(f"{count:,}" for count in microphones) + " |"]
    lines.append("| --- |" + " ---: |" * len(microphones))
    lines += [f"| {name} | {' | '.join(_short(value * n) for n in microphones)} |" for name, value in each.items()]
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
