"""Inference: ``asd score`` from a cold start, and loaded detectors clip by clip, of the systems trained here."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import pandas as pd

from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import FILES, Project
from asd.detector import load_detector
from asd.systems import Detector
from bench.harness import Row, in_turns

ONE, MANY = 3.0, 6.0  # [s] at most from a cold start: one clip, and a hundred
CLIPS, RUNS = 100, 5
WARM = {"training_free": 20.0, "systems": 60.0}  # [ms] a clip at most, by the section of params.yaml
IMPORTS = "import torch, pandas, sklearn.base"  # what no scoring by a network, tables and estimators goes without


def rows() -> list[Row]:
    """Measure every system of the folder's project that is scored; the first of each section from a cold start."""
    project = Project()
    sections = {name: section for section in WARM for name in project.params.get(section) or {}}
    systems = {name: section for name, section in sections.items() if (project.scores(name) / "scores.csv").is_file()}
    if not systems:
        raise UserError("no system is trained here: run dvc repro first")
    configure(project.section(ComputeParams, "compute"))
    files = _test_files(project)
    first = {section: name for name, section in reversed(systems.items())}
    return [*(row for name in first.values() for row in _cold(name, files)), *_warm(project, systems, files)]


def _test_files(project: Project) -> list[str]:
    """Choose test clips of all machines; a training clip would be given the score that it has."""
    clips = project.clips()
    tested = clips.loc[clips["split"] == "test", ["clip_id"]]
    paths = tested.merge(pd.read_csv(project.root / FILES), on="clip_id")["path"]
    return list(paths.iloc[:: max(1, len(paths) // CLIPS)][:CLIPS])


def _cold(system: str, files: list[str]) -> list[Row]:
    rows = []
    for some, limit in ((files[:1], ONE), (files, MANY)):
        works: dict[str, Callable[[Sequence], object]] = {
            "score": partial(_score, system),
            "imports": lambda _: _run([sys.executable, "-c", IMPORTS]),
        }
        times = {name: [ms * len(some) / 1000 for ms in each] for name, each in in_turns(works, some, RUNS).items()}
        name = f"asd score --system {system}, {len(some)} clip{'s' if len(some) > 1 else ''}, cold start"
        floor = ("imports of torch, pandas, scikit-learn", times["imports"])
        rows.append(Row(name, "s", times["score"], floor[0], times["imports"], *floor, limit=limit))
    return rows


def _score(system: str, files: Sequence[str]) -> None:
    _run([sys.executable, "-m", "asd", "score", "--system", system, "--json", *files])


def _run(command: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)


def _warm(project: Project, systems: dict[str, str], files: list[str]) -> list[Row]:
    rows = []
    for name, section in systems.items():
        detector = load_detector(project, name)
        detector.score(files)  # fits the scorers of all machines
        apart = _one_by_one(detector, files)
        together = in_turns({"all": detector.score}, files, RUNS)["all"]
        row = f"a loaded detector, {name}, clip by clip"
        rows.append(Row(row, "ms/clip", apart, f"{len(files)} clips at once", together, limit=WARM[section]))
    return rows


def _one_by_one(detector: Detector, files: list[str]) -> list[float]:
    """Score one clip at a time: the median [ms] of each run."""
    found = []
    for _ in range(RUNS):
        times = []
        for path in files:
            start = time.perf_counter()
            detector.score([path])
            times.append((time.perf_counter() - start) * 1000)
        found.append(median(times))
    return found
