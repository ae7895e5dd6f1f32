"""The simulated factory: is it as hard as the real task, and by its faults alone? docs/simulated_factory.md.

    python -m studies.factory null|calibration|shortcuts|ceiling|envelope|likeness|speed|pictures [options]

``--help`` after the name of a study says what it measures.
"""

import argparse
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from scipy.fft import rfft
from sklearn.metrics import roc_auc_score

from asd.core.clips import read_clips
from asd.core.compute import ComputeParams, parallel, rng
from asd.core.project import CLIPS, TRUTH
from asd.core.section import read_params
from asd.datasets.dataset_params import SimulatedParams
from asd.evaluation import labelled_scores
from asd.evaluation.official import mean, point_values
from asd.evaluation.sections import LabelledSection, section_measure
from asd.simulation.plan import Cell, Order, orders
from asd.simulation.signals import RATE
from asd.simulation.simulation import MACHINES, quantised, simulate
from stages import score
from studies.factory_clips import ceiling, envelope, pictures
from studies.factory_likeness import likeness
from studies.shared import (
    PARAMS,
    Commands,
    chosen,
    factory_options,
    make,
    only,
    scratch_project,
    silent,
    simulated_params,
    table,
    verdict,
    write_params,
)

YEAR = 2025
SYSTEM = "autoencoder"  # of what is trained, the only one that a study of the factory looks at
BANKS = {"mean_log_mel": "mean", "variogram": "variogram"}  # of the system texture, each by itself
UNTRAINED = ("texture", *BANKS, "statistics", "frozen")
NULL_MEASURES = {
    "AUC source within": ("auc_source_within",),
    "AUC target within": ("auc_target_within",),
    "pAUC": ("pauc",),
    "mean of both AUCs": ("auc_source", "auc_target"),
}
NULL_CONFIDENCE = 0.99
OFFICIAL = ["auc_source", "auc_target", "pauc"]
WITHIN = ["auc_source_within", "auc_target_within"]
RUNGS = {"official": (53.0, 61.0), "pauc": (50.0, 57.0), "mean of both AUCs": (55.0, 63.0)}
LARGEST_GAP = 10.0  # of the two references in "mean within"
LARGEST_UNTRAINED = 66.0  # official score of a system without training
EDGE = RATE // 100  # [samples]
HEADER = 44  # [bytes]
STRICT, LOOSE = (0.42, 0.58), (0.30, 0.70)  # windows of a shortcut's AUC
LOOSELY = {"RMS", "centroid"}  # what a fault may well change, a little
SECONDS, GIBIBYTES = 40.0, 1.5  # for the default size
PEAK = "import stages.download as d, bench.harness as b; d.main(); print(b.peak_memory())"


@contextmanager
def project(seed: int, machines: str = "all", epochs: int | None = None, **simulated: Any) -> Iterator[Path]:
    """Work in a scratch folder with another factory, each bank of ``texture`` as a system and other epochs."""
    params = simulated_params(seed, machines, **simulated)
    params["systems"][SYSTEM]["train"] |= {} if epochs is None else {"epochs": epochs}
    for name, bank in BANKS.items():
        params["features"][name] = params["features"]["texture"] | {"banks": bank}
        params["encoders"][name] = params["encoders"]["texture"] | {"features": name}
        params["training_free"][name] = params["training_free"]["texture"] | {
            "encoder": f"initial/{name}",
            "features": name,
        }
    with scratch_project(params) as folder:
        yield folder


def scored(systems: Sequence[str] = (SYSTEM,)) -> list[LabelledSection]:
    """Run the stages of some systems in the current folder, silently; give their scores beside the truth."""
    write_params(only(read_params(), systems))
    scores = []
    with silent():
        make(read_params())
        for name in systems:
            score.main(name)
            made = pd.read_csv(f"data/scores/{name}/scores.csv", dtype={"section": str, "nearest": str})
            scores.append(made.assign(system=name))
    truth = labelled_scores.read_truth(TRUTH)
    return labelled_scores.labelled_sections(labelled_scores.join_truth(pd.concat(scores), read_clips(CLIPS), truth))


def measures(sections: list[LabelledSection], system: str = SYSTEM) -> pd.DataFrame:
    """Tabulate a system's official measures in percent: one row a machine, one column a measure."""
    points = point_values(sections, YEAR)
    points = points[points["system"] == system]
    return 100 * points.pivot_table(index="machine", columns="measure", values="value", aggfunc="mean")


def null(args: argparse.Namespace) -> None:
    """Check that every AUC is chance where nothing is wrong.

    The same factory, names and labels with ``dataset.simulated.severity`` 0. The autoencoder's within-domain AUCs, pAUC
    and the mean of both official AUCs, averaged over machines and seeds, must lie within the 99 % interval of the same
    averages under labels permuted within each domain.
    """
    sections = []
    for seed in args.seeds:
        with project(seed, args.machines, severity=0.0):
            found = scored()
        values = zip(NULL_MEASURES, averages(found), strict=True)
        print(f"seed {seed}: " + ", ".join(f"{name} {value:.1f}" for name, value in values), flush=True)
        sections += found
    verdict(null_windows(sections, args.permutations))


def averages(sections: list[LabelledSection]) -> np.ndarray:
    """Average each of :data:`NULL_MEASURES` over sections, in percent."""
    values = [
        [np.mean([section_measure(section, name, scores)[0] for name in names]) for names in NULL_MEASURES.values()]
        for section in sections
        for scores in section.scores[SYSTEM]
    ]
    return 100 * np.mean(values, axis=0)


def permuted(section: LabelledSection, generator: np.random.Generator) -> LabelledSection:
    """Permute a section's labels within each domain."""
    anomalous = section.anomalous.copy()
    for domain in np.unique(section.domain):
        mask = section.domain == domain
        anomalous[mask] = generator.permutation(anomalous[mask])
    return replace(section, anomalous=anomalous)


def null_windows(sections: list[LabelledSection], permutations: int) -> dict[str, tuple[float, float, float]]:
    """Give each measure's value and its interval under permuted labels."""
    generator = rng("null factory")
    draws = [averages([permuted(section, generator) for section in sections]) for _ in range(permutations)]
    low, high = np.quantile(draws, [(1 - NULL_CONFIDENCE) / 2, (1 + NULL_CONFIDENCE) / 2], axis=0)
    found = averages(sections)
    return {name: (found[i], low[i], high[i]) for i, name in enumerate(NULL_MEASURES)}


def calibration(args: argparse.Namespace) -> None:
    """Check that the factory is as hard as the real task, rung by rung.

    For each seed one run of the stages from download to score, with the shipped params.yaml. Rungs:

    - the autoencoder as on the DCASE 2025 development set (the organisers' baseline, MSE: AUC source 66.8, AUC target
      51.4, pAUC 52.9, official 56.3);
    - Mahalanobis distance of the mean log-mel spectrum and of its variogram, within 10 points of each other in the mean
      of both AUCs within a domain: neither how machines sound on average nor how their sound changes is favoured;
    - systems without training: none above an official score of 66.

    No system that is trained otherwise is looked at here.
    """
    runs: dict[tuple[str, int], pd.DataFrame] = {}
    for seed in args.seeds:
        with project(seed, args.machines):
            sections = scored(args.systems)
        for system in args.systems:
            runs[system, seed] = measures(sections, system)
            values = figures(runs[system, seed]).items()
            print(f"seed {seed} {system}: " + ", ".join(f"{k} {v:.1f}" for k, v in values), flush=True)
    seeds = pd.DataFrame({key: figures(found) for key, found in runs.items()}).T
    rungs = seeds.groupby(level=0, sort=False).mean()
    deviation = seeds["official"].groupby(level=0).std()
    print(table(rungs.assign(**{"deviation of official": deviation}).rename_axis("system")), end="\n\n")
    within = {s: pd.concat([found for (system, _), found in runs.items() if system == s])[WITHIN] for s in args.systems}
    machines = pd.DataFrame({name: found.mean(axis=1).groupby(level=0).mean() for name, found in within.items()})
    print(table(machines.rename_axis("mean within")), end="\n\n")
    verdict(calibration_windows(rungs))


def figures(found: pd.DataFrame) -> dict[str, float]:
    """Average the measures of one run over machines as the challenge does, harmonic means; "mean within" plainly."""
    values = {name: 100 * mean(found[name].to_numpy() / 100) for name in (*OFFICIAL, *WITHIN)}
    values["official"] = 100 * mean(found[OFFICIAL].to_numpy().ravel() / 100)
    values["mean of both AUCs"] = (values["auc_source"] + values["auc_target"]) / 2
    values["mean within"] = float(found[WITHIN].to_numpy().mean())
    return values


def calibration_windows(rungs: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Give value and window of every rung; ``rungs`` has a row a system."""
    made = {}
    if SYSTEM in rungs.index:
        made = {f"{SYSTEM}: {name}": (rungs.loc[SYSTEM, name], *window) for name, window in RUNGS.items()}
    if set(BANKS) <= set(rungs.index):
        mean_spectrum, variogram = (rungs.loc[name, "mean within"] for name in BANKS)
        made["variogram less mean log-mel: mean within"] = (variogram - mean_spectrum, -LARGEST_GAP, LARGEST_GAP)
    untrained = rungs.index.intersection(UNTRAINED)
    return made | {f"{name}: official": (rungs.loc[name, "official"], 0.0, LARGEST_UNTRAINED) for name in untrained}


def shortcuts(args: argparse.Namespace) -> None:
    """Check that nothing but the fault tells anomalies from normal clips.

    For each machine and domain, as many normal and anomalous test clips of all seeds: the AUC of every statistic by
    itself, in whichever direction. With 400 + 400 clips an AUC of no worth has a standard deviation of 0.020.
    """
    rows = {}
    for machine in chosen(args.machines):
        for domain in ("source", "target"):
            rows[f"{machine} {domain}"] = shortcut_aucs(machine, domain, args.seeds, args.clips)
    found = pd.DataFrame(rows).T
    print(table(found.rename_axis("clips"), digits=3), end="\n\n")
    limits = {name: LOOSE if name in LOOSELY else STRICT for name in found}
    ends = [(name, end) for name in found for end in ("min", "max")]
    verdict({f"{end} {name}": (found[name].agg(end), *limits[name]) for name, end in ends})


def shortcut_statistics(order: Order) -> dict[str, float]:
    """Compute statistics of one clip that no fault is meant to change."""
    stems = simulate(order)
    samples = quantised(stems.healthy + stems.fault + stems.noise)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
    x, noise = samples[:, 0].astype(float), stems.noise[:, 0].astype(float)
    return {
        "length": float(len(file.getvalue())),
        "header": float(sum(file.getvalue()[:HEADER])),
        "DC": float(x.mean()),
        "first 10 ms": float(np.mean(x[:EDGE] ** 2)),
        "last 10 ms": float(np.mean(x[-EDGE:] ** 2)),
        "first against rest": float(np.mean(x[:EDGE] ** 2) / np.mean(x**2)),
        "last against rest": float(np.mean(x[-EDGE:] ** 2) / np.mean(x**2)),
        "noise RMS": float(np.mean(noise**2)),
        "noise centroid": centroid(noise),
        "RMS": float(np.mean(x**2)),
        "centroid": centroid(x),
    }


def centroid(samples: np.ndarray) -> float:
    """Compute the spectral centroid, in cycles a clip."""
    power = np.abs(rfft(samples)) ** 2
    return float(np.sum(np.arange(len(power)) * power) / np.sum(power))


def shortcut_aucs(machine: str, domain: str, seeds: list[int], clips: int) -> dict[str, float]:
    """Compute every statistic's AUC, anomalous above normal; ``clips`` of each label, in equal parts of all seeds."""
    wanted: list[Order] = []
    for anomaly in (0, 1):
        for seed in seeds:
            params = SimulatedParams(size="default", seed=seed)
            wanted += orders(MACHINES[machine], params, Cell("test", domain, anomaly), clips // len(seeds))
    found = pd.DataFrame(parallel(shortcut_statistics, wanted, ComputeParams()))
    labels = [order.name.anomaly for order in wanted]
    return {name: float(roc_auc_score(labels, found[name])) for name in found}


def speed(args: argparse.Namespace) -> None:
    """Measure time, memory and bytes of the simulation.

    The stage ``download`` in a process of its own, with two workers; ``default`` also with one, whose bytes must be
    equal. Times say something on a quiet machine alone.
    """
    windows = {}
    for size in args.sizes:
        runs = {
            jobs: downloaded(args.seeds[0], args.machines, size, jobs)
            for jobs in ((2, 1) if size == "default" else (2,))
        }
        for jobs, (seconds, memory, bytes_) in runs.items():
            print(f"{size}, {jobs} workers: {seconds:.1f} s, {memory:.2f} GiB, bytes {bytes_}", flush=True)
        windows[f"{size}: peak memory [GiB]"] = (runs[2][1], 0.0, GIBIBYTES)
        if size == "default":
            windows["default: seconds"] = (runs[2][0], 0.0, SECONDS)
            windows["default: same bytes with one worker"] = (float(runs[1][2] == runs[2][2]), 1.0, 1.0)
    verdict(windows)


def downloaded(seed: int, machines: str, size: str, jobs: int) -> tuple[float, float, str]:
    """Simulate once; give seconds, peak memory [GiB] and a digest of all bytes."""
    params = simulated_params(seed, machines, size=size)
    params["compute"]["jobs"] = jobs
    with scratch_project(params) as folder:
        start = time.monotonic()
        environment = os.environ | {"PYTHONPATH": str(PARAMS.parent)}
        command = [sys.executable, "-c", PEAK]
        said = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        return time.monotonic() - start, float(said.stdout.split()[-1]) / 1024, digest(folder / "data")


def digest(folder: Path) -> str:
    """Hash names and bytes of all files below a folder."""
    found = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        found.update(file.relative_to(folder).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__)
    made = factory_options(commands.add("null", null))
    made.add_argument("--permutations", type=int, default=1000)
    made = factory_options(commands.add("calibration", calibration))
    made.add_argument("--systems", nargs="+", default=[SYSTEM, *UNTRAINED], choices=[SYSTEM, *UNTRAINED])
    made = factory_options(commands.add("shortcuts", shortcuts))
    made.add_argument("--clips", type=int, default=400, help="of each label, for each machine and domain")
    made = factory_options(commands.add("ceiling", ceiling), [1000])
    made.add_argument("--train", type=int, default=300, help="labelled clips of each cell to learn from")
    made.add_argument("--clips", type=int, default=50, help="clips of each cell to test on")
    made = factory_options(commands.add("envelope", envelope), [1000])
    made.add_argument("--clips", type=int, default=200, help="of each domain, of which about half have a spall")
    made = factory_options(commands.add("likeness", likeness), [1000, 1001, 1002])
    made.add_argument("--real", type=Path, nargs="+", required=True, help="manifests of real machines")
    made = factory_options(commands.add("speed", speed), [1000])
    made.add_argument("--sizes", nargs="+", default=["default", "full"])
    made = factory_options(commands.add("pictures", pictures), [1000])
    made.add_argument("--folder", type=Path, default=PARAMS.parent / "docs/simulated_factory")
    commands.run()


if __name__ == "__main__":
    main()
