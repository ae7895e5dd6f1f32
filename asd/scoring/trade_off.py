"""The same embeddings scored by all scorers: what one gains in the source domain, another gains in the target."""

from typing import Any

import numpy as np
import pandas as pd

from asd.base.section import checked
from asd.scoring.params import ScoreParams
from asd.scoring.registry import create_scorer
from asd.scoring.table import MachineSection, sections
from asd.scoring.value import VALUES

COLUMNS = ("scorer", "seed", "clip_id", "machine", "section", "split", "score")
VARIANTS: dict[str, dict[str, Any]] = {
    "knn_cosine": {"scorer": "knn"},
    "knn_euclidean": {"scorer": "knn", "metric": "euclidean"},
    "knn_4_apart": {"scorer": "knn", "neighbours": 4},
    "knn_4_together": {"scorer": "knn", "neighbours": 4, "domains": "together"},
    "smote": {"scorer": "smote"},
    "kmeans": {"scorer": "kmeans"},
    "mahalanobis": {"scorer": "mahalanobis"},
    "robust_mahalanobis": {"scorer": "robust_mahalanobis"},
    "local_outlier_factor": {"scorer": "local_outlier_factor"},
    "density_ratio": {"scorer": "local_density"},
    "density_difference": {"scorer": "local_density", "form": "difference"},
    "density_log": {"scorer": "local_density", "form": "log"},
    "domain_density": {"scorer": "domain_density"},
    "density_whitened": {"scorer": "local_density", "metric": "euclidean", "whiten": True},
    "var_min": {"scorer": "var_min"},
    "gmm": {"scorer": "gmm"},
    "knn_bands": {"scorer": "knn", "domains": "together", "per_band": True},
    "var_min_bands": {"scorer": "var_min", "per_band": True},
}


def variants(extracted: np.ndarray) -> dict[str, dict[str, Any]]:
    """Choose what embeddings ``(clips, bands, dims)`` or values ``(clips, k)`` can be scored by; bands need several."""
    if extracted.ndim == 2:
        return {value: {"scorer": "value", "value": value} for value in VALUES}
    return {name: block for name, block in VARIANTS.items() if extracted.shape[1] > 1 or not block.get("per_band")}


def trade_off(clips: pd.DataFrame, trained: set[str], extracted: dict[int, np.ndarray], seed: int = 0) -> pd.DataFrame:
    """Score all test clips by every scorer; arguments as those of :func:`asd.scoring.table.score_table`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`.
    """
    parts = [
        _scored(name, block, training_seed, section, seed + training_seed)
        for training_seed, values in extracted.items()
        for section in sections(clips, trained, values)
        for name, block in variants(values).items()
        if section.test.any()
    ]
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts).sort_values(["scorer", "seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _scored(name: str, block: dict[str, Any], training_seed: int, section: MachineSection, seed: int) -> pd.DataFrame:
    scorer = create_scorer(checked(ScoreParams, block).root, seed)
    scorer.fit(section.embeddings[section.memory], section.domain)
    score = scorer.score(section.embeddings[section.test])
    table = section.clips.loc[section.test, ["clip_id", "machine", "section", "split"]]
    return table.assign(scorer=name, seed=training_seed, score=score)
