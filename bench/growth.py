"""Growth: seconds, memory and bytes of every stage on a simulated factory and on parts of it.

    python -m bench growth [--parts 8 4 2 1] [--size full] [--folder data/growth] [--out docs/growth]

Each part is a project of its own, whose factory has the first clips of every cell of the whole one, run stage by stage
in the order of dvc.yaml. Stages that ran are kept in ``stages.csv`` of the part's folder: the same command goes on
after them, and a part that is whole is not run again until params.yaml changes or its folder is removed. Prints a
table of the parts that are whole; writes it as JSON, and as a plot.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import read_json, write_json, write_with
from asd.core.errors import UserError
from bench.pipeline import ROOT, Spent, Stage, pipeline, project_params, run_measured, size, write_project

PARTS = (8, 4, 2, 1)  # the whole factory divided by them
MOST_MEMORY = 2.5 * 2**30  # [bytes] of any stage
MOST_EXPONENT = 1.1
FITTED = 3  # exponents are fitted to so many of the largest sizes: smaller ones are mostly the start of Python
COLUMNS = ["stage", *Spent._fields, "bytes"]
GIB = 2**30


class Growth(NamedTuple):
    """One stage, or all, over the sizes.

    Attributes
    ----------
    stage : str
    values : pd.DataFrame
        A row a size, from the smallest on; columns of :class:`Spent` and ``bytes``.
    exponents : dict of str to float
        By column.
    """

    stage: str
    values: pd.DataFrame
    exponents: dict[str, float]

    @property
    def met(self) -> bool:
        """Whether memory and exponents are within what is asked."""
        asked = (self.exponents[name] for name in ("cpu", "largest", "bytes"))
        return not any(p > MOST_EXPONENT for p in asked) and bool(self.values["together"].max() <= MOST_MEMORY)


def main(words: Sequence[str]) -> int:
    """Run the parts, print the table; exit status 1 where memory or an exponent is above what is asked."""
    parser = argparse.ArgumentParser("python -m bench growth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--parts", type=int, nargs="+", default=PARTS, help="of the factory: 8 is an eighth of its clips"
    )
    parser.add_argument("--size", default="full", help="dataset.simulated.size")
    parser.add_argument(
        "--folder", type=Path, default=Path("data/growth"), help="for the projects (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/growth"), help="for stages.json and stages.png")
    parser.add_argument("--keep", action="store_true", help="the data of parts that are whole, gigabytes")
    args = parser.parse_args(words)
    params = project_params(ROOT)
    params["dataset"]["name"] = "simulated"
    params["dataset"]["simulated"]["size"] = args.size
    for part in sorted(args.parts, reverse=True):
        run_part(args.folder / str(part), part, params, pipeline(params), args.keep)
    grown = growth(read_parts(args.folder))
    if not grown:
        raise UserError(f"no part in {args.folder} is whole")
    print(as_markdown(grown))
    write_json(args.out / "stages.json", as_json(grown))
    write_with(args.out / "stages.png", lambda file: draw(grown, file))
    return 0 if all(one.met for one in grown) else 1


def run_part(folder: Path, part: int, params: dict[str, Any], stages: Sequence[Stage], keep: bool = False) -> None:
    """Run the stages of one part that did not run yet, and measure them.

    Parameters
    ----------
    folder : Path
        Of the part's project.
    part : int
        The factory is divided by it.
    params : dict
        The content of params.yaml.
    stages : sequence of Stage
    keep : bool
        Whether the data stay when all stages have run.
    """
    if folder.exists() and project_params(folder) != params:
        shutil.rmtree(folder)
    if (folder / "whole.json").exists():
        return
    if not folder.exists():
        write_project(folder, params)
    table = folder / "stages.csv"
    done = set(_read(table)["stage"])
    for stage in stages:
        if stage.name in done:
            continue
        shutil.rmtree(folder / ".asd", ignore_errors=True)  # of a killed run: no stage goes on in its middle
        print(f"growth: 1/{part}, {stage.name} ...", file=sys.stderr, flush=True)
        spent = run_measured(_command(stage, part), folder)
        with open(table, "a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([stage.name, *spent, size(folder / path for path in stage.outs)])
    clips = sum(int(one["files"]) for one in read_json(folder / "metrics/download.json")["machines"].values())
    write_json(folder / "whole.json", {"clips": clips})
    if not keep:
        for made in ("data", ".asd"):
            shutil.rmtree(folder / made, ignore_errors=True)


def download(part: int) -> None:
    """Run the stage download on the first clips of every cell of the simulated factory, rounded up."""
    from asd.core.stage import run
    from asd.simulation import plan
    from stages.download import main

    plan.SIZES.update({name: part_of(whole, part) for name, whole in plan.SIZES.items()})
    run("download", main)


def part_of(whole: Any, part: int) -> Any:
    """Divide the clips of a :class:`asd.simulation.plan.Size`; at least one a cell is left."""
    return type(whole)(*(ceil(count / part) for count in whole[:-1]), whole.seconds)


def _command(stage: Stage, part: int) -> list[str]:
    if stage.kind != "download":
        return stage.command
    return [sys.executable, "-c", f"from bench.growth import download; download({part})"]


def _read(table: Path) -> pd.DataFrame:
    return pd.read_csv(table, names=COLUMNS) if table.exists() else pd.DataFrame(columns=COLUMNS)


def read_parts(folder: Path) -> dict[int, pd.DataFrame]:
    """Read the parts that are whole, by their number of clips, from the smallest on."""
    found = {int(read_json(file)["clips"]): _read(file.parent / "stages.csv") for file in folder.glob("*/whole.json")}
    return dict(sorted(found.items()))


def growth(parts: dict[int, pd.DataFrame]) -> list[Growth]:
    """Fit the exponents of every stage, and of all together.

    Parameters
    ----------
    parts : dict of int to pd.DataFrame
        By number of clips; one row a stage, columns :data:`COLUMNS`.

    Returns
    -------
    list of Growth
        In the order of the stages; ``all`` at the end, whose memory is that of the stage that needs most.
    """
    if not parts:
        return []
    together = {name: "max" if name in ("largest", "together") else "sum" for name in COLUMNS[1:]}
    stages = list(next(iter(parts.values()))["stage"])
    tables = {stage: [part[part["stage"] == stage].iloc[0][COLUMNS[1:]] for part in parts.values()] for stage in stages}
    tables["all"] = [part.agg(together) for part in parts.values()]
    grown = []
    for stage, rows in tables.items():
        values = pd.DataFrame(rows, columns=COLUMNS[1:]).set_axis(list(parts), axis=0).astype(float)
        grown.append(Growth(stage, values, {name: exponent(values[name]) for name in COLUMNS[1:]}))
    return grown


def exponent(values: pd.Series) -> float:
    """Fit p of ``values ~ clips ** p`` by least squares of logarithms, over the :data:`FITTED` largest sizes.

    Returns
    -------
    float
        NaN for fewer than two sizes, or values of zero.
    """
    largest = values.iloc[-FITTED:]
    if len(largest) < 2 or not (largest > 0).all():
        return float("nan")
    return float(np.polyfit(np.log(largest.index.to_numpy(float)), np.log(largest.to_numpy(float)), 1)[0])


def as_markdown(grown: Sequence[Growth]) -> str:
    """Write a table with a line a stage: seconds at every size, and at the largest memory and bytes, with exponents."""
    sizes = [f"s, {clips:,} clips" for clips in grown[0].values.index]
    header = ["stage", *sizes, "CPU s", "exponent", "GiB, largest process", "exponent", "GiB, all processes"]
    header += ["MB written", "exponent", "met"]
    lines = [" | ".join(header), " | ".join(["---", *["---:"] * (len(header) - 2), "---"])]
    for one in grown:
        last, p = one.values.iloc[-1], one.exponents
        cells = [one.stage, *(f"{seconds:.1f}" for seconds in one.values["wall"])]
        cells += [f"{last['cpu']:.1f}", f"{p['cpu']:.2f}", f"{last['largest'] / GIB:.2f}", f"{p['largest']:.2f}"]
        cells += [f"{last['together'] / GIB:.2f}", f"{last['bytes'] / 1e6:.1f}", f"{p['bytes']:.2f}"]
        lines.append(" | ".join([*cells, "yes" if one.met else "NO"]))
    return "\n".join(f"| {line} |" for line in lines)


def as_json(grown: Sequence[Growth]) -> dict[str, Any]:
    """Write the same as plain values: by stage, the values of every size, the exponents, and whether they are met."""
    return {
        one.stage: {
            "clips": [int(clips) for clips in one.values.index],
            **{name: [float(f"{value:.4g}") for value in one.values[name]] for name in one.values},
            "exponents": {name: None if np.isnan(p) else round(p, 3) for name, p in one.exponents.items()},
            "met": one.met,
        }
        for one in grown
    }


def draw(grown: Sequence[Growth], file: Path) -> None:
    """Plot processor time and memory of all stages of a kind over the number of clips, both axes logarithmic.

    Parameters
    ----------
    grown : sequence of Growth
    file : Path
        A PNG.
    """
    from matplotlib.figure import Figure

    clips = grown[0].values.index.to_numpy()
    kinds: dict[str, list[pd.DataFrame]] = {}
    for one in grown:
        kinds.setdefault(one.stage.split("@")[0], []).append(one.values)
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, (kind, tables) in enumerate(kinds.items()):
        style = {"color": f"C{number % 10}", "linestyle": ("-", "--")[number // 10 % 2], "marker": ".", "label": kind}
        left.loglog(clips, np.sum([table["cpu"] for table in tables], axis=0), **style)
        right.loglog(clips, np.max([table["together"] for table in tables], axis=0) / GIB, **style)
    right.axhline(MOST_MEMORY / GIB, color="black", linewidth=0.8, linestyle=":")
    left.set_ylabel("processor time of all stages of a kind [s]")
    right.set_ylabel("memory of all processes, at most [GiB]")
    for axes in (left, right):
        axes.set_xlabel("clips")
        axes.set_xticks(clips, [f"{count:,}" for count in clips])
        axes.minorticks_off()
    right.legend(fontsize="small", ncols=2)
    figure.savefig(file, dpi=100, format="png")
