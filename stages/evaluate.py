"""Compute the official metric with its interval, for every system; the only stage that reads the ground truth."""

from typing import Any

import pandas as pd

from asd.core.artifacts import write_csv, write_metrics
from asd.core.project import LABELS, TRUTH, Project
from asd.core.stage import run
from asd.evaluation import curves, labelled_scores, official
from asd.evaluation.agreement import agreement_metrics, agreement_table
from asd.evaluation.by_attribute import attribute_table
from asd.evaluation.decision_figures import decision_values
from asd.evaluation.evaluate_params import EvaluateParams
from asd.evaluation.official_files import write_official
from asd.evaluation.published_scores import compare_with_published
from asd.evaluation.system_figures import BASELINE, clip_figures, machine_table, system_figures
from asd.evaluation.trade_off import trade_off_table

FINE = 101  # points of a ROC curve in the report


def main() -> str:
    """Evaluate all systems and the ensemble."""
    project = Project()
    params, content = project.section(EvaluateParams, "evaluate"), project.params
    blocks = project.systems
    systems, year = list(blocks), official.year_of(content["dataset"]["name"])
    clips, truth = project.clips(), labelled_scores.read_truth(project.root / TRUTH)
    output, metrics, plots = project.data / "evaluation", project.metrics / "evaluate.json", project.metrics / "plots"
    scores = labelled_scores.read_scores(systems, clips, project.data, params.average_seeds)
    table = labelled_scores.join_truth(scores, clips, truth)
    sections = labelled_scores.labelled_sections(table)
    points = pd.concat([official.point_values(sections, year), decision_values(table)])
    machines = machine_table(points, table, sections, year)
    agreement = agreement_table(truth, project.root / LABELS / "pseudo")
    trade_off = trade_off_table(systems, project.data / "scores", clips, truth, year)

    write_csv(output / "scores.csv", table)
    write_csv(output / "machines.csv", machines)
    write_csv(output / "attributes.csv", attribute_table(table))
    write_csv(output / "pseudo_labels.csv", agreement)
    write_csv(output / "trade_off.csv", trade_off)
    write_csv(output / "roc.csv", curves.roc_table(sections, FINE * table["system"].nunique()))
    names = project.file_names()
    for system, rows in table.groupby("system"):
        write_official(rows, names, output / "official" / str(system), year)
    write_csv(plots / "roc.csv", curves.roc_table(sections))
    write_csv(plots / "scores.csv", curves.score_distributions(scores, table))
    write_csv(plots / "trade_off.csv", trade_off)

    data = data_name(content["dataset"]) | clip_figures(clips, sections)
    figures = system_figures(sections, table, points, machines, params, content["seed"], year)
    published = ""
    if BASELINE in figures:
        mode = blocks[BASELINE]["score"].get("value", "")
        published = compare_with_published(content["dataset"], mode, figures[BASELINE])
    if published:
        data["published"] = published
    pseudo = {"pseudo_label": agreement_metrics(agreement)} if len(agreement) else {}
    write_metrics(metrics, {"data": data} | figures | pseudo)
    made = f"{len(figures)} systems, {len(sections)} machine sections in {metrics} and {output}"
    return f"{made}; {BASELINE} {published}" if published else made


def data_name(dataset: dict[str, Any]) -> dict[str, Any]:
    """Name the data set, with the size and seed of simulated data and the split of the challenge's."""
    name = str(dataset["name"])
    options = dataset if name.startswith("dcase") else dataset.get(name, {})
    return {"name": name} | {key: options[key] for key in ("split", "size", "seed") if key in options}


if __name__ == "__main__":
    run("evaluate", main)
