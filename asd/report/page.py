"""One HTML page of everything: no script, nothing fetched, the same bytes for the same results."""

from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asd.base.artifacts import atomic, read_csv, read_json
from asd.report import charts, selection, tables
from asd.report.embeddings import Trained
from asd.report.groups import Groups, groups

TEXT = {
    "scores": ("system", "clip_id", "machine", "section", "domain", "attributes"),
    "machines": ("system", "machine", "section", "unlabelled"),
    "attributes": ("system", "machine", "section", "attribute", "value", "domain"),
    "pseudo_labels": ("machine", "method"),
    "roc": ("system",),
    "trade_off": ("system", "scorer"),
}
FOUND = {  # of the stage pseudo_label
    "trees": ("machine", "section", "method", "domain", "left", "right"),
    "clips": ("clip_id", "machine", "section", "domain"),
    "families": ("clip_id", "machine", "section"),
}
METRICS = ("download", "index", "pseudo_label", "ensemble", "evaluate")


def write_report(
    output: Path, systems: list[str], metrics: Path, evaluation: Path, pseudo: Path, trained: list[Trained]
) -> None:
    """Write the page.

    Parameters
    ----------
    output : Path
        ``index.html``.
    systems : list of str
        All there are; ``ensemble`` is added.
    metrics, evaluation, pseudo : Path
        The folders of the metric files and of what the stages ``evaluate`` and ``pseudo_label`` made.
    trained : list of Trained
        Pictures of embeddings before and after training.
    """
    figures = {name: read_json(metrics / f"{name}.json") for name in METRICS}
    found = {name: read_csv(evaluation / f"{name}.csv", text) for name, text in TEXT.items()}
    drawn = {name: read_csv(pseudo / f"{name}.csv", text) for name, text in FOUND.items()}
    shown = content([*systems, "ensemble"], figures, found) | {"trained": trained}
    shown |= {"groups": pictures(figures["pseudo_label"], drawn)}
    page = _environment().get_template("report.html").render(shown)
    with atomic(output, "w") as file:
        file.write(page)


def content(systems: list[str], figures: dict[str, Any], found: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Collect what the template shows.

    Parameters
    ----------
    systems : list of str
    figures : dict
        The content of each metric file in :data:`METRICS`.
    found : dict of pd.DataFrame
        The tables in :data:`TEXT`.
    """
    metrics, machines = figures["evaluate"], found["machines"]
    scores = found["scores"]
    first = scores[scores["seed"] == scores.groupby("system")["seed"].transform("min")]
    return {
        "data": metrics["data"],
        "index": figures["index"],
        "recordings": tables.recordings(figures["index"]),
        "results": tables.results(metrics, systems),
        "by_machine": tables.by_machine(machines, systems),
        "curves": charts.roc_curves(found["roc"]),
        "trade_off": charts.trade_off(found["trade_off"], systems, metrics),
        "systems": [
            _system(system, machines, first[first["system"] == system], found["attributes"], found["trade_off"])
            for system in systems
        ],
        "chosen": selection.chosen(figures["ensemble"]),
        "evidence": selection.evidence(figures["ensemble"], systems),
        "scorers_chosen": selection.scorers(figures["ensemble"], systems),
        "pseudo_labels": tables.pseudo_labels(figures["pseudo_label"], found["pseudo_labels"]),
        "several_seeds": len(first) < len(scores),
    }


def pictures(metrics: dict[str, Any], drawn: dict[str, pd.DataFrame]) -> list[Groups]:
    """Draw the groups of every machine that lacks attributes.

    Parameters
    ----------
    metrics : dict
        Of the stage ``pseudo_label``.
    drawn : dict of pd.DataFrame
        The tables in :data:`FOUND`.
    """
    lacking = drawn["clips"][drawn["clips"]["given"] == 0]
    made = []
    for machine, section in lacking[["machine", "section"]].drop_duplicates().itertuples(index=False):
        own = {n: t[(t["machine"] == machine) & (t["section"] == section)] for n, t in drawn.items()}
        sections = metrics[machine]
        title = tables.section_title(machine, f"section_{section}", len(sections) > 1)
        takes = sections[f"section_{section}"]["auto"]["takes"]
        made.append(groups(title, own["trees"], own["clips"], own["families"], takes))
    return made


def _system(
    system: str, machines: pd.DataFrame, scores: pd.DataFrame, attributes: pd.DataFrame, trade_off: pd.DataFrame
) -> dict[str, Any]:
    several = tables.several_sections(machines)
    panels = [
        charts.panel(tables.section_title(str(machine), str(section), several), own)
        for (machine, section), own in scores.groupby(["machine", "section"])
    ]
    return {
        "name": system,
        "machines": tables.machine_rows(machines, system),
        "attributes": tables.attributes(attributes, system, several),
        "decisions": tables.decisions(scores, several),
        "scorers": tables.scorers(trade_off, system),
        "panels": panels,
    }


def _environment() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
