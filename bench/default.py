"""Default: seconds of every stage of the last run, beside the floor of its arithmetic and what starting costs.

    python -m bench default [--profile [STAGE]]

The floor of a stage is the larger of two times: its operations by the measured peak of this machine, and its bytes,
read and written, by the measured bandwidth of files in memory. Operations are those of networks (products and
convolutions), which torch counts, of Fourier transforms, which a backend of scipy.fft counts, and of distances. All
else is not counted, so a floor is a lower bound. Stages that train are counted over a few steps, and continued in a
line.
"""

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from torch.nn.attention import SDPBackend, sdpa_kernel

from asd.core.artifacts import atomic, read_csv, write_json
from asd.core.clips import training
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import FILES, Project
from asd.core.section import checked
from asd.core.stage import TIMINGS
from asd.datasets.dataset_params import DatasetParams, selected_machines
from asd.features.extraction import extract_all
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEnd
from asd.simulation.plan import plan
from asd.simulation.simulation import MACHINES, record
from bench.pipeline import ROOT, Stage, pipeline, project_params, size, with_inputs
from bench.products import operations_of, products
from bench.transforms import transform_rate, transforms_of

OUT = Path("data/bench_default")
EVERY = 20  # of the clips whose transforms are counted
LENGTHS = {"steps": (5, 10), "epochs": (1, 2)}  # of the two runs that a whole training is continued from
LARGER = 16  # factor of the batches of epochs that are counted
FILE = 2**28  # [bytes] of the file that is written and read
RUNS = 3
TRIVIAL = (1, 6)  # stages of the two pipelines whose difference is DVC's cost
SHOWN = 25  # functions of a profile
PRODUCT, TRANSFORM = "products", "transforms"


class Work(NamedTuple):
    """Operations of one stage: of matrix products and convolutions, and of Fourier transforms."""

    products: float = 0.0
    transforms: float = 0.0


class Peak(NamedTuple):
    """What this machine can do: operations a second, and bytes a second of files."""

    products: float
    transforms: float
    bandwidth: float


def main(words: Sequence[str]) -> int:
    """Print the table of the last run in this folder, or the profile of one of its stages."""
    parser = argparse.ArgumentParser("python -m bench default", description=(__doc__ or "").splitlines()[0])
    said = "print which functions one stage spends its time in: NAME@KEY, by default the one that took longest"
    parser.add_argument("--profile", nargs="?", const="", metavar="STAGE", help=said)
    args = parser.parse_args(words)
    root, params = Path.cwd(), project_params()
    stages = {stage.name: stage for stage in pipeline(params, root / "dvc.yaml")}
    seconds = last_seconds(root / TIMINGS, list(stages))
    if args.profile is not None:
        name = args.profile or max(seconds, key=lambda one: seconds[one])
        if name not in stages:
            raise UserError(f"there is no stage {name} (there is: {', '.join(stages)})")
        profile(stages[name], params, root)
        return 0
    report(list(stages.values()), seconds, params, root)
    return 0


def last_seconds(file: Path, names: Sequence[str]) -> dict[str, float]:
    """Read how long each stage took when it last ran.

    Parameters
    ----------
    file : Path
        ``data/timings.csv``, to which every stage appends.
    names : sequence of str

    Raises
    ------
    UserError
        Where a stage never ran.
    """
    table = pd.read_csv(file, names=["stage", "seconds"]) if file.exists() else pd.DataFrame({"stage": []})
    known = dict(zip(table["stage"], table.get("seconds", []), strict=True))
    if missing := [name for name in names if name not in known]:
        raise UserError(f"{file} has no {missing[0]}: run dvc repro")
    return {name: float(known[name]) for name in names}


def report(stages: Sequence[Stage], seconds: dict[str, float], params: dict[str, Any], root: Path) -> None:
    """Measure peaks, floors and starts; print the table and write it and its JSON to data/."""
    compute = checked(ComputeParams, params["compute"], "compute")
    peak = measured_peak(compute)
    starts = start_seconds(sorted({stage.kind for stage in stages}))
    rows = []
    for stage in stages:
        print(f"default: {stage.name} ...", file=sys.stderr, flush=True)
        work, handled = operations(stage, params, root), size(root / path for path in (*stage.deps, *stage.outs))
        rows.append(_row(stage, seconds[stage.name], starts[stage.kind], work, handled, peak))
    table, dvc = pd.DataFrame(rows), dvc_seconds(root / "params.yaml")
    text = f"{as_markdown(table)}\n\n{_sums(table, peak, starts, dvc)}"
    with atomic(OUT.with_suffix(".md"), "w") as file:
        file.write(text + "\n")
    about = {"peak": peak._asdict(), "python": starts[""], "dvc_a_stage": dvc}
    write_json(OUT.with_suffix(".json"), {"stages": rows, **about})
    print(text)


def _row(stage: Stage, seconds: float, start: float, work: Work, handled: int, peak: Peak) -> dict[str, Any]:
    arithmetic = work.products / peak.products + work.transforms / peak.transforms
    floor = max(arithmetic, handled / peak.bandwidth)
    own = {"stage": stage.name, "seconds": seconds, "start": start, "gigaoperations": sum(work) / 1e9}
    return own | {
        "megabytes": handled / 1e6,
        "arithmetic": arithmetic,
        "files": handled / peak.bandwidth,
        "floor": floor,
    }


def as_markdown(table: pd.DataFrame) -> str:
    """Write a line a stage, and one of all."""
    lines = ["| stage | s | start, s | Gop | MB | operations, s | bytes, s | floor / stage |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    whole = table.drop(columns="stage").sum().to_dict() | {"stage": "all"}
    for row in [*table.to_dict("records"), whole]:
        cells = [row["stage"], f"{row['seconds']:.1f}", f"{row['start']:.1f}", f"{row['gigaoperations']:,.1f}"]
        cells += [f"{row['megabytes']:,.1f}", f"{row['arithmetic']:.2f}", f"{row['files']:.2f}"]
        lines.append(f"| {' | '.join(cells)} | {row['floor'] / max(row['seconds'], 0.01):.0%} |")
    return "\n".join(lines)


def _sums(table: pd.DataFrame, peak: Peak, starts: dict[str, float], dvc: float) -> str:
    work, start, whole = table["seconds"].sum(), table["start"].sum(), dvc * len(table)
    return (
        f"Stages {work:.0f} s; {start:.0f} s to start Python and import ({starts['']:.2f} s each is Python "
        f"alone), {whole:.0f} s for DVC ({dvc:.2f} s a stage): {work + start + whole:.0f} s in all.\n"
        f"Floor {table['floor'].sum():.0f} s, the larger of operations and bytes in each stage. Peaks of this machine: "
        f"{peak.products / 1e9:.0f} Gop/s of products, {peak.transforms / 1e9:.1f} Gop/s of transforms, "
        f"{peak.bandwidth / 1e9:.2f} GB/s of files in memory."
    )


def measured_peak(compute: ComputeParams) -> Peak:
    """Measure products and transforms by as many threads as stages use, and writing and reading of a file."""
    import torch

    torch.set_num_threads(compute.threads)
    work, operations = products(1e10, "cpu"), 1e11
    work(range(1))
    return Peak(operations / _best(lambda: work(range(10))), transform_rate(compute.threads), _bandwidth())


def _bandwidth() -> float:
    content = os.urandom(FILE)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        return 2 * FILE / _best(lambda: (file.write_bytes(content), file.read_bytes()))


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(RUNS))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def start_seconds(kinds: Sequence[str]) -> dict[str, float]:
    """Measure how long Python takes to start and to import each stage's script; ``""``: nothing of ours."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(code: str) -> float:
        work = lambda: subprocess.run([sys.executable, "-c", code], env=environment, check=True)  # noqa: E731
        return median(_seconds(work) for _ in range(RUNS))

    return {kind: start(f"import stages.{kind}" if kind else "") for kind in ("", *kinds)}


def dvc_seconds(params: Path) -> float:
    """Measure what DVC adds to a stage: the difference of two pipelines of stages that do nothing.

    Parameters
    ----------
    params : Path
        The project's params.yaml, of which every stage has one value as dependency, as here.
    """
    with TemporaryDirectory() as folder:
        few, many = (_trivial(Path(folder) / str(count), count, params) for count in TRIVIAL)
    return (many - few) / (TRIVIAL[1] - TRIVIAL[0])


def _trivial(folder: Path, count: int, params: Path) -> float:
    """Time ``dvc repro`` of so many stages that write one file each."""
    folder.mkdir()
    (folder / "params.yaml").write_bytes(params.read_bytes())
    write = {f"s{n}": {"cmd": f"echo {n} > {n}", "params": ["seed"], "outs": [str(n)]} for n in range(count)}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": write}))
    quiet = {"cwd": folder, "check": True, "capture_output": True}
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "-q"], **quiet)  # type: ignore[call-overload]
    return _seconds(lambda: subprocess.run([*dvc, "repro", "-q"], **quiet))  # type: ignore[call-overload]


def operations(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count the operations of one stage of a finished project.

    Parameters
    ----------
    stage : Stage
    params : dict
        The content of params.yaml.
    root : Path
        The project, in which nothing is written.
    """
    return COUNTED.get(stage.kind, _nothing)(stage, params, root)


def _nothing(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    return Work()


def _simulation(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count the transforms of every so many simulated clips; other data are not computed."""
    dataset = checked(DatasetParams, params["dataset"], "dataset")
    if dataset.name != "simulated":
        return Work()
    machines = [MACHINES[name] for name in selected_machines(dataset.machines, MACHINES)]
    orders = [order for machine in machines for order in plan(machine, dataset.simulated)]
    some = orders[::EVERY]
    factor = sum(order.seconds for order in orders) / sum(order.seconds for order in some)
    return Work(transforms=factor * transforms_of(lambda: [record(order) for order in some]))


def _front_end(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count the transforms of a front end on every so many clips, without what is fitted to a machine."""
    front_end = FittedFrontEnd(checked(FrontEnd, params["features"][stage.key], stage.name).root)
    clips = Project(root).clips().merge(read_csv(root / FILES, ("clip_id", "path")), on="clip_id")
    clips = clips if front_end.params.clips == "all" else training(clips)
    some = clips.iloc[::EVERY]
    files = {clip_id: str(root / path) for clip_id, path in zip(some["clip_id"], some["path"], strict=True)}
    alone = ComputeParams(jobs=1)
    counted = transforms_of(lambda: [None for _ in extract_all(files, front_end, alone)])
    return Work(transforms=float(clips["seconds"].sum() / some["seconds"].sum()) * counted)


def _network(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count the operations of a stage that applies a network, by running it."""
    with with_inputs(stage, params, root), sdpa_kernel(SDPBackend.MATH):  # torch does not count the fused attention
        return Work(products=operations_of(lambda: run_here(stage, params)))


def _training(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count two short trainings, and continue in a line to the whole one."""
    block = _training_block(params, stage)
    (unit,) = (unit for unit in LENGTHS if unit in block)
    whole = block[unit]
    counts = [_network(stage, _shortened(params, stage, unit, length), root).products for length in LENGTHS[unit]]
    short, longer = LENGTHS[unit]
    return Work(products=counts[0] + (counts[1] - counts[0]) * (whole - short) / (longer - short))


def _training_block(params: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Find the block of params.yaml that says how a stage trains."""
    block: dict[str, Any] = (
        params["adapt"][stage.key] if stage.kind == "adapt" else params["systems"][stage.key]["train"]
    )
    return block


def _shortened(params: dict[str, Any], stage: Stage, unit: str, length: int) -> dict[str, Any]:
    """Change the length of one training, and as much the part of it in which the encoder is frozen."""
    params = yaml.safe_load(yaml.safe_dump(params))
    block = _training_block(params, stage)
    if "freeze_steps" in block:
        block["freeze_steps"] = round(block["freeze_steps"] * length / block[unit])
    block[unit] = length
    if unit == "epochs":  # which have as many operations in larger batches, and are counted sooner
        block["batch"] *= LARGER
    return params


def _distances(stage: Stage, params: dict[str, Any], root: Path) -> Work:
    """Count the distances of all clips to the training clips of their machine, once."""
    project = Project(root)
    clips, reference = project.clips(), training(project.train_clips())
    files = sorted(project.embeddings(stage.key).glob("seed_*.npy"))
    dims = sum(int(np.prod(np.load(file, mmap_mode="r").shape[1:])) for file in files)
    pairs = clips["machine"].value_counts().mul(reference["machine"].value_counts(), fill_value=0).sum()
    return Work(products=2.0 * float(pairs) * dims)


COUNTED: dict[str, Callable[[Stage, dict[str, Any], Path], Work]] = {
    "download": _simulation,
    "features": _front_end,
    "adapt": _training,
    "embed": _network,
    "train": _training,
    "embeddings": _network,
    "training_free": _network,
    "score": _distances,
}  # by kind of stage; of others nothing but their bytes is counted


def run_here(stage: Stage, params: dict[str, Any]) -> None:
    """Run a stage in this process, in the working directory, silently, by one worker of one thread.

    Parameters
    ----------
    stage : Stage
    params : dict
        The content of params.yaml.
    """
    configure(checked(ComputeParams, params["compute"] | {"jobs": 1, "threads": 1}, "compute"))
    script = import_module(f"stages.{stage.kind}")
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        script.main(*filter(None, [stage.key]))


def profile(stage: Stage, params: dict[str, Any], root: Path) -> None:
    """Run a stage in a scratch folder, by one worker of one thread, and print the functions that took most time.

    Parameters
    ----------
    stage : Stage
    params : dict
        The content of params.yaml.
    root : Path
        The finished project, whose data are the stage's inputs.
    """
    profiler = cProfile.Profile()
    with with_inputs(stage, params, root):
        profiler.runcall(run_here, stage, params)
    print(f"{stage.name}, one worker, in this process:")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(SHOWN)
