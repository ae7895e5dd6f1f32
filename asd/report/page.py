"""One HTML page of everything: no script, nothing fetched, the same bytes for the same results."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from asd.core.artifacts import atomic, read_csv, read_json
from asd.report import charts, selection, tables
from asd.report.charts import SQUARE, inline_svg
from asd.report.embeddings import Trained

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
    "series": ("clip_id", "machine", "section"),
}
METRICS = ("download", "index", "pseudo_label", "ensemble", "evaluate")
WIDE = (6.0, 3.6)  # [inch], with a legend beside


@dataclass(frozen=True)
class Grouping:
    """The charts of the pseudo-attributes of one machine's section; the merge tree is that of ``method``."""

    title: str
    method: str
    tree: Markup
    frequencies: Markup | None
    embeddings: Markup


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
        Charts of embeddings before and after training.
    """
    figures = {name: read_json(metrics / f"{name}.json") for name in METRICS}
    results = {name: read_csv(evaluation / f"{name}.csv", text) for name, text in TEXT.items()}
    groupings = {name: read_csv(pseudo / f"{name}.csv", text) for name, text in FOUND.items()}
    shown = content([*systems, "ensemble"], figures, results) | {"trained": trained}
    shown |= {"groups": grouping_charts(figures["pseudo_label"], groupings)}
    page = _environment().get_template("report.html").render(shown)
    with atomic(output, "w") as file:
        file.write(page)


def content(systems: list[str], figures: dict[str, Any], results: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Collect what the template shows.

    Parameters
    ----------
    systems : list of str
    figures : dict
        The content of each metric file in :data:`METRICS`.
    results : dict of pd.DataFrame
        The tables in :data:`TEXT`.
    """
    metrics, machines = figures["evaluate"], results["machines"]
    scores = results["scores"]
    first = scores[scores["seed"] == scores.groupby("system")["seed"].transform("min")]
    return {
        "data": metrics["data"],
        "index": figures["index"],
        "recordings": tables.recordings(figures["index"]),
        "results": tables.results(metrics, systems),
        "by_machine": tables.by_machine(machines, systems),
        "roc": inline_svg(partial(charts.roc_curves, table=results["roc"]), "ROC curves of all systems", WIDE)
        if len(results["roc"])
        else None,
        "trade_off": trade_off_chart(results["trade_off"], systems, metrics),
        "systems": [
            _system(system, machines, first[first["system"] == system], results["attributes"], results["trade_off"])
            for system in systems
        ],
        "chosen": selection.chosen(figures["ensemble"]),
        "evidence": selection.evidence(figures["ensemble"], systems),
        "scorers_chosen": selection.scorers(figures["ensemble"], systems),
        "pseudo_labels": tables.pseudo_labels(figures["pseudo_label"], results["pseudo_labels"]),
        "several_seeds": len(first) < len(scores),
    }


def trade_off_chart(table: pd.DataFrame, systems: list[str], metrics: dict[str, Any]) -> Markup | None:
    """Draw source against target AUC; None where the metric has no domains, or no machine has both.

    Parameters
    ----------
    table : pd.DataFrame
        ``system, scorer, official, auc_source, auc_target``.
    systems : list of str
        In the order of their colours.
    metrics : dict
        Of the stage ``evaluate``.
    """
    known = table.dropna(subset=charts.AXES)
    if known.empty:
        return None
    used = {name: [metrics[name][axis] for axis in charts.AXES] for name in systems if charts.AXES[0] in metrics[name]}
    draw = partial(charts.source_against_target, table=known, used=used)
    return inline_svg(draw, "Target over source AUC of all systems by every scorer", WIDE)


def grouping_charts(metrics: dict[str, Any], groupings: dict[str, pd.DataFrame]) -> list[Grouping]:
    """Draw the groups of every machine that lacks attributes.

    Parameters
    ----------
    metrics : dict
        Of the stage ``pseudo_label``.
    groupings : dict of pd.DataFrame
        The tables in :data:`FOUND`.
    """
    lacking = groupings["clips"][groupings["clips"]["given"] == 0]
    made = []
    for machine, section in lacking[["machine", "section"]].drop_duplicates().itertuples(index=False):
        rows = {n: t[(t["machine"] == machine) & (t["section"] == section)] for n, t in groupings.items()}
        sections = metrics[machine]
        title = tables.section_title(machine, f"section_{section}", len(sections) > 1)
        method = shown_tree(rows["trees"], sections[f"section_{section}"]["auto"]["takes"])
        tree = rows["trees"][(rows["trees"]["method"] == method) & (rows["trees"]["domain"] == "source")]
        draws = {
            "Merge tree": partial(charts.merge_tree, tree=tree),
            "Frequencies": partial(charts.frequency_histogram, series=rows["series"]),
            "Embeddings": partial(charts.embedding_scatter, clips=rows["clips"]),
        }
        if rows["series"].empty:
            del draws["Frequencies"]
        svgs = {name: inline_svg(draw, f"{name} of {title}", SQUARE) for name, draw in draws.items()}
        made.append(Grouping(title, method, svgs["Merge tree"], svgs.get("Frequencies"), svgs["Embeddings"]))
    return made


def shown_tree(trees: pd.DataFrame, takes: str) -> str:
    """Choose the method whose merge tree is shown: of those that ``auto`` takes the one with a tree.

    Parameters
    ----------
    trees : pd.DataFrame
        ``method`` and whatever else.
    takes : str
        The methods that ``auto`` takes, joined by ``x``.

    Returns
    -------
    str
    """
    return next((name for name in takes.split(" x ") if name in set(trees["method"])), "hierarchical")


def _system(
    system: str, machines: pd.DataFrame, scores: pd.DataFrame, attributes: pd.DataFrame, trade_off: pd.DataFrame
) -> dict[str, Any]:
    several = tables.several_sections(machines)
    panels = []
    for (machine, section), rows in scores.groupby(["machine", "section"]):
        title = tables.section_title(str(machine), str(section), several)
        draw = partial(charts.score_histogram, scores=rows)
        panels.append((title, inline_svg(draw, f"Scores of {title} by {system}")))
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
