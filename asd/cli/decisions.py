"""What a run of the pipeline came to: the result table, decisions and false alarms by machine, the most anomalous."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from asd.cli.results import REPORT, result_table
from asd.cli.text_tables import plain
from asd.core.artifacts import read_csv, read_json
from asd.core.project import ENSEMBLE, Project
from asd.core.section import checked
from asd.evaluation.labelled_scores import average_seeds
from asd.scoring.params import EnsembleParams

MOST = 10  # files that are named
TEXT = ("clip_id", "machine", "section", "split", "nearest")


def decisions(project: Project) -> dict[str, Any]:
    """Collect what the ensemble decided of the test clips, and the systems' figures.

    Parameters
    ----------
    project : Project
        After ``dvc repro``.

    Returns
    -------
    dict
        ``system``; ``machines``, each section's ``test_clips, anomalous`` (decided), ``stated_false_alarm_rate`` and,
        where normal test clips are known, ``false_alarm_rate`` of them [%]; ``most_anomalous``, a list of
        ``file, machine, score, threshold, decision``; ``results``, the content of ``metrics/evaluate.json``;
        ``report``, its path.
    """
    metrics = read_json(project.metrics / "evaluate.json")
    params = checked(EnsembleParams, project.params["decision"] | project.params[ENSEMBLE], ENSEMBLE)
    stated, known = round(100 * (1 - params.quantile), 4), metrics[ENSEMBLE].get("machines", {})
    table = average_seeds(read_csv(project.data / ENSEMBLE / "scores.csv", TEXT))
    test = table[table["split"] == "test"]
    machines: dict[str, Any] = {}
    for (machine, section), clips in test.groupby(["machine", "section"]):
        figures: dict[str, float] = {"test_clips": len(clips), "anomalous": int(clips["decision"].sum())}
        figures["stated_false_alarm_rate"] = stated
        measured = known.get(machine, {}).get(f"section_{section}", {})
        if "false_alarm_rate" in measured:
            figures["false_alarm_rate"] = measured["false_alarm_rate"]
        machines.setdefault(str(machine), {})[f"section_{section}"] = figures
    return {
        "system": ENSEMBLE,
        "machines": machines,
        "most_anomalous": _most_anomalous(project, test),
        "results": metrics,
        "report": (project.root / REPORT).as_posix(),
    }


def _most_anomalous(project: Project, test: pd.DataFrame) -> list[dict[Any, Any]]:
    """List the test clips furthest above their thresholds, or nearest to them."""
    over = (test["score"] - test["threshold"]).sort_values(ascending=False, kind="stable")
    first = test.loc[over.index[:MOST]]
    paths = project.recordings()
    files = [Path(os.path.relpath(paths[clip])).as_posix() for clip in first["clip_id"]]
    return first.assign(file=files)[["file", "machine", "score", "threshold", "decision"]].to_dict("records")


def decisions_as_text(found: dict[str, Any], after: dict[str, str]) -> str:
    """Write the same as tables, beside the papers that systems follow: see :func:`asd.cli.results.papers`."""
    rows = [["machine", "test clips", "called anomalous", "false alarms stated", "of normal test clips"]]
    for machine, sections in found["machines"].items():
        for section, figures in sections.items():
            title = machine if len(sections) == 1 else f"{machine} {section}"
            alarms = f"{figures['false_alarm_rate']:.1f} %" if "false_alarm_rate" in figures else "not known"
            stated = f"{figures['stated_false_alarm_rate']:g} %"
            rows.append([title, str(figures["test_clips"]), str(figures["anomalous"]), stated, alarms])
    named = [["most anomalous", "machine", "score", "threshold", "called"]]
    for clip in found["most_anomalous"]:
        figures = [f"{clip[key]:.3f}" for key in ("score", "threshold")]
        named.append([clip["file"], clip["machine"], *figures, "anomalous" if clip["decision"] else "normal"])
    tables = [result_table(found["results"], after), rows, named]
    closing = (
        f"The stated rate is aimed at, not guaranteed: training clips set the threshold.\nThe report: {found['report']}"
    )
    return "\n\n".join([*("\n".join(plain(table)) for table in tables), closing])
