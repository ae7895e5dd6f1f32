"""Labels of all machines by every labeller and by ``auto``, and the evidence for them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import parse_attributes
from asd.pseudo_labels.auto import Choice, Evidence, auto, choice_of, evidence
from asd.pseudo_labels.figures import clip_table, series_table, tree_table
from asd.pseudo_labels.grouping import Clips, Grouping
from asd.pseudo_labels.params import PseudoLabelParams

PRODUCT = "product"  # of all attributes of a clip


class Labels(NamedTuple):
    """Labels, metrics and figures of the stage ``pseudo_label``.

    Attributes
    ----------
    tables : dict of str to pd.DataFrame
        Of each labeller and ``auto``: ``clip_id, machine, method, label, confidence``, sorted by ``clip_id``.
    metrics : dict
        By machine and section: of each labelling the number of groups, stability, mean confidence, agreement with
        the other labellers and with given attributes; the choice of ``auto``.
    figures : dict of str to pd.DataFrame
        ``trees``, ``clips`` and ``series`` of :mod:`asd.pseudo_labels.figures`.
    """

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]
    figures: dict[str, pd.DataFrame]


def label(table: pd.DataFrame, clips: Clips, params: PseudoLabelParams) -> Labels:
    """Label every normal training clip by every labeller.

    Parameters
    ----------
    table : pd.DataFrame
        Normal machine clips of the training split, in any order, with the given attributes as ``label``.
    clips : Clips
        The same clips, in the same order.
    params : PseudoLabelParams

    Returns
    -------
    Labels
        The same for any order of rows.
    """
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in (*params.labellers(), "auto")}
    metrics: dict[str, Any] = {}
    figures: dict[str, list[pd.DataFrame]] = {"trees": [], "clips": [], "series": []}
    table = table.reset_index(drop=True).sort_values("clip_id")
    for (machine, section), rows in table.groupby(["machine", "section"]):
        own = Clips(*(values[rows.index] for values in clips))
        grouped = groupings(own, params)
        known = evidence(grouped, own.domain)
        choices = {name: choice_of(grouped, known, (name,)) for name in grouped}
        choices["auto"] = auto(grouped, known, params.auto)
        for name, choice in choices.items():
            tables[name].append(_labelled(rows, choice))
        metrics.setdefault(str(machine), {})[f"section_{section}"] = _figures(rows["label"], choices, known)
        figures["trees"].append(tree_table(rows, grouped))
        figures["clips"].append(clip_table(rows, choices["auto"], own.embeddings))
        figures["series"].append(series_table(rows, own.frequency, grouped["frequency"]))
    whole = {name: pd.concat(parts).sort_values("clip_id", ignore_index=True) for name, parts in tables.items()}
    return Labels(whole, metrics, {name: pd.concat(parts, ignore_index=True) for name, parts in figures.items()})


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
