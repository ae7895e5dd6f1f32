"""Compute the official metric with its interval, for every system; the only stage that reads the ground truth."""

from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from asd.base.artifacts import read_csv, read_json, write_csv, write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.clips import FILES, read_clips
from asd.evaluation import agreement, anchors, attributes, curves, decisions, joined, official, submissions, summary
from asd.evaluation.params import EvaluateParams
from asd.evaluation.trade_off import trade_off_table

OUTPUT = Path("data/evaluation")
METRICS = Path("metrics/evaluate.json")
PLOTS = Path("metrics/plots")
FINE = 101  # points of a ROC curve in the report


def main() -> str:
    """Evaluate all systems and the ensemble."""
    params, content = load(EvaluateParams, "evaluate"), read_params()
    blocks = dict(read_json("data/ensemble/systems.json"))
    systems, year = list(blocks), official.year_of(content["dataset"]["name"])
    clips, truth = read_clips(), joined.read_truth()
    scores = joined.read_scores(systems, clips, content["train"]["average"] == "scores")
    table = joined.beside_truth(scores, clips, truth)
    sections = joined.labelled_sections(table)
    points = pd.concat([official.point_values(sections, year), decisions.decision_values(table)])
    machines = summary.machine_table(points, table, sections, year)
    found, traded = agreement.agreement(truth), trade_off_table(systems, clips, truth, year)

    write_csv(OUTPUT / "scores.csv", table)
    write_csv(OUTPUT / "machines.csv", machines)
    write_csv(OUTPUT / "attributes.csv", attributes.attribute_table(table))
    write_csv(OUTPUT / "pseudo_labels.csv", found)
    write_csv(OUTPUT / "trade_off.csv", traded)
    write_csv(OUTPUT / "roc.csv", curves.roc_table(sections, FINE * table["system"].nunique()))
    names = read_csv(FILES, ("clip_id", "path")).set_index("clip_id")["path"].map(lambda path: PurePath(path).name)
    for system, own in table.groupby("system"):
        submissions.write_official(own, names, OUTPUT / "official" / str(system), year)
    write_csv(PLOTS / "roc.csv", curves.roc_table(sections))
    write_csv(PLOTS / "scores.csv", curves.score_table(scores, table))
    write_csv(PLOTS / "trade_off.csv", traded)

    data = data_name(content["dataset"]) | summary.data_figures(clips, sections)
    figures = summary.system_figures(sections, table, points, machines, params, content["seed"], year)
    pseudo = {"pseudo_label": agreement.agreement_metrics(found)} if len(found) else {}
    if anchor := anchored(content["dataset"], blocks, figures):
        data["anchor"] = anchor
    write_metrics(METRICS, {"data": data} | figures | pseudo)
    said = f"{len(figures)} systems, {len(sections)} machine sections in {METRICS} and {OUTPUT}"
    return f"{said}; autoencoder {anchor}" if anchor else said


def anchored(dataset: dict[str, Any], systems: dict[str, Any], figures: dict[str, Any]) -> str:
    """Hold the organisers' baseline against its published score, where it is a system and the data are theirs."""
    if summary.YARDSTICK not in figures:
        return ""
    mode = systems[summary.YARDSTICK]["score"].get("value", "")
    return anchors.said(dataset, mode, figures[summary.YARDSTICK])


def data_name(dataset: dict[str, Any]) -> dict[str, Any]:
    """Name the data set, with the size and seed of simulated data and the split of the challenge's."""
    name = str(dataset["name"])
    own = dataset if name.startswith("dcase") else dataset.get(name, {})
    return {"name": name} | {key: own[key] for key in ("split", "size", "seed") if key in own}


if __name__ == "__main__":
    run("evaluate", main)
