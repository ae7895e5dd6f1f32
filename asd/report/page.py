"""One HTML page of everything, sounds and pictures beside it: nothing fetched, the same bytes for the same results."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from asd.core.artifacts import atomic, read_csv, read_json
from asd.core.clips import training
from asd.core.project import ENSEMBLE, Project
from asd.report import charts, selection, tables
from asd.report.charts import SQUARE, inline_svg
from asd.report.clip_map import clip_maps
from asd.report.clips import EACH, Neighbours, Section, clips_that_matter, nearest_clips
from asd.report.embeddings import Trained
from asd.report.explanations import Explain
from asd.report.sounds import SECONDS

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


def write_report(folder: Path, project: Project, trained: list[Trained], explain: Explain) -> int:
    """Write the page ``index.html`` and the files beside it.

    Parameters
    ----------
    folder : Path
        Empty or not there.
    project : Project
    trained : list of Trained
        Charts of embeddings before and after training.
    explain : callable
        See :func:`asd.report.explanations.explained`.

    Returns
    -------
    int
        Number of test clips that can be heard.
    """
    figures = {name: read_json(project.metrics / f"{name}.json") for name in METRICS}
    results = {name: read_csv(project.data / "evaluation" / f"{name}.csv", text) for name, text in TEXT.items()}
    groupings = {name: read_csv(project.data / "pseudo_labels" / f"{name}.csv", text) for name, text in FOUND.items()}
    named = [*project.systems, ENSEMBLE]  # a system's colour does not change with its rank: see .dvc/plots
    systems = tables.ordered(figures["evaluate"], named)
    shown = content({system: named.index(system) for system in systems}, figures, results) | {"trained": trained}
    shown |= {"groups": grouping_charts(figures["pseudo_label"], groupings)}
    nearest = nearest_clips(project.data, figures["ensemble"]["weights"], list(project.systems))
    explain_some = partial(explain, project, nearest.system)
    shown |= clips_shown(project, systems, first_seed(results["scores"]), nearest, explain_some, folder)
    page = _environment().get_template("report.html").render(shown)
    with atomic(folder / "index.html", "w") as file:
        file.write(page)
    return sum(len(section.clips) for section in shown["sections"])


def clips_shown(
    project: Project,
    systems: list[str],
    scores: pd.DataFrame,
    nearest: Neighbours,
    explain: Callable[[pd.DataFrame], dict[str, pd.DataFrame]],
    folder: Path,
) -> dict[str, Any]:
    """Collect what the template shows of single clips; their sounds and pictures are written to the folder.

    Parameters
    ----------
    project : Project
    systems : list of str
        In the order of the page.
    scores : pd.DataFrame
        Labelled test scores of one training seed.
    nearest : Neighbours
    explain : callable
        See :func:`asd.report.clips.clips_that_matter`.
    folder : Path
        Of the page.
    """
    normal, paths = training(project.train_clips()), project.recordings()
    ordered = pd.concat([scores[scores["system"] == system] for system in systems])
    sections = clips_that_matter(ordered, normal, paths, nearest, explain, folder / "clips")
    names, recommended = {clip: path.name for clip, path in paths.items()}, scores[scores["system"] == ENSEMBLE]
    maps = clip_maps(recommended, normal, names, sections, project.data, nearest.system)
    said = {"each": EACH, "seconds": f"{SECONDS:g}", "nearest_by": nearest.system, "recommended": ENSEMBLE}
    data = {"thresholds": threshold_data(ordered, systems), "choices": choices(sections)}
    return said | data | {"sections": sections, "maps": maps}


def choices(sections: list[Section]) -> dict[str, list[str]]:
    """List the values that clips can be filtered by: machine, domain, attribute, decision."""
    clips = [clip for section in sections for clip in section.clips]
    return {
        "machine": [section.title for section in sections],
        "domain": sorted({clip.domain for clip in clips}),
        "attribute": sorted({part for clip in clips for part in clip.attributes}),
        "decision": sorted({clip.outcome for clip in clips}),
    }


def threshold_data(scores: pd.DataFrame, systems: list[str]) -> list[dict[str, Any]]:
    """Arrange scores for the threshold slider: by section, all systems' in the order of clips.

    Parameters
    ----------
    scores : pd.DataFrame
        Labelled test scores of one training seed.
    systems : list of str

    Returns
    -------
    list of dict
        ``title``, ``anomaly`` (0, 1 or None of each clip) and ``systems``: name, threshold and scores.
    """
    several, sections = tables.several_sections(scores), []
    for (machine, section), rows in scores.sort_values("clip_id").groupby(["machine", "section"]):
        by_system = {system: rows[rows["system"] == system] for system in systems}
        anomaly = [None if pd.isna(one) else int(one) for one in by_system[ENSEMBLE]["anomaly"]]
        own = [
            {"name": name, "threshold": _short(some["threshold"].iloc[0]), "scores": some["score"].map(_short).tolist()}
            for name, some in by_system.items()
        ]
        title = tables.section_title(str(machine), f"section_{section}", several)
        sections.append({"title": title, "anomaly": anomaly, "systems": own})
    return sections


def _short(score: float) -> float:
    """Round to nine digits, which tell 32-bit numbers apart."""
    return float(f"{score:.9g}")


def first_seed(scores: pd.DataFrame) -> pd.DataFrame:
    """Choose each system's scores of its first training seed."""
    return scores[scores["seed"] == scores.groupby("system")["seed"].transform("min")]


def content(colours: dict[str, int], figures: dict[str, Any], results: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Collect what the template shows.

    Parameters
    ----------
    colours : dict of int
        Number of each system's colour, in the order of the page.
    figures : dict
        The content of each metric file in :data:`METRICS`.
    results : dict of pd.DataFrame
        The tables in :data:`TEXT`.
    """
    metrics, machines, scores = figures["evaluate"], results["machines"], results["scores"]
    first, systems = first_seed(scores), list(colours)
    roc = partial(charts.roc_curves, table=results["roc"], colours=colours)
    return {
        "data": metrics["data"],
        "index": figures["index"],
        "recordings": tables.recordings(figures["index"]),
        "colours": colours,
        "headline": tables.headline(metrics, systems),
        "results": tables.results(metrics, systems),
        "beside": tables.beside(metrics, systems),
        "by_machine": tables.by_machine(machines, systems),
        "roc": inline_svg(roc, "ROC curves of all systems", WIDE) if len(results["roc"]) else None,
        "trade_off": trade_off_chart(results["trade_off"], colours, metrics),
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


def trade_off_chart(table: pd.DataFrame, colours: dict[str, int], metrics: dict[str, Any]) -> Markup | None:
    """Draw source against target AUC; None where the metric has no domains, or no machine has both.

    Parameters
    ----------
    table : pd.DataFrame
        ``system, scorer, official, auc_source, auc_target``.
    colours : dict of int
        Number of each system's colour, in the order of the page.
    metrics : dict
        Of the stage ``evaluate``.
    """
    known = table.dropna(subset=charts.AXES)
    if known.empty:
        return None
    used = {name: [metrics[name][axis] for axis in charts.AXES] for name in colours if charts.AXES[0] in metrics[name]}
    draw = partial(charts.source_against_target, table=known, used=used, colours=colours)
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
        draw, label = partial(charts.score_histogram, scores=rows), f"Scores of {title} by {system}"
        panels.append((title, inline_svg(draw, label, charts.SMALL, charts.HISTOGRAM_MARGINS)))
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
