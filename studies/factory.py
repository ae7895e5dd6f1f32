"""Shared by the studies of the simulated factory: a scratch project, systems without training in it, verdicts."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
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
SYSTEM = "autoencoder"  # of what is trained, the only one that a study of the factory looks at
BANKS = {"mean log-mel": "mean", "variogram": "variogram"}  # of the system texture, each by itself
UNTRAINED = ("texture", *BANKS, "statistics", "frozen")


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
    """Work in a scratch folder with the shipped params.yaml, but for the factory and the epochs of the autoencoder."""
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    params["dataset"] |= {"name": "simulated", "machines": machines}
    params["dataset"]["simulated"] |= {"seed": seed, **simulated}
    params["compute"]["threads"] = 1  # networks so small gain nothing by a second one
    params["systems"][SYSTEM]["train"] |= {"hold_out": 0.0} | ({} if epochs is None else {"epochs": epochs})
    for name, bank in BANKS.items():
        params["encoders"][name] = params["encoders"]["texture"] | {"banks": bank}
        params["systems"][name] = params["systems"]["texture"] | {"encoder": name}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        yield Path(folder)


def scored(systems: Sequence[str] = (SYSTEM,)) -> list[LabelledSection]:
    """Run the stages of some systems in the current folder, silently; give their scores beside the truth."""
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    blocks = [content["systems"][name] for name in systems]
    tables = []
    with silent():
        download.main()
        index.main()
        for front_end in dict.fromkeys(block["features"] for block in blocks):
            features.main(front_end)
        for encoder in dict.fromkeys(block["encoder"] for block in blocks):
            adapt.main(encoder)
        for name in systems:
            train.main(name)
            extract.main(name)
            score.main(name)
            table = pd.read_csv(f"data/scores/{name}/scores.csv", dtype={"section": str, "nearest": str})
            tables.append(table.assign(system=name))
    return joined.labelled_sections(joined.beside_truth(pd.concat(tables), read_clips(), joined.read_truth()))


@contextmanager
def silent(progress: bool = False) -> Iterator[None]:
    """Keep what stages print away from a table, and their progress bars, too, unless they are wanted."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(sys.stderr if progress else nowhere),
    ):
        yield


def measures(sections: list[LabelledSection], system: str = SYSTEM) -> pd.DataFrame:
    """Tabulate a system's official measures in percent: one row a machine, one column a measure."""
    points = point_values(sections, YEAR)
    points = points[points["system"] == system]
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
