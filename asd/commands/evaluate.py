"""``python -m asd evaluate``: the official metric of any team's score folder."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from asd.base.artifacts import percent, significant
from asd.base.errors import UserError
from asd.datasets.label_lists import read_labels
from asd.evaluation import decisions, joined, official, summary
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.organisers import FIRST_INTERVAL, organisers_ci95
from asd.evaluation.score_folders import read_folder
from asd.evaluation.sections import LabelledSection

RESAMPLES = 1000
ROWS = {"official": "official", "auc": "AUC", "pauc": "pAUC"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = "Compute a year's official metric of a folder of score files, with its 95 % interval."
    parser.add_argument("--year", type=int, required=True, choices=official.YEARS, help="whose metric and names")
    parser.add_argument("--labels", type=Path, required=True, metavar="CSV", help="eval_data_list_<year>.csv")
    parser.add_argument("--scores", type=Path, required=True, metavar="DIR", help="holds anomaly_score_*.csv")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Print the figures, as a table or as JSON; what is odd about the folder goes to stderr."""
    table, notes = read_folder(args.scores, read_labels(args.labels))
    for note in notes:
        print(f"asd: note: {note}", file=sys.stderr)
    found = figures(table, args.year, args.resamples)
    print(json.dumps(found, indent=2) if args.json else "\n".join(plain(found)))
    return 0


def figures(table: pd.DataFrame, year: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Compute everything of one system on one year's clips.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.score_folders.read_folder`.
    year : int
    resamples : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``year, auc, pauc, official, official_low, official_high, organisers_ci95``, means of all other figures over
        machines and sections, and ``machines``: each with ``auc, pauc, official`` and its sections' figures; percent.
    """
    sections = joined.labelled_sections(table)
    check(sections, year)
    points = pd.concat([official.point_values(sections, year), decisions.decision_values(table)])
    metric, system = official.YEARS[year], str(table["system"].iloc[0])
    resampled = resampled_scores(sections, metric, resamples, seed=0)[system]
    value = averages(points, metric)["official"]
    low, high = bias_corrected_interval(value, resampled)
    return {
        "year": year,
        **summary.column_means(points, year)[system],
        **_percent(averages(points, metric)),
        "official_low": percent(low),
        "official_high": percent(high),
        **({"organisers_ci95": significant(100 * organisers_ci95(sections, system))} if year >= FIRST_INTERVAL else {}),
        "machines": {
            str(machine): _percent(averages(own, metric)) | _sections(own, sections, year)
            for machine, own in points.groupby("machine")
        },
    }


def check(sections: list[LabelledSection], year: int) -> None:
    """Refuse labels that lack the normal or anomalous clips of a domain which the year's metric needs."""
    for section in sections:
        for name in official.YEARS[year].measures:
            if not section.has(name):
                where = f"{section.machine} section {section.section}"
                raise UserError(f"--labels: {where} lacks the clips for {name}, which {year}'s metric needs")


def averages(points: pd.DataFrame, metric: official.Metric) -> dict[str, float]:
    """Average the AUCs, the pAUCs and all that enters the official score."""
    entering = points[points["enters"]]
    kinds = {"auc": "auc", "pauc": "pauc", "official": ""}
    return {
        name: official.averaged(entering[entering["measure"].str.startswith(start)], metric)
        for name, start in kinds.items()
    }


def _sections(points: pd.DataFrame, sections: list[LabelledSection], year: int) -> dict[str, dict[str, float]]:
    word = "id" if year == 2020 else "section"
    return {
        f"{word}_{section}": _percent(dict(zip(own["measure"], own["value"], strict=True)))
        for section, own in points.groupby("section")
    }


def _percent(values: dict[str, float]) -> dict[str, float]:
    return {name: percent(value) for name, value in values.items()}


def plain(found: dict[str, Any]) -> list[str]:
    """Write the figures of machines and sections in columns, and the score with its interval in the last line."""
    parts = {}
    for machine, own in found["machines"].items():
        for name, figure in own.items():
            if isinstance(figure, dict):
                parts[f"{machine} {name}"] = figure
    table = pd.DataFrame(parts).T
    table.loc["all"] = pd.Series(found).reindex(table.columns)
    text = table.astype(float).to_string(float_format="{:.2f}".format, na_rep="").splitlines()
    interval = f"95 % interval of the clips {found['official_low']:.2f} to {found['official_high']:.2f}"
    scores = f"AUC {found['auc']:.2f}, pAUC {found['pauc']:.2f}, official {found['official']:.2f}"
    return [*text, f"{found['year']}: {scores} ({interval})"]
