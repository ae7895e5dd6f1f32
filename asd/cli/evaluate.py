"""``python -m asd evaluate``: the official metric of any team's score folder."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from asd.cli.text_tables import plain, rows_of
from asd.core.artifacts import percent, significant
from asd.core.errors import UserError
from asd.datasets.published_labels import read_labels
from asd.datasets.years import years
from asd.evaluation import official
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.decision_figures import decision_values
from asd.evaluation.labelled_scores import labelled_sections
from asd.evaluation.official_files import read_official
from asd.evaluation.sections import LabelledSection
from asd.evaluation.system_figures import measure_means

RESAMPLES = 1000
ROWS = {"official": "official", "auc": "AUC", "pauc": "pAUC"}
EXAMPLE = "python -m asd evaluate --year 2025 --labels eval_data_list_2025.csv --scores scores --json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = "Compute a year's official metric of a folder of score files, with its 95 % interval."
    parser.add_argument("--year", type=int, required=True, choices=official.YEARS, help="whose metric and names")
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="PATH",
        help="eval_data_list_<year>.csv, or the folder of the organisers' evaluator, with ground_truth_data/ in it",
    )
    parser.add_argument("--scores", type=Path, required=True, metavar="DIR", help="holds anomaly_score_*.csv")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap (default: %(default)s)")


def main(args: argparse.Namespace) -> int:
    """Print the figures, as a table or as JSON; what is odd about the folder goes to stderr."""
    labels = read_labels(args.labels)
    table, notes = read_official(args.scores, labels)
    for note in [*label_notes(args.year, args.labels, labels), *notes]:
        print(f"asd: note: {note}", file=sys.stderr)
    result = official_figures(table, args.year, args.resamples)
    print(json.dumps(result, indent=2) if args.json else "\n".join(figure_lines(result)))
    return 0


def label_notes(year: int, path: Path, labels: pd.DataFrame) -> list[str]:
    """Say which labels of a year's published list are known to be wrong, where they are read from it.

    Parameters
    ----------
    year : int
    path : Path
        A list, or the folder of an evaluator, which has no such labels.
    labels : pd.DataFrame
        Its content.

    Returns
    -------
    list of str
        One note or none.
    """
    known = years()[year]
    counts = labels["machine"].value_counts()
    wrong = [f"{machine} {count} of {counts[machine]}" for machine, count in known.wrong.items() if machine in counts]
    if path.is_dir() or not wrong or known.evaluator is None:
        return []
    right = f"give --labels the folder of their evaluator, {known.evaluator.page}"
    return [f"the organisers' list of {year} has wrong labels ({', '.join(wrong)} clips): {right}"]


def official_figures(table: pd.DataFrame, year: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Compute everything of one system on one year's clips.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.official_files.read_official`.
    year : int
    resamples : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``year, auc, pauc, official, official_low, official_high, organisers_ci95``, means of all other figures over
        machines and sections, and ``machines``: each with ``auc, pauc, official`` and its sections' figures; percent.
    """
    sections = labelled_sections(table)
    check_labels(sections, year)
    points = pd.concat([official.point_values(sections, year), decision_values(table)])
    metric, system = official.YEARS[year], str(table["system"].iloc[0])
    resampled = resampled_scores(sections, metric, resamples, seed=0)[system]
    value = averages(points, metric)["official"]
    low, high = bias_corrected_interval(value, resampled)
    return {
        "year": year,
        **measure_means(points, year)[system],
        **_percent(averages(points, metric)),
        "official_low": percent(low),
        "official_high": percent(high),
        **(
            {"organisers_ci95": significant(100 * official.organisers_ci95(sections, system))}
            if year >= official.FIRST_INTERVAL
            else {}
        ),
        "machines": {
            str(machine): _percent(averages(rows, metric)) | _sections(rows, year)
            for machine, rows in points.groupby("machine")
        },
    }


def check_labels(sections: list[LabelledSection], year: int) -> None:
    """Refuse labels that lack the normal or anomalous clips of a domain which the year's metric needs.

    Parameters
    ----------
    sections : list of LabelledSection
    year : int
    """
    for section in sections:
        for name in official.YEARS[year].measures:
            if not section.has(name):
                where = f"{section.machine} section {section.section}"
                raise UserError(f"--labels: {where} lacks the clips for {name}, which {year}'s metric needs")


def averages(points: pd.DataFrame, metric: official.Metric) -> dict[str, float]:
    """Average the AUCs, the pAUCs and all that enters the official score.

    Parameters
    ----------
    points : pd.DataFrame
        Of :func:`asd.evaluation.official.point_values`.
    metric : Metric

    Returns
    -------
    dict of float
        ``auc, pauc, official``, 0 to 1.
    """
    entering = points[points["enters"]]
    kinds = {"auc": "auc", "pauc": "pauc", "official": ""}
    return {
        name: official.average_points(entering[entering["measure"].str.startswith(start)], metric)
        for name, start in kinds.items()
    }


def _sections(points: pd.DataFrame, year: int) -> dict[str, dict[str, float]]:
    word = "id" if year == 2020 else "section"
    return {
        f"{word}_{section}": _percent(dict(zip(rows["measure"], rows["value"], strict=True)))
        for section, rows in points.groupby("section")
    }


def _percent(values: dict[str, float]) -> dict[str, float]:
    return {name: percent(value) for name, value in values.items()}


def figure_lines(result: dict[str, Any]) -> list[str]:
    """Write the figures of machines and sections in columns, and the score with its interval in the last line."""
    parts = {}
    for machine, entries in result["machines"].items():
        for name, figure in entries.items():
            if isinstance(figure, dict):
                parts[f"{machine} {name}"] = figure
    table = pd.DataFrame(parts).T
    table.loc["all"] = pd.Series(result).reindex(table.columns)
    figures = table.astype(float).astype(object).where(table.notna(), "")
    text = rows_of(figures.rename_axis("section").reset_index(), ".2f")
    interval = f"95 % interval of the clips {result['official_low']:.2f} to {result['official_high']:.2f}"
    scores = f"AUC {result['auc']:.2f}, pAUC {result['pauc']:.2f}, official {result['official']:.2f}"
    return [*plain(text), f"{result['year']}: {scores} ({interval})"]
