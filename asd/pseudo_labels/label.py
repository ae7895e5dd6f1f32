"""All labellings of all machines: given where there is one, pseudo where there is none, and what speaks for them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.pseudo_labels.auto import Choice, Evidence, auto, evidence, taken
from asd.pseudo_labels.figures import clip_table, family_table, tree_table
from asd.pseudo_labels.given import agreement_with_given
from asd.pseudo_labels.methods import METHODS, Clips, groupings
from asd.pseudo_labels.params import PseudoLabelParams

LABELLINGS = (*METHODS, "auto")


class Labels(NamedTuple):
    """What the stage writes.

    Attributes
    ----------
    tables : dict of str to pd.DataFrame
        Of each of :data:`LABELLINGS`: ``clip_id, machine, method, label, confidence``, sorted by ``clip_id``.
    metrics : dict
        By machine and section: of each labelling the number of groups, stability, mean confidence, agreement with
        the other methods and with given attributes; what ``auto`` took.
    figures : dict of str to pd.DataFrame
        ``trees``, ``clips`` and ``families`` of :mod:`asd.pseudo_labels.figures`.
    """

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, Any]
    figures: dict[str, pd.DataFrame]


def label(table: pd.DataFrame, clips: Clips, params: PseudoLabelParams) -> Labels:
    """Label every normal training clip by every method.

    Parameters
    ----------
    table : pd.DataFrame
        Normal machine clips of the training split, in any order, with the given attributes as ``label``.
    clips : Clips
        What is known of them, in the same order.
    params : PseudoLabelParams

    Returns
    -------
    Labels
        The same for any order of rows.
    """
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in LABELLINGS}
    metrics: dict[str, Any] = {}
    figures: dict[str, list[pd.DataFrame]] = {"trees": [], "clips": [], "families": []}
    table = table.reset_index(drop=True).sort_values("clip_id")
    for (machine, section), rows in table.groupby(["machine", "section"]):
        own = Clips(*(values[rows.index] for values in clips))
        found = groupings(own, params)
        known = evidence(found, own.domain)
        choices = {name: taken(found, known, (name,)) for name in METHODS}
        choices["auto"] = auto(found, known, params.auto)
        for name, choice in choices.items():
            tables[name].append(_labelled(rows, choice))
        metrics.setdefault(str(machine), {})[f"section_{section}"] = _figures(rows["label"], choices, known)
        figures["trees"].append(tree_table(rows, found))
        figures["clips"].append(clip_table(rows, choices["auto"], own.embeddings))
        figures["families"].append(family_table(rows, own.frequency, found["frequency"]))
    whole = {name: pd.concat(parts).sort_values("clip_id", ignore_index=True) for name, parts in tables.items()}
    return Labels(whole, metrics, {name: pd.concat(parts, ignore_index=True) for name, parts in figures.items()})


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
