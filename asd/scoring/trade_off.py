"""The same embeddings scored by all scorers: what one gains in the source domain, another gains in the target."""

from typing import Any

import numpy as np
import pandas as pd

from asd.base.compute import parallel
from asd.base.section import checked
from asd.scoring.distances import measured_once
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
    "shrunk_mahalanobis": {"scorer": "shrunk_mahalanobis"},
    "local_outlier_factor": {"scorer": "local_outlier_factor"},
    "density_ratio": {"scorer": "local_density"},
    "density_difference": {"scorer": "local_density", "form": "difference"},
    "density_log": {"scorer": "local_density", "form": "log"},
    "domain_density": {"scorer": "domain_density"},
    "density_whitened": {"scorer": "local_density", "metric": "euclidean", "whiten": True},
    "var_min": {"scorer": "var_min"},
    "gmm": {"scorer": "gmm"},
    "knn_bands": {"scorer": "knn", "domains": "together", "per_band": True},
    "shrunk_mahalanobis_bands": {"scorer": "shrunk_mahalanobis", "per_band": True},
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
    asked = (
        (section, training_seed, seed + training_seed)
        for training_seed, values in extracted.items()
        for section in sections(clips, trained, values)
        if section.test.any()
    )
    parts = list(parallel(_scored, asked))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts).sort_values(["scorer", "seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _scored(one: tuple[MachineSection, int, int]) -> pd.DataFrame:
    section, training_seed, seed = one
    memory, test = section.embeddings[section.memory], section.embeddings[section.test]
    table = section.clips.loc[section.test, ["clip_id", "machine", "section", "split"]].assign(seed=training_seed)
    with measured_once():
        parts = []
        for name, block in variants(section.embeddings).items():
            scorer = create_scorer(checked(ScoreParams, block).root, seed).fit(memory, section.domain)
            parts.append(table.assign(scorer=name, score=scorer.score(test)))
    return pd.concat(parts)
