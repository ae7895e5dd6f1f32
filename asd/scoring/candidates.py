"""Scorers by name that are tried on every system, and further ones: the same embeddings scored by all of them."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from asd.core.compute import ComputeParams, parallel
from asd.core.progress import progress
from asd.core.section import checked
from asd.scoring.distances import measured_once
from asd.scoring.params import ScorerBlock
from asd.scoring.registry import ScoreParams, create_scorer
from asd.scoring.table import MachineSection, n_sections, sections

COLUMNS = ("scorer", "seed", "clip_id", "machine", "section", "split", "score")
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {  # by their input
    "embeddings": {
        "knn_cosine": {"scorer": "knn"},
        "knn_euclidean": {"scorer": "knn", "metric": "euclidean"},
        "knn_4_apart": {"scorer": "knn", "n_neighbors": 4},
        "knn_4_together": {"scorer": "knn", "n_neighbors": 4, "per_domain": False},
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
        "knn_bands": {"scorer": "knn", "per_domain": False, "per_band": True},
        "shrunk_mahalanobis_bands": {"scorer": "shrunk_mahalanobis", "per_band": True},
        "var_min_bands": {"scorer": "var_min", "per_band": True},
    },
    "values": {"mse": {"scorer": "value", "value": "mse"}, "mahalanobis": {"scorer": "value", "value": "mahalanobis"}},
}
FURTHER: dict[str, dict[str, Any]] = {  # of embeddings; each takes the time of five to thirty others
    "fused_min": {"scorer": "fused"},
    "fused_mean": {"scorer": "fused", "combine": "mean"},
    "knn_quantiles": {"scorer": "knn", "domain_quantiles": "soft"},
    "knn_quantiles_pooled": {"scorer": "knn", "domain_quantiles": "soft", "pooling": 30.0},
    "density_quantiles": {"scorer": "local_density", "n_neighbors": 1, "domain_quantiles": "soft"},
}


def further(params: ScorerBlock) -> dict[str, ScorerBlock]:
    """Choose the scorers that are tried where ``selection.scorers`` names them, on embeddings alone."""
    blocks = FURTHER if params.input == "embeddings" else {}
    return {name: checked(ScoreParams, block).root for name, block in blocks.items()}


def candidates(params: ScorerBlock, embeddings: dict[int, np.ndarray]) -> dict[str, ScorerBlock]:
    """Choose the candidates that score what a system's own scorer does; those of bands need several.

    Parameters
    ----------
    params : ScorerBlock
        The system's own scorer.
    embeddings : dict of int to np.ndarray [shape=(clips, bands, ...)]
        By training seed.
    """
    n_bands = next(iter(embeddings.values())).shape[1]
    blocks = {name: checked(ScoreParams, block).root for name, block in CANDIDATES[params.input].items()}
    return {name: block for name, block in blocks.items() if n_bands > 1 or not block.per_band}


def candidate_scores(
    clips: pd.DataFrame,
    reference: set[str],
    embeddings: dict[int, np.ndarray],
    params: ScorerBlock,
    seed: int = 0,
    compute: ComputeParams | None = None,
) -> pd.DataFrame:
    """Score all test clips by every candidate.

    Parameters
    ----------
    clips, reference, embeddings, params, seed, compute
        See :func:`asd.scoring.table.score_table`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`.
    """
    tasks = (
        (section, training_seed, seed + training_seed)
        for training_seed, values in embeddings.items()
        for section in sections(clips, reference, values)
        if section.test.any()
    )
    done = parallel(partial(_scored, candidates(params, embeddings)), tasks, compute)
    parts = list(progress("candidates", "section", n_sections(clips) * len(embeddings), done))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(parts).sort_values(["scorer", "seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def _scored(scorers: dict[str, ScorerBlock], task: tuple[MachineSection, int, int]) -> pd.DataFrame:
    section, training_seed, seed = task
    reference, test = section.embeddings[section.reference], section.embeddings[section.test]
    table = section.clips.loc[section.test, ["clip_id", "machine", "section", "split"]].assign(seed=training_seed)
    with measured_once():
        parts = []
        for name, block in scorers.items():
            scorer = create_scorer(block, seed).fit(reference, section.domain)
            parts.append(table.assign(scorer=name, score=scorer.anomaly_score(test)))
    return pd.concat(parts)
