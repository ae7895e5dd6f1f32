"""All labellings of all machines: given where there is one, pseudo where there is none, and which is better."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_mutual_info_score, silhouette_samples

from asd.pseudo_labels.frequency import frequency
from asd.pseudo_labels.hierarchical import hierarchical, normalised
from asd.pseudo_labels.params import PseudoLabelParams

METHODS = ("hierarchical", "frequency")


def label(
    clips: pd.DataFrame, embeddings: np.ndarray, lines: np.ndarray, params: PseudoLabelParams
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Label every normal training clip by every method.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal machine clips of the training split, sorted by ``clip_id``, with the given attributes as ``label``.
    embeddings : np.ndarray [shape=(clips, dims)]
        Of the labellers' encoder.
    lines : np.ndarray [shape=(clips,)]
        [Hz] Strongest line of the envelope spectrum, NaN where there is none.
    params : PseudoLabelParams
        How to group.

    Returns
    -------
    dict of str to pd.DataFrame
        ``hierarchical``, ``frequency`` and ``auto``: ``clip_id, machine, method, label, confidence``.
    dict
        For each machine and method the number of groups and the silhouette, the agreement with given attributes
        (adjusted mutual information, AMI) where there are any, and what ``auto`` chose.
    """
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in (*METHODS, "auto")}
    metrics: dict[str, Any] = {}
    for (machine, section), rows in clips.groupby(["machine", "section"]):
        place = clips.index.get_indexer(rows.index)
        found = {
            "hierarchical": hierarchical(embeddings[place], rows["domain"].to_numpy(), params),
            "frequency": frequency(lines[place], params),
        }
        fits = {name: silhouette(embeddings[place], groups) for name, groups in found.items()}
        chosen = max(METHODS, key=lambda name: fits[name].mean())
        entry: dict[str, Any] = {"auto": chosen, "lines": float(np.isfinite(lines[place]).mean())}
        for name in METHODS:
            entry[name] = {"groups": int(found[name].max()) + 1, "silhouette": float(fits[name].mean())}
            if len(set(rows["label"])) > 1:
                entry[name]["ami_given"] = float(adjusted_mutual_info_score(rows["label"], found[name]))
            tables[name].append(_table(rows, name, found[name], fits[name]))
        tables["auto"].append(_table(rows, chosen, found[chosen], fits[chosen]))
        metrics.setdefault(str(machine), {})[f"section_{section}"] = entry
    return {n: pd.concat(t).sort_values("clip_id").reset_index(drop=True) for n, t in tables.items()}, metrics


def silhouette(embeddings: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Give each clip's silhouette in the space of embeddings, whatever the groups were made from; -1 for one group."""
    if not 1 < len(np.unique(groups)) < len(groups):
        return np.full(len(groups), -1.0)
    return silhouette_samples(normalised(embeddings), groups)


def _table(rows: pd.DataFrame, method: str, groups: np.ndarray, fit: np.ndarray) -> pd.DataFrame:
    given = (rows["label"] != "").to_numpy()
    names = np.array([f"{method}_{group:02d}" for group in groups])
    return pd.DataFrame(
        {
            "clip_id": rows["clip_id"].to_numpy(),
            "machine": rows["machine"].to_numpy(),
            "method": np.where(given, "given", method),
            "label": np.where(given, rows["label"], names),
            "confidence": np.where(given, 1.0, (1 + fit) / 2).round(4),
        }
    )
