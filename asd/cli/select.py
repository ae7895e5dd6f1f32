"""``python -m asd select``: which system, by the criterion of several finished runs: Diverse Pseudo-AUC, balance."""

import argparse
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from asd.cli.table import git
from asd.cli.text_tables import markdown, plain
from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.selection.criteria import CRITERIA
from asd.selection.trial_scores import OWN

METRICS = PurePosixPath("metrics/ensemble.json")
EXAMPLE = "python -m asd select . other-project --by worst"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Say which system is best on several data sets or years, by the evidence of training clips that dvc repro "
        "stored (selection.criterion: Diverse Pseudo-AUC or domain balance): no label and no test clip enters."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="project folder, revision or experiment; . is this one")
    parser.add_argument("--scorers", action="store_true", help="of every system by every scorer, as far as stored")
    parser.add_argument("--by", choices=("mean", "worst"), default="mean", help="over the runs (default: %(default)s)")
    parser.add_argument("--markdown", action="store_true", help="as a markdown table")
    parser.add_argument("--json", action="store_true", help="an object a system")


def main(args: argparse.Namespace) -> int:
    """Print a row a candidate, best first, and the choice."""
    runs = {run: stored(run) for run in args.runs}
    title = CRITERIA[criterion(runs)].title
    found = table({run: read(run, metrics) for run, metrics in runs.items()}, args.scorers, args.by)
    if args.json:
        print(json.dumps({"criterion": title, "by": args.by, "systems": found.to_dict("index")}, indent=2))
        return 0
    rows = [["system", "mean", "worst", *args.runs]]
    rows += [
        [str(name), *(f"{value:.2f}" for value in row)] for name, row in zip(found.index, found.to_numpy(), strict=True)
    ]
    print("\n".join(markdown(rows) if args.markdown else plain(rows)))
    print(f"{title} [%]; highest {args.by} over {len(args.runs)} runs: {found.index[0]}")
    return 0


def stored(run: str) -> dict[str, Any]:
    """Read the metrics of a run's ensemble; none where there is no such file in the run."""
    return _of_folder(Path(run)) if Path(run).is_dir() else _of_revision(run)


def criterion(runs: dict[str, dict[str, Any]]) -> str:
    """Name the criterion of the runs' evidence.

    Raises
    ------
    UserError
        Where runs have evidence by unlike criteria.
    """
    first = next(iter(CRITERIA))
    found = {
        run: next((name for name in CRITERIA for kinds in metrics.get("evidence", {}).values() if name in kinds), first)
        for run, metrics in runs.items()
    }
    if len(set(found.values())) > 1:
        unlike = ", ".join(f"{run} by {name}" for run, name in found.items())
        raise UserError(f"runs have evidence by unlike criteria ({unlike}): set selection.criterion alike, dvc repro")
    return next(iter(found.values()))


def read(run: str, metrics: dict[str, Any]) -> dict[str, float]:
    """Read what a run stored: the criterion by system and, as ``system/scorer``, by scorer.

    Raises
    ------
    UserError
        Where there is no such run or it stored nothing.
    """
    found = {
        system if scorer == OWN else f"{system}/{scorer}": float(value)
        for system, scorers in metrics.get("scorers", {}).items()
        for scorer, value in scorers.items()
    }
    if not found:
        raise UserError(f"{run} has no {METRICS} with evidence: name a project's folder or a revision after dvc repro")
    return found


def table(runs: dict[str, dict[str, float]], scorers: bool, by: str) -> pd.DataFrame:
    """Arrange what all runs have: ``mean, worst`` and a column a run, the best by ``by`` first.

    Raises
    ------
    UserError
        Where the runs have nothing in common.
    """
    found = pd.DataFrame(runs).dropna()
    if not scorers:
        found = found[[("/" not in name) for name in found.index]]
    if found.empty:
        raise UserError(f"{', '.join(runs)} have no system in common")
    whole = pd.DataFrame({"mean": found.mean(axis=1), "worst": found.min(axis=1)}).join(found)
    return whole.sort_values([by, "mean"], ascending=False, kind="stable")


def _of_folder(folder: Path) -> dict[str, Any]:
    path = folder / METRICS
    return read_json(path) if path.is_file() else {}


def _of_revision(revision: str) -> dict[str, Any]:
    names = git("ls-tree", "--name-only", revision, str(METRICS)).split()
    return json.loads(git("show", f"{revision}:{METRICS}")) if names else {}
