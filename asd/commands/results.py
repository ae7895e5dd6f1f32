"""``python -m asd results``: the result table of the last run, and how far it is from the committed one."""

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from asd.base.artifacts import read_json
from asd.base.errors import UserError
from asd.base.section import read_params

METRICS, REPORT = Path("metrics/evaluate.json"), Path("data/report/index.html")
HEADLINES = ("official", "score_one_domain")
PAPER = "paper"  # heading of the only column of text behind the first
COLUMNS = {  # heading -> key
    "AUC source": "auc_source",
    "AUC target": "auc_target",
    "AUC": "auc",
    "pAUC": "pauc",
    "false alarms": "false_alarm_rate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--markdown", action="store_true", help="as a markdown table, as in the README")


def main(arguments: argparse.Namespace) -> int:
    """Print the table."""
    if not METRICS.is_file():
        raise UserError(f"{METRICS} is missing: run dvc repro")
    metrics = read_json(METRICS)
    rows = table(metrics, papers(read_params()))
    print("\n".join(markdown(rows) if arguments.markdown else plain(rows)))
    if not arguments.markdown:
        print(said(metrics, committed()))
    return 0


def papers(params: dict[str, Any]) -> dict[str, str]:
    """Read whom each system follows from the content of params.yaml; those that say nothing are left out."""
    named = {name: block["paper"] for name, block in params["systems"].items() if "paper" in block}
    return {"ensemble": "fusion"} | named


def table(metrics: dict[str, Any], after: dict[str, str]) -> list[list[str]]:
    """Arrange the systems' figures in rows, heading first; figures that nobody has get no column.

    Parameters
    ----------
    metrics : dict
        The content of ``metrics/evaluate.json``.
    after : dict of str
        System -> the paper it follows, see :func:`papers`; the cell of a system that is not in it is empty.
    """
    systems = {name: own for name, own in metrics.items() if isinstance(own, dict) and "seeds" in own}
    where = metrics["data"]["name"]
    used = {heading: key for heading, key in COLUMNS.items() if any(key in own for own in systems.values())}
    rows = [["system", PAPER, "score [95 %]", *used, "against the autoencoder"]]
    for name, own in sorted(systems.items(), key=lambda item: -item[1].get(headline(item[1]), 0)):
        figures = [f"{own[key]:.2f}" if key in own else "" for key in used.values()]
        rows.append([f"{where}/{name}", after.get(name, ""), score(own, headline(own)), *figures, against(own)])
    return rows


def headline(own: dict[str, Any]) -> str:
    """Name the score that a system has; an empty name where nothing is labelled."""
    return next((h for h in HEADLINES if h in own), "")


def score(own: dict[str, Any], name: str) -> str:
    """Write a score with its interval."""
    return f"{own[name]:.2f} [{own[f'{name}_low']:.1f}, {own[f'{name}_high']:.1f}]" if name else "unlabelled"


def against(own: dict[str, Any]) -> str:
    """Write the paired difference to the yardstick, or that it is not resolved."""
    if "vs_autoencoder" not in own:
        return ""
    low, high = own["vs_autoencoder_low"], own["vs_autoencoder_high"]
    verdict = "" if low > 0 or high < 0 else ", not resolved"
    return f"{own['vs_autoencoder']:+.2f} [{low:+.1f}, {high:+.1f}]{verdict}"


def markdown(rows: list[list[str]]) -> list[str]:
    """Write rows as a markdown table; the first column and that of papers are flush left."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    rules = ["---" if i == 0 or heading == PAPER else "---:" for i, heading in enumerate(rows[0])]
    return [lines[0], "| " + " | ".join(rules) + " |", *lines[1:]]


def plain(rows: list[list[str]]) -> list[str]:
    """Write rows in columns for a terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def committed() -> dict[str, Any] | None:
    """Read the metrics of the last commit, or None where there are none."""
    done = subprocess.run(
        ["git", "show", f"HEAD:{METRICS.as_posix()}"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def said(metrics: dict[str, Any], before: dict[str, Any] | None) -> str:
    """Say how far the scores are from the committed ones, and where the report is."""
    where = f"The report: {REPORT}"
    if before is None or before["data"] != metrics["data"]:
        return f"Other data than in the last commit. {where}"
    both = [
        (metrics[name][h], before[name][h])
        for name in metrics
        for h in HEADLINES
        if h in metrics[name] and h in before.get(name, {})
    ]
    furthest = max((abs(now - then) for now, then in both), default=0.0)
    if metrics == before:
        return f"The same figures as in the last commit. {where}"
    return f"Scores differ from those of the last commit by up to {furthest:.2f} points. {where}"
