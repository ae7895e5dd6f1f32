"""Labels of all machines by every labeller and by ``auto``, and the evidence for them."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import parse_attributes
from asd.core.compute import ComputeParams, parallel
from asd.core.progress import progress
from asd.pseudo_labels import trees
from asd.pseudo_labels.auto import Choice, Evidence, auto, choice_of, evidence
from asd.pseudo_labels.figures import clip_table, series_table, tree_table
from asd.pseudo_labels.grouping import Clips, Grouping
from asd.pseudo_labels.params import PseudoLabelParams

PRODUCT = "product"  # of all attributes of a clip
FIGURES = ("trees", "clips", "series")  # of asd.pseudo_labels.figures


class Labels(NamedTuple):
    """Labels, metrics and figures of the stage ``pseudo_label``.

    Attributes
    ----------
    tables : dict of str to pd.DataFrame
        Of each labeller and ``auto``: ``clip_id, machine, method, label, confidence``, sorted by ``clip_id``.
    metrics : dict
        By machine and section: of each labelling the number of groups, stability, mean confidence, agreement with
        the other labellers and with given attributes; the choice of ``auto``, with ``clustered`` where of a domain
        no more clips than so many were clustered and the others joined the nearest group.
    figures : dict of str to pd.DataFrame
        ``trees``, ``clips`` and ``series`` of :mod:`asd.pseudo_labels.figures`.
    """

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]
    figures: dict[str, pd.DataFrame]


def label(table: pd.DataFrame, clips: Clips, params: PseudoLabelParams, compute: ComputeParams | None = None) -> Labels:
    """Label every normal training clip by every labeller.

    Parameters
    ----------
    table : pd.DataFrame
        Normal machine clips of the training split, in any order, with the given attributes as ``label``.
    clips : Clips
        The same clips, in the same order.
    params : PseudoLabelParams
    compute : ComputeParams, optional
        Workers over machines; those that are configured by default.

    Returns
    -------
    Labels
        The same for any order of rows and any number of workers.
    """
    table = table.reset_index(drop=True).sort_values("clip_id")
    sections = [rows for _, rows in table.groupby(["machine", "section"])]
    tasks = [(rows, Clips(*(values[rows.index] for values in clips))) for rows in sections]
    labelled = parallel(partial(_label_section, params), tasks, compute)
    done = list(progress("label", "section", len(tasks), labelled))
    metrics: dict[str, Any] = {}
    for rows, own in zip(sections, done, strict=True):
        machine, section = rows[["machine", "section"]].iloc[0]
        metrics.setdefault(str(machine), {})[f"section_{section}"] = own.metrics
    tables = {name: pd.concat([own.tables[name] for own in done]) for name in (*params.labellers(), "auto")}
    figures = {name: pd.concat([own.figures[name] for own in done], ignore_index=True) for name in FIGURES}
    whole = {name: rows.sort_values("clip_id", ignore_index=True) for name, rows in tables.items()}
    return Labels(whole, metrics, figures)


def _label_section(params: PseudoLabelParams, task: tuple[pd.DataFrame, Clips]) -> Labels:
    """Label the clips of one machine's section."""
    rows, clips = task
    grouped = groupings(clips, params)
    known = evidence(grouped, clips.domain)
    choices = {name: choice_of(grouped, known, (name,)) for name in grouped}
    choices["auto"] = auto(grouped, known, params.auto)
    figures = {
        "trees": tree_table(rows, grouped),
        "clips": clip_table(rows, choices["auto"], clips.embeddings),
        "series": series_table(rows, clips.frequency, grouped["frequency"]),
    }
    tables = {name: _labelled(rows, choice) for name, choice in choices.items()}
    return Labels(tables, _figures(rows["label"], choices, known), figures)


def groupings(clips: Clips, params: PseudoLabelParams) -> dict[str, Grouping]:
    """Group the clips of one machine by every labeller."""
    limits = params.min_groups, params.max_groups
    return {name: labeller.group(clips, *limits) for name, labeller in params.labellers().items()}


def _labelled(rows: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    given = (rows["label"] != "").to_numpy()
    method = "_".join(choice.methods)
    names = np.array([f"{method}_{group:02d}" for group in choice.groups])
    return pd.DataFrame(
        {
            "clip_id": rows["clip_id"].to_numpy(),
            "machine": rows["machine"].to_numpy(),
            "method": np.where(given, "given", method),
            "label": np.where(given, rows["label"], names),
            "confidence": np.where(given, 1.0, choice.confidence).round(4),
        }
    )


def _figures(labels: pd.Series, choices: dict[str, Choice], known: Evidence) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, choice in choices.items():
        entry[name] = {
            "groups": int(choice.groups.max()) + 1,
            "stability": choice.stability,
            "confidence": float(choice.confidence.mean()),
        }
        if name in known.agreement:
            entry[name]["agreement"] = known.agreement[name]
        if given := agreement_with_given(labels, choice.groups):
            entry[name]["given"] = given
    entry["auto"]["takes"] = " x ".join(choices["auto"].methods)
    if len(labels) > trees.MOST:
        entry["auto"]["clustered"] = trees.MOST
    return entry


def agreement_with_given(labels: pd.Series, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """Compare groups with every given attribute, and with their product.

    Parameters
    ----------
    labels : pd.Series [shape=(clips,)] of str
        ``speed=3;mic=1``, empty where nothing is given: these clips are left out.
    groups : np.ndarray [shape=(clips,)], int

    Returns
    -------
    dict of str to dict of str to float
        For ``product`` and for each attribute of more than one value: ``ami`` and ``ari``, adjusted for chance, and
        ``v_measure`` and ``purity``, which rise by themselves with the number of groups. Empty where nothing is given.
    """
    known = (labels != "").to_numpy()
    pairs = labels[known].map(parse_attributes)
    columns = {PRODUCT: labels[known].to_numpy()}
    for name in sorted(set().union(*pairs)):
        columns[name] = pairs.map(lambda own, name=name: own.get(name, "")).to_numpy()
    return {name: compared(values, groups[known]) for name, values in columns.items() if len(np.unique(values)) > 1}


def compared(true: np.ndarray, grouped: np.ndarray) -> dict[str, float]:
    """Compare two groupings of the same clips.

    References
    ----------
    N. X. Vinh, J. Epps, J. Bailey, "Information theoretic measures for clusterings comparison", JMLR 11, 2010.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, v_measure_score
    from sklearn.metrics.cluster import contingency_matrix

    return {
        "ami": float(adjusted_mutual_info_score(true, grouped)),
        "ari": float(adjusted_rand_score(true, grouped)),
        "v_measure": float(v_measure_score(true, grouped)),
        "purity": float(contingency_matrix(true, grouped).max(axis=0).sum() / len(true)),
    }
