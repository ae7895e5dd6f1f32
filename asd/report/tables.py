"""The report's tables, from the metric files, as text ready to be shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from asd.core.project import ENSEMBLE

SCORES = {"official": "Official score", "score_one_domain": "Score (one domain)"}
RANKED = {"auc_source": "AUC source", "auc_target": "AUC target", "auc": "AUC", "pauc": "pAUC"}
BESIDE = {
    "auc_source_within": "AUC within source",
    "auc_target_within": "AUC within target",
    "pauc_source_within": "pAUC within source",
    "pauc_target_within": "pAUC within target",
    "false_alarm_rate": "False alarms",
    "f1_source": "F1 source",
    "f1_target": "F1 target",
    "f1_ev": "F1-EV",
}
WORST = 10  # attribute values shown of a system
BASELINE = "autoencoder"
NONE = "-"


@dataclass(frozen=True)
class Table:
    """A table of text: the first column names the row, ``best`` is the row to stress."""

    header: list[str]
    rows: list[list[str]]
    best: int = -1


def score_key(metrics: dict[str, Any], systems: list[str]) -> str | None:
    """Name the score that the systems have: official, or that of one domain; None where nothing is labelled.

    Parameters
    ----------
    metrics : dict
        Content of ``metrics/evaluate.json``.
    systems : list of str

    Returns
    -------
    str, optional
    """
    return next((name for name in SCORES for system in systems if name in metrics[system]), None)


def ordered(metrics: dict[str, Any], systems: list[str]) -> list[str]:
    """Order systems as the whole page shows them: best first; as given, the last first, where nothing is labelled."""
    score = score_key(metrics, systems)
    if score is None:
        return [*systems[-1:], *systems[:-1]]
    return sorted(systems, key=lambda system: -metrics[system].get(score, 0.0))


def results(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate scores with intervals and the difference to the baseline; None without labels.

    Parameters
    ----------
    metrics : dict
        Content of ``metrics/evaluate.json``.
    systems : list of str
        Best first.

    Returns
    -------
    Table, optional
    """
    score = score_key(metrics, systems)
    if score is None:
        return None
    columns = _known(RANKED, metrics, systems)
    header = ["System", SCORES[score], "Interval", "Seeds", *columns.values(), f"Against {BASELINE}"]
    rows = []
    for system in systems:
        own = metrics[system]
        before = [system, number(own.get(score)), interval(own, score), seeds(own)]
        rows.append([*before, *_numbers(own, columns), difference(own)])
    return Table(header, rows, best=0)


def beside(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate false alarms, F1 and the AUCs within a domain; None where there are none. See :func:`results`."""
    columns = _known(BESIDE, metrics, systems)
    rows = [[system, *_numbers(metrics[system], columns)] for system in systems]
    return Table(["System", *columns.values()], rows) if columns else None


def headline(metrics: dict[str, Any], systems: list[str]) -> str:
    """Write in a sentence what the recommended system reaches and which one is best; empty without labels."""
    score = score_key(metrics, systems)
    if score is None or score not in metrics[ENSEMBLE]:
        return ""
    said = [f"{system}, {number(metrics[system][score])} % ({interval(metrics[system], score)})" for system in systems]
    reached = f"{SCORES[score]} of the recommended system: {said[systems.index(ENSEMBLE)]}"
    return f"{reached}; it is the best." if systems[0] == ENSEMBLE else f"{reached}. Best: {said[0]}."


def _known(names: dict[str, str], metrics: dict[str, Any], systems: list[str]) -> dict[str, str]:
    return {key: name for key, name in names.items() if any(key in metrics[system] for system in systems)}


def _numbers(figures: dict[str, Any], keys: Iterable[str]) -> list[str]:
    return [number(figures.get(key)) for key in keys]


def number(value: float | None) -> str:
    """Write a percentage with two decimals, as the organisers do."""
    return NONE if value is None or pd.isna(value) else f"{value:.2f}"


def interval(figures: dict[str, Any], name: str, sign: str = "") -> str:
    """Write an interval: ``61.8 to 64.6``.

    Parameters
    ----------
    figures : dict
        One system's.
    name : str
        Of the score or difference.
    sign : str
        ``+`` writes plus signs.

    Returns
    -------
    str
    """
    if f"{name}_low" not in figures:
        return NONE
    return f"{figures[f'{name}_low']:{sign}.1f} to {figures[f'{name}_high']:{sign}.1f}"


def seeds(figures: dict[str, Any]) -> str:
    """Write how many training seeds there are and how far they lie apart."""
    return f"{figures['seeds']} (sd {figures['seed_sd']:.2f})" if "seed_sd" in figures else str(figures["seeds"])


def difference(figures: dict[str, Any]) -> str:
    """Write the paired difference to the baseline and whether the test clips resolve it."""
    key = f"vs_{BASELINE}"
    if key not in figures:
        return NONE
    text = f"{figures[key]:+.2f} ({interval(figures, key, '+')})"
    return f"{text}, not resolved" if figures[f"{key}_low"] <= 0 <= figures[f"{key}_high"] else text


def section_title(machine: str, section: str, several: bool) -> str:
    """Name a machine, with its section where it has several.

    Parameters
    ----------
    machine, section : str
    several : bool
        Whether any machine has several sections.

    Returns
    -------
    str
    """
    return f"{machine} {section}" if several else machine


def several_sections(machines: pd.DataFrame) -> bool:
    """Say whether any machine has more than one section."""
    return bool(machines.groupby("machine")["section"].nunique().max() > 1)


def by_machine(machines: pd.DataFrame, systems: list[str]) -> Table | None:
    """Tabulate every section's score by system; None without labels.

    Parameters
    ----------
    machines : pd.DataFrame
        Content of ``data/evaluation/machines.csv``.
    systems : list of str

    Returns
    -------
    Table, optional
    """
    if machines["score"].isna().all():
        return None
    several = several_sections(machines)
    scores = machines.set_index(["system", "machine", "section"])["score"]
    rows = [
        [section_title(machine, section, several), *(number(scores[system, machine, section]) for system in systems)]
        for machine, section in machines[["machine", "section"]].drop_duplicates().itertuples(index=False)
    ]
    return Table(["Machine", *systems], rows)


def machine_rows(machines: pd.DataFrame, system: str) -> Table:
    """Tabulate one system's figures by machine: what there is of them.

    Parameters
    ----------
    machines : pd.DataFrame
        Content of ``data/evaluation/machines.csv``.
    system : str

    Returns
    -------
    Table
    """
    of_system, several = machines[machines["system"] == system], several_sections(machines)
    names = {"score": "Score"} | RANKED | BESIDE
    shown = {key: name for key, name in names.items() if of_system[key].notna().any()}
    rows = [
        [
            section_title(row["machine"], row["section"], several),
            f"{row['normal']} + {row['anomalous']}",
            *(number(row[key]) for key in shown),
        ]
        for row in of_system.to_dict("records")
    ]
    return Table(["Machine", "Normal + anomalous", *shown.values()], rows)


def attributes(table: pd.DataFrame, system: str, several: bool) -> Table | None:
    """Tabulate the attribute values whose normal clips a system separates worst from anomalies; None without any.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.by_attribute.attribute_table`.
    system : str
    several : bool
        Whether any machine has several sections.
    """
    worst = table[(table["system"] == system) & table["auc"].notna()].sort_values("auc", kind="stable")
    rows = [
        [
            section_title(row["machine"], row["section"], several),
            f"{row['attribute']} {row['value']}",
            row["domain"],
            f"{row['normal']} + {row['anomalous']}",
            *(number(row[key]) for key in ("auc", "auc_within", "false_alarm_rate", "recall")),
        ]
        for row in worst.head(WORST).to_dict("records")
    ]
    figures = ["AUC", "AUC within the value", "False alarms", "Anomalies detected"]
    return Table(["Machine", "Attribute", "Domain", "Normal + anomalous", *figures], rows) if rows else None


def scorers(table: pd.DataFrame, system: str) -> Table | None:
    """Tabulate one system by every scorer, best first; None where nothing was scored so.

    Parameters
    ----------
    table : pd.DataFrame
        Content of ``data/evaluation/trade_off.csv``.
    system : str

    Returns
    -------
    Table, optional
    """
    names = {"official": SCORES["official"]} | {key: RANKED[key] for key in ("auc_source", "auc_target", "pauc")}
    of_system = table[table["system"] == system].sort_values("official", ascending=False, kind="stable")
    rows = [[row["scorer"], *(number(row[key]) for key in names)] for row in of_system.to_dict("records")]
    return Table(["Scorer", *names.values()], rows) if len(rows) > 1 else None


def decisions(scores: pd.DataFrame, several: bool) -> Table:
    """Tabulate one system's thresholds and decisions, for which no label is needed (first training seed).

    Parameters
    ----------
    scores : pd.DataFrame
        One system's labelled scores.
    several : bool
        Whether any machine has several sections.

    Returns
    -------
    Table
    """
    rows = []
    for (machine, section), clips in scores.groupby(["machine", "section"]):
        title = section_title(str(machine), str(section), several)
        above = int(clips["decision"].sum())
        rows.append(
            [title, str(len(clips)), f"{clips['threshold'].iloc[0]:.4g}", f"{above} ({above / len(clips):.0%})"]
        )
    return Table(["Machine", "Test clips", "Threshold", "Decided anomalous"], rows)


def recordings(index: dict[str, Any]) -> Table:
    """Tabulate what the stage ``index`` numbers: clips by machine, split and domain, duration, attributes."""
    splits = {
        "Train source": ("train", "source"),
        "Train target": ("train", "target"),
        "Supplemental": ("supplemental", None),
        "Test": ("test", None),
    }
    rows = []
    for machine, counts in index["clips"].items():
        numbers = [_count(counts.get(split, {}), domain) for split, domain in splits.values()]
        values = index.get("attributes", {}).get(machine)
        attributes = f"{values} values" if values else "none given"
        rows.append([machine, *map(str, numbers), f"{index['seconds'][machine] / 60:.1f}", attributes])
    return Table(["Machine", *splits, "Minutes", "Attributes"], rows)


def _count(domains: dict[str, int], domain: str | None) -> int:
    return sum(domains.values()) if domain is None else domains.get(domain, 0)


def pseudo_labels(metrics: dict[str, Any], agreement: pd.DataFrame) -> Table:
    """Tabulate each method's groups and, where the hidden attributes are known, its agreement with them.

    Parameters
    ----------
    metrics : dict
        Content of ``metrics/pseudo_label.json``.
    agreement : pd.DataFrame
        Content of ``data/evaluation/pseudo_labels.csv``.

    Returns
    -------
    Table
    """
    known = {(row["machine"], row["method"]): row for row in agreement.to_dict("records")}
    rows = []
    for machine, sections in metrics.items():
        for section, methods in sections.items():
            title = section_title(machine, section, len(sections) > 1)
            for method, figures in methods.items():
                judged = _judged(known.get((machine, method)))
                name = f"{method}: {figures['takes']}" if "takes" in figures else method
                rows.append([title, name, *_grouping(figures), *judged])
    return Table(
        ["Machine", "Method", "Groups", "Stability", "Confidence", "AMI given", "True values", "AMI", "ARI"], rows
    )


def _grouping(figures: dict[str, Any]) -> list[str]:
    given = f"{figures['given']['product']['ami']:.3f}" if "given" in figures else NONE
    return [str(figures["groups"]), f"{figures['stability']:.3f}", f"{figures['confidence']:.3f}", given]


def _judged(agreement: dict[Any, Any] | None) -> list[str]:
    return (
        [NONE] * 3
        if agreement is None
        else [str(agreement["true_values"]), f"{agreement['ami']:.3f}", f"{agreement['ari']:.3f}"]
    )
