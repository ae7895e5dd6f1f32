"""``python -m asd table``: stored scores of several years, each by its own metric."""

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from asd.cli.results import score, score_key
from asd.cli.text_tables import markdown, plain
from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.evaluation.official import YEARS, year_of
from asd.evaluation.published_scores import MODES, published_scores

METRICS = Path("metrics/evaluate.json")
REFS = ("refs/heads", "refs/tags", "refs/exps")
Stored = dict[tuple[int, str], dict[str, Any]]
EXAMPLE = "python -m asd table --years 2023-2025 --markdown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Tabulate the official scores of the challenge's data sets, the newest of each year from the workspace, "
        "branches, tags and experiments (dvc exp run $(cat presets/dcase2025.txt)), beside published ones."
    )
    parser.add_argument("--years", default=f"{min(YEARS)}-{max(YEARS)}", help="2025, 2020-2025 or 2020,2025")
    parser.add_argument("--markdown", action="store_true", help="as a markdown table")
    parser.add_argument("--json", action="store_true", help="all figures of each year and split, as stored")


def main(args: argparse.Namespace) -> int:
    """Print a row a system, a column a year."""
    years = years_of(args.years)
    metrics = {key: content for key, content in stored_metrics().items() if key[0] in years}
    if not metrics:
        names = f"dcase{min(years)} to dcase{max(years)}" if len(years) > 1 else f"dcase{years[0]}"
        raise UserError(f"no stored metrics of {names}: dvc exp run with dataset.name=dcase{max(years)}")
    if args.json:
        print(json.dumps({f"{year} {split}": metrics[year, split] for year, split in sorted(metrics)}, indent=2))
        return 0
    rows = year_table(metrics)
    print("\n".join(markdown(rows) if args.markdown else plain(rows)))
    return 0


def years_of(text: str) -> list[int]:
    """Read ``2025``, ``2020-2025`` or ``2020,2025``.

    Raises
    ------
    UserError
        Where it is none of these, or holds a year without a metric.
    """
    if not re.fullmatch(r"\d{4}(-\d{4}|(,\d{4})*)", text):
        raise UserError(f"--years is {text!r}: 2025, 2020-2025 or 2020,2025 is expected")
    numbers = [int(year) for year in re.findall(r"\d{4}", text)]
    years = list(range(numbers[0], numbers[1] + 1)) if "-" in text else numbers
    if not years or not set(years) <= set(YEARS):
        raise UserError(f"--years is {text!r}: there are {min(YEARS)} to {max(YEARS)}")
    return years


def stored_metrics() -> Stored:
    """Find the newest metrics of each year and split: the workspace's, else by the date of the commit."""
    metrics: Stored = {}
    if METRICS.is_file():
        _keep(metrics, read_json(METRICS))
    for ref in git("for-each-ref", "--sort=-committerdate", "--format=%(refname)", *REFS).split():
        text = git("show", f"{ref}:{METRICS.as_posix()}")
        if text:
            _keep(metrics, json.loads(text))
    return metrics


def _keep(kept: Stored, metrics: dict[str, Any]) -> None:
    name = metrics["data"]["name"]
    if name.startswith("dcase"):
        kept.setdefault((year_of(name), metrics["data"].get("split", "dev")), metrics)


def git(*words: str) -> str:
    """Ask git; an empty answer where it has none."""
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False, encoding="utf-8").stdout


def year_table(metrics: Stored) -> list[list[str]]:
    """Arrange the scores in rows, heading first: systems, then what was published."""
    keys = sorted(metrics)
    rows = [["system", *(f"{year} {split}" for year, split in keys)]]
    systems = {
        name: None
        for key in keys
        for name, figures in metrics[key].items()
        if isinstance(figures, dict) and "seeds" in figures
    }
    for system in systems:
        by_year = [metrics[key].get(system, {}) for key in keys]
        rows.append([system, *(score(figures, score_key(figures)) if figures else "" for figures in by_year)])
    for kind in (*MODES, "baseline", "winner"):
        known = [published_scores(*key).get(kind) for key in keys]
        if any(known):
            rows.append([f"published: {kind}", *("" if value is None else f"{value:.2f}" for value in known)])
    listed = [published_scores(*key).get("systems", {}) for key in keys]
    for name in dict.fromkeys(name for year in listed for name in year):
        values = [year[name]["score"] if name in year else None for year in listed]
        rows.append([f"published: {name}", *("" if value is None else f"{value:.2f}" for value in values)])
    return rows
