"""Diverse Pseudo-AUC: how well a scorer tells pseudo anomalies from normal clips that it was not fitted on.

The idea, several kinds of pseudo anomalies in place of real ones to choose by, is K. Wilkinghoff's (2026); kinds,
trials and means are a reconstruction, described in docs/selection.md.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import percent
from asd.core.compute import ComputeParams, rng
from asd.evaluation.auc import auc, partial_auc
from asd.scoring.params import ScorerBlock
from asd.scoring.scorer import flattened
from asd.selection.params import SelectionParams
from asd.selection.perturbations import PERTURBATIONS, HeldOut
from asd.selection.trial_scores import NORMAL, TRIAL, Keys, TrialClips, trial_scores
from asd.selection.trials import Trial, trials

MEASURES = ("auc_source", "auc_target", "pauc")
LEAST = 1e-3


def pseudo_scores(
    clips: pd.DataFrame,
    embeddings: dict[int, np.ndarray],
    scorers: dict[str, ScorerBlock],
    params: SelectionParams,
    seed: int = 0,
    compute: ComputeParams | None = None,
) -> pd.DataFrame:
    """Score held-out normal clips and pseudo anomalies by every scorer.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips, with ``label``.
    embeddings : dict of int to np.ndarray [shape=(clips, ...)]
        By training seed, their embeddings in the order of the table.
    scorers : dict of str to ScorerBlock
    params : SelectionParams
    seed : int
        Of all that is random; the same clips and kinds for any system, so that scores of several can be fused.
    compute : ComputeParams, optional
        The workers; no score depends on their number.

    Returns
    -------
    pd.DataFrame
        The columns :data:`asd.selection.trial_scores.COLUMNS`; larger scores are more anomalous.

    Raises
    ------
    UserError
        Where an embedding is not finite.
    """
    return trial_scores(
        clips,
        embeddings,
        scorers,
        lambda machine, section: trials(clips, machine, section, params.folds, seed),
        partial(trial_clips, clips, params),
        seed,
        compute,
    )


def trial_clips(
    clips: pd.DataFrame, params: SelectionParams, values: np.ndarray, trial: Trial, keys: Keys
) -> TrialClips:
    """Put the held-out normal clips of a trial and its pseudo anomalies together.

    Parameters
    ----------
    clips : pd.DataFrame
    params : SelectionParams
    values : np.ndarray [shape=(clips, ...)]
        The clips' embeddings.
    trial : Trial
    keys : tuple
        Of the random generator.
    """
    sets = [(NORMAL, trial.normal, values[trial.normal])]
    sets += [(kind, row, values[row]) for kind, row in trial.anomalous.items() if kind in params.kinds]
    sets += list(_perturbed(clips, values, trial, params, keys))
    kind = np.concatenate([np.full(len(row), name, dtype=object) for name, row, _ in sets])
    return TrialClips(kind, np.concatenate([row for _, row, _ in sets]), np.concatenate([x for _, _, x in sets]))


def _perturbed(
    clips: pd.DataFrame, values: np.ndarray, trial: Trial, params: SelectionParams, keys: Keys
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    domain, rows = clips["domain"].to_numpy(), (trial.normal, trial.reference, trial.anomalous["machine"])
    normal, reference, foreign = (flattened(values[row]).astype(np.float64) for row in rows)
    held_out = HeldOut(normal, domain[trial.normal], reference, domain[trial.reference], foreign)
    for kind in params.kinds:
        if kind in PERTURBATIONS:
            made = PERTURBATIONS[kind](held_out, rng(*keys, kind))
            if len(made):
                yield kind, trial.normal, made.reshape(len(made), *values.shape[1:]).astype(values.dtype)


class Cell(NamedTuple):
    """One kind of pseudo anomalies of one trial, as rows of a table of scores.

    Attributes
    ----------
    key : tuple
        Training seed, machine, section, trial, kind.
    source, target : np.ndarray [shape=(clips,), dtype=int]
        Held-out normal clips; any domain but ``target`` counts as source.
    anomalous : np.ndarray [shape=(clips,), dtype=int]
    """

    key: tuple[Hashable, ...]
    source: np.ndarray
    target: np.ndarray
    anomalous: np.ndarray


def cells(scores: pd.DataFrame) -> list[Cell]:
    """Lay out one scorer's table of :func:`pseudo_scores`."""
    laid_out, target = [], (scores["domain"] == "target").to_numpy()
    for key, table in scores.groupby(list(TRIAL)):
        rows = scores.index.get_indexer(table.index)
        kinds = scores["kind"].to_numpy()[rows]
        normal = rows[kinds == NORMAL]
        for kind in sorted(set(kinds) - {NORMAL}):
            sides = normal[~target[normal]], normal[target[normal]]
            laid_out.append(Cell((*key, kind), *sides, rows[kinds == kind]))
    return laid_out


def cell_aucs(laid_out: list[Cell], scores: np.ndarray) -> np.ndarray:
    """Compute :data:`MEASURES` of every cell.

    Parameters
    ----------
    laid_out : list of Cell
    scores : np.ndarray [shape=(rows,)]

    Returns
    -------
    np.ndarray [shape=(cells, measures)]
        NaN where a cell lacks the domain's normal clips.
    """
    aucs = np.full((len(laid_out), len(MEASURES)), np.nan)
    for row, cell in enumerate(laid_out):
        anomalous = scores[cell.anomalous]
        for column, normal in enumerate((cell.source, cell.target)):
            if len(normal):
                aucs[row, column] = auc(scores[normal], anomalous)[0]
        aucs[row, 2] = partial_auc(scores[np.concatenate([cell.source, cell.target])], anomalous)[0]
    return aucs


def pseudo_aucs(scores: pd.DataFrame) -> pd.DataFrame:
    """Compute the AUCs of pseudo anomalies against held-out normal clips, trial by trial.

    Returns
    -------
    pd.DataFrame
        ``scorer``, the columns :data:`~asd.selection.trial_scores.TRIAL`, ``kind`` and :data:`MEASURES`, shares of 1.
    """
    parts = []
    for scorer, rows in scores.groupby("scorer", sort=False):
        laid_out = cells(rows)
        table = pd.DataFrame([cell.key for cell in laid_out], columns=[*TRIAL, "kind"])
        aucs = pd.DataFrame(cell_aucs(laid_out, rows["score"].to_numpy()), columns=list(MEASURES))
        parts.append(pd.concat([table, aucs], axis=1).assign(scorer=scorer))
    columns = ["scorer", *TRIAL, "kind", *MEASURES]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def figures(aucs: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Compute ``pseudo_auc``, Diverse Pseudo-AUC, and the mean of each kind by scorer [%]; see :func:`by_kind`."""
    result: dict[str, dict[str, Any]] = {}
    for scorer, rows in aucs.groupby("scorer", sort=False):
        kinds = by_kind(rows)
        whole = {"pseudo_auc": percent(harmonic(kinds.to_numpy()))}
        result[str(scorer)] = whole | {str(kind): percent(value) for kind, value in kinds.items()}
    return result


def by_kind(aucs: pd.DataFrame) -> pd.Series:
    """Average one scorer's AUCs as the challenge does, by kind: a share of 1.

    :data:`MEASURES` are averaged over the trials and training seeds of a machine's section, then harmonically over
    measures and sections, so that the worst count most. Measures that a section lacks (a domain, attributes) are left
    out. The harmonic mean over kinds is the Diverse Pseudo-AUC.
    """
    within = aucs.groupby(["kind", "machine", "section"])[list(MEASURES)].mean()
    return within.groupby("kind").apply(lambda table: harmonic(table.to_numpy()))


def measure(scores: pd.DataFrame) -> Callable[[np.ndarray], float]:
    """Lay out one scorer's table: give the Diverse Pseudo-AUC, a share of 1, of any scores of its rows ``(rows,)``."""
    laid_out = cells(scores)
    keys = pd.DataFrame([cell.key for cell in laid_out], columns=[*TRIAL, "kind"])

    def measured(values: np.ndarray) -> float:
        aucs = pd.DataFrame(cell_aucs(laid_out, values), columns=list(MEASURES))
        return harmonic(by_kind(pd.concat([keys, aucs], axis=1)).to_numpy())

    return measured


def harmonic(values: np.ndarray) -> float:
    """Average harmonically; NaN is left out, and no value counts as less than a thousandth."""
    known = values[~np.isnan(values)]
    return float(len(known) / (1 / np.maximum(known, LEAST)).sum())
