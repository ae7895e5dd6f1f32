"""From what a system extracted to one table of scores, thresholds and decisions."""

import numpy as np
import pandas as pd

from asd.errors import UserError
from asd.scoring.knn import KNN
from asd.scoring.params import KNNParams, Scorer, ValueParams

COLUMNS = ("clip_id", "machine", "section", "split", "seed", "score", "threshold", "decision", "nearest")
VALUES = {"mse": 0, "mahalanobis": 1}


def score_table(clips: pd.DataFrame, extracted: dict[int, np.ndarray], params: Scorer) -> pd.DataFrame:
    """Score all normal-or-not machine clips, machine by machine and section by section.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table.
    extracted : dict of int to np.ndarray
        For each training seed what the system made of the clips, in the order of the table: embeddings
        ``(clips, bands, dims)`` or values ``(clips, k)``.
    params : Scorer
        Which scorer and its options.

    Returns
    -------
    pd.DataFrame
        ``clip_id, machine, section, split, seed, score, threshold, decision, nearest``: test clips, and training
        clips scored against the others (values: as they are); sorted by seed and ``clip_id``. Larger is more
        anomalous, ``decision`` is 1 above the threshold, ``nearest`` is the most similar normal clip.
    """
    parts = []
    machine_clips = clips[(clips["kind"] == "machine") & (clips["split"] != "supplemental")]
    for seed, values in extracted.items():
        for (machine, section), rows in machine_clips.groupby(["machine", "section"]):
            train = (rows["split"] == "train").to_numpy()
            if not train.any():
                raise UserError(f"{machine} section {section} has test clips but no normal training clip")
            flat = values[clips.index.get_indexer(rows.index)].reshape(len(rows), -1)
            if not np.isfinite(flat).all():
                raise UserError(f"{machine} section {section}: what was extracted is not finite: look at its training")
            score, nearest = _score(rows, flat, train, params)
            table = rows[["clip_id", "machine", "section", "split"]].assign(seed=seed, score=score, nearest=nearest)
            parts.append(decided(table, params.quantile))
    return pd.concat(parts).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _score(rows: pd.DataFrame, values: np.ndarray, train: np.ndarray, params: Scorer) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(params, ValueParams):
        return values[:, VALUES[params.value]].astype(np.float64), np.full(len(rows), "")
    assert isinstance(params, KNNParams)
    normal = rows[train]
    recording = np.where(normal["recording"] != "", normal["recording"], normal["clip_id"])
    if len(set(recording)) < 2:
        recording = normal["clip_id"].to_numpy()
    if len(normal) < 2:
        raise UserError(f"{normal['machine'].iloc[0]} has one normal training clip: its threshold needs two")
    knn = KNN(params.neighbours, params.metric).fit(values[train], normal["domain"].to_numpy())
    score = np.empty(len(rows))
    score[train] = knn.score_left_out(recording)
    nearest = np.full(len(rows), "", dtype=object)
    if not train.all():
        score[~train] = knn.score(values[~train])
        nearest[~train] = normal["clip_id"].to_numpy()[knn.distances(values[~train]).argmin(axis=1)]
    return score, nearest


def decided(table: pd.DataFrame, quantile: float) -> pd.DataFrame:
    """Add threshold (a quantile of the training scores) and decision to one machine's scores."""
    threshold = float(np.quantile(table.loc[table["split"] == "train", "score"], quantile))
    return table.assign(threshold=threshold, decision=(table["score"] > threshold).astype(int))


def summary(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Say for each machine where the threshold lies and how many clips pass it (mean over training seeds)."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for (machine, section), rows in table.groupby(["machine", "section"]):
        entry = {"threshold": float(rows["threshold"].mean())}
        for split in ("train", "test"):
            if (rows["split"] == split).any():
                entry[f"{split}_above"] = float(rows.loc[rows["split"] == split, "decision"].mean())
        result.setdefault(str(machine), {})[f"section_{section}"] = entry
    return result
