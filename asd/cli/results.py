"""``python -m asd results``: the result table of the last run, and how far it is from the committed one."""

import argparse
import json
import subprocess
from pathlib import PurePosixPath
from typing import Any

from asd.cli.text_tables import markdown, plain
from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.core.project import Project, systems_of

METRICS, REPORT = PurePosixPath("metrics/evaluate.json"), PurePosixPath("data/report/index.html")
SCORES = ("official", "score_one_domain")
COLUMNS = {  # heading -> key
    "AUC source": "auc_source",
    "AUC target": "auc_target",
    "AUC": "auc",
    "pAUC": "pauc",
    "false alarms": "false_alarm_rate",
}
EXAMPLE = "python -m asd results --markdown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--markdown", action="store_true", help="as a markdown table, as in the README")
    parser.add_argument("--json", action="store_true", help="all figures, as in metrics/evaluate.json")


def main(arguments: argparse.Namespace) -> int:
    """Print the table."""
    project = Project()
    if not (project.root / METRICS).is_file():
        raise UserError(f"{METRICS} is missing: run dvc repro")
    metrics = read_json(project.root / METRICS)
    if arguments.json:
        print(json.dumps(metrics, indent=2))
        return 0
    rows = result_table(metrics, papers(project.params))
    print("\n".join(markdown(rows) if arguments.markdown else plain(rows)))
    if not arguments.markdown:
        print(closing_line(metrics, committed()))
    return 0


def papers(params: dict[str, Any]) -> dict[str, str]:
    """Read whom each system follows from the content of params.yaml; those that say nothing are left out."""
    named = {name: block["paper"] for name, block in systems_of(params).items() if "paper" in block}
    return {"ensemble": "fusion"} | named


def result_table(metrics: dict[str, Any], after: dict[str, str]) -> list[list[str]]:
    """Arrange the systems' figures in rows, heading first; figures that nobody has get no column.

    Parameters
    ----------
    metrics : dict
        The content of ``metrics/evaluate.json``.
    after : dict of str
        System -> the paper it follows, see :func:`papers`; the cell of a system that is not in it is empty.
    """
    systems = {name: system for name, system in metrics.items() if isinstance(system, dict) and "seeds" in system}
    where = metrics["data"]["name"]
    used = {heading: key for heading, key in COLUMNS.items() if any(key in system for system in systems.values())}
    rows = [["system", "paper", "score [95 %]", *used, "against the autoencoder"]]
    for name, system in sorted(systems.items(), key=lambda item: -item[1].get(score_key(item[1]), 0)):
        figures = [f"{system[key]:.2f}" if key in system else "" for key in used.values()]
        rows.append(
            [f"{where}/{name}", after.get(name, ""), score(system, score_key(system)), *figures, against(system)]
        )
    return rows


def score_key(figures: dict[str, Any]) -> str:
    """Name the score that a system has; an empty name where nothing is labelled."""
    return next((h for h in SCORES if h in figures), "")


def score(figures: dict[str, Any], name: str) -> str:
    """Write a score with its interval.

    Parameters
    ----------
    figures : dict
        One system's.
    name : str
        Of the score; empty where nothing is labelled.

    Returns
    -------
    str
    """
    return (
        f"{figures[name]:.2f} [{figures[f'{name}_low']:.1f}, {figures[f'{name}_high']:.1f}]" if name else "unlabelled"
    )


def against(figures: dict[str, Any]) -> str:
    """Write the paired difference to the baseline, or that it is not resolved."""
    if "vs_autoencoder" not in figures:
        return ""
    low, high = figures["vs_autoencoder_low"], figures["vs_autoencoder_high"]
    verdict = "" if low > 0 or high < 0 else ", not resolved"
    return f"{figures['vs_autoencoder']:+.2f} [{low:+.1f}, {high:+.1f}]{verdict}"


def committed() -> dict[str, Any] | None:
    """Read the metrics of the last commit, or None where there are none."""
    done = subprocess.run(
        ["git", "show", f"HEAD:{METRICS}"], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def closing_line(metrics: dict[str, Any], before: dict[str, Any] | None) -> str:
    """Write how far the scores are from the committed ones, and where the report is.

    Parameters
    ----------
    metrics : dict
        Content of ``metrics/evaluate.json``.
    before : dict, optional
        The same in the last commit.

    Returns
    -------
    str
    """
    where = f"The report: {REPORT}"
    if before is None or before["data"] != metrics["data"]:
        return f"Other data than in the last commit. {where}"
    both = [
        (metrics[name][h], before[name][h])
        for name in metrics
        for h in SCORES
        if h in metrics[name] and h in before.get(name, {})
    ]
    furthest = max((abs(now - then) for now, then in both), default=0.0)
    if metrics == before:
        return f"The same figures as in the last commit. {where}"
    return f"Scores differ from those of the last commit by up to {furthest:.2f} points. {where}"
