"""What the studies of the simulated factory share: a scratch project, the autoencoder in it, seeds, verdicts."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import t as student

from asd.clips import read_clips
from asd.datasets.selection import selected
from asd.datasets.simulated.simulation import MACHINES
from asd.evaluation import joined
from asd.evaluation.official import point_values
from asd.evaluation.sections import LabelledSection
from stages import adapt, download, extract, features, index, score, train

PARAMS = Path(__file__).parents[1] / "params.yaml"
YEAR = 2025
SYSTEM = "autoencoder"  # the only one that a study of the factory looks at
TRAINING = {  # as it was trained when the factory was set
    "epochs": 20,
    "batch": 256,
    "learning_rate": 0.001,
    "anneal": False,
    "fresh_statistics": False,
}


def parser(doc: str | None, seeds: list[int] | None = None) -> argparse.ArgumentParser:
    """Make a parser with the options ``--seeds`` and ``--machines``."""
    made = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    made.add_argument("--seeds", type=int, nargs="+", default=seeds or list(range(1000, 1005)))
    made.add_argument("--machines", default="all", help="all, or names joined by +")
    return made


def chosen(machines: str) -> list[str]:
    """Read the option ``--machines``."""
    return selected(machines, MACHINES)


@contextmanager
def project(seed: int, machines: str = "all", epochs: int | None = None, **simulated: Any) -> Iterator[Path]:
    """Work in a scratch folder with the shipped params.yaml, another factory and :data:`TRAINING`."""
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    params["dataset"] |= {"name": "simulated", "machines": machines}
    params["dataset"]["simulated"] |= {"seed": seed, **simulated}
    params["systems"][SYSTEM]["train"] |= TRAINING | ({} if epochs is None else {"epochs": epochs})
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        yield Path(folder)


def autoencoder() -> list[LabelledSection]:
    """Run the stages of the autoencoder in the current folder, silently; give its scores beside the truth."""
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    system = content["systems"][SYSTEM]
    with silent():
        download.main()
        index.main()
        features.main(system["features"])
        adapt.main(system["encoder"])
        train.main(SYSTEM)
        extract.main(SYSTEM)
        score.main(SYSTEM)
    scores = pd.read_csv(f"data/scores/{SYSTEM}/scores.csv", dtype={"section": str, "nearest": str})
    table = joined.beside_truth(scores.assign(system=SYSTEM), read_clips(), joined.read_truth())
    return joined.labelled_sections(table)


@contextmanager
def silent(progress: bool = False) -> Iterator[None]:
    """Keep what stages print away from a table, and their progress bars, too, unless they are wanted."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(sys.stderr if progress else nowhere),
    ):
        yield


def measures(sections: list[LabelledSection]) -> pd.DataFrame:
    """Tabulate the official measures in percent: one row a machine, one column a measure."""
    points = point_values(sections, YEAR)
    return 100 * points.pivot_table(index="machine", columns="measure", values="value", aggfunc="mean")


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Give the mean of some seeds' values and its 95 % interval (Student's t); NaN about a single one."""
    half = student.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def table(rows: pd.DataFrame, digits: int = 1) -> str:
    """Write a Markdown table, its index first."""
    head = [rows.index.name or "", *map(str, rows.columns)]
    lines = [head, ["---:"] * len(head)]
    lines += [
        [str(i), *(f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row)] for i, *row in rows.itertuples()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(windows: dict[str, tuple[float, float, float]]) -> None:
    """Print each ``name: (value, low, high)`` and exit with 1 if one is out of its window."""
    wrong = 0
    for name, (value, low, high) in windows.items():
        inside = low <= value <= high
        wrong += not inside
        print(f"{name}: {value:.2f}, window {low:g} to {high:g}: {'holds' if inside else 'FAILS'}")
    sys.exit(int(wrong > 0))
