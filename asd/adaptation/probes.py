"""What embeddings know of the attributes: probes that no training sees, on machines whose attributes are given."""

from typing import Any

import numpy as np
import pandas as pd

from asd.base.compute import rng
from asd.features.store import FeatureStore

MOST = 1000  # clips a machine that are probed


def sample(clips: pd.DataFrame) -> pd.DataFrame:
    """Take at most :data:`MOST` clips of each machine, drawn, in their order."""
    chosen = [
        own.iloc[np.sort(rng("probes", str(machine)).permutation(len(own))[:MOST])]
        for machine, own in clips.groupby("machine")
    ]
    return pd.concat(chosen).sort_values("clip_id").reset_index(drop=True)


def probe(embeddings: np.ndarray, clips: pd.DataFrame, column: str = "attributes") -> dict[str, Any]:
    """Ask two questions of each machine's embeddings, scaled to length 1.

    ``accuracy``: does the nearest other clip have the same attributes? ``ami``: how well do Ward clusters, as many as
    there are attribute values, agree with them (adjusted mutual information, 0 for random clusters)?

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, dims)]
    clips : pd.DataFrame
        ``machine`` and the attributes in ``column``, row by row; machines with less than two values are left out.

    Returns
    -------
    dict
        Means over machines, and the same by machine under ``machines``, between 0 and 1 each; empty where no machine
        is left.
    """
    machines = {}
    for machine, own in clips.reset_index(drop=True).groupby("machine"):
        known = own[own[column] != ""]
        if len(known[column].unique()) > 1:
            machines[str(machine)] = _asked(embeddings[known.index], known[column].to_numpy())
    means = {key: float(np.mean([m[key] for m in machines.values()])) for key in ("accuracy", "ami") if machines}
    return means | ({"machines": machines} if machines else {})


def _asked(embeddings: np.ndarray, values: np.ndarray) -> dict[str, float]:
    from scipy.cluster.hierarchy import fcluster, linkage  # encoders that are not adapted start a second sooner
    from sklearn.metrics import adjusted_mutual_info_score

    x = embeddings.astype(np.float64)
    unit = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    near = unit @ unit.T
    np.fill_diagonal(near, -np.inf)
    clusters = fcluster(linkage(unit, "ward"), len(np.unique(values)), "maxclust")
    return {
        "accuracy": float((values[near.argmax(axis=1)] == values).mean()),
        "ami": float(adjusted_mutual_info_score(values, clusters)),
    }


def statistics(store: FeatureStore, clips: pd.DataFrame) -> np.ndarray:
    """Describe clips by mean and deviation over time of every band of their features, ``(clips, 2 bands)``."""
    rows = (store[clip] for clip in clips["clip_id"])
    return np.stack([np.concatenate([x.mean(axis=0), x.std(axis=0)]) for x in rows])
