"""Diverse Pseudo-AUC: how well a scorer tells pseudo anomalies from normal clips that its memory lacks.

The idea, several kinds of pseudo anomalies in place of real ones to choose by, is K. Wilkinghoff's (2026); kinds,
trials and means are a reconstruction, described in docs/selection.md.
"""

from collections.abc import Hashable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.base.compute import parallel, rng
from asd.base.errors import UserError
from asd.evaluation.auc import auc, partial_auc
from asd.scoring.distances import measured_once
from asd.scoring.params import ScorerBlock
from asd.scoring.registry import create_scorer
from asd.scoring.scorer import rows
from asd.selection.params import SelectionParams
from asd.selection.perturbations import PERTURBATIONS, Given
from asd.selection.trials import Trial, trials

NORMAL, OWN = "normal", "own"  # what is no pseudo anomaly; the scorer that the system uses
TRIAL = ("seed", "machine", "section", "trial")
COLUMNS = ("scorer", *TRIAL, "kind", "clip_id", "domain", "score")
MEASURES = ("auc_source", "auc_target", "pauc")


class Asked(NamedTuple):
    """Clips of one trial that are scored.

    Attributes
    ----------
    kind : np.ndarray [shape=(clips,)]
        :data:`NORMAL`, or of which kind of pseudo anomaly.
    place : np.ndarray [shape=(clips,), dtype=int]
        Which clip each is, or was made from.
    embeddings : np.ndarray [shape=(clips, ...)]
    """

    kind: np.ndarray
    place: np.ndarray
    embeddings: np.ndarray


def pseudo_scores(
    clips: pd.DataFrame,
    extracted: dict[int, np.ndarray],
    scorers: dict[str, ScorerBlock],
    params: SelectionParams,
    seed: int = 0,
) -> pd.DataFrame:
    """Score held-out normal clips and pseudo anomalies by every scorer.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips, with ``label``.
    extracted : dict of int to np.ndarray [shape=(clips, ...)]
        By training seed, their embeddings in the order of the table.
    scorers : dict of str to ScorerBlock
    params : SelectionParams
    seed : int
        Of all that is drawn; the same clips and kinds for any system, so that scores of several can be fused.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`; larger scores are more anomalous.

    Raises
    ------
    UserError
        Where an embedding is not finite.
    """
    if not all(np.isfinite(values).all() for values in extracted.values()):
        raise UserError("an embedding of a training clip is not finite: look at its training")
    asked = (
        (values, trial, (seed, training_seed, machine, section))
        for machine, section in sorted(set(zip(clips["machine"], clips["section"], strict=True)))
        for trial in trials(clips, machine, section, params.folds, seed)
        for training_seed, values in extracted.items()
        if scorers
    )
    parts = list(parallel(partial(_scored, clips, scorers, params), asked))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def _scored(
    clips: pd.DataFrame,
    scorers: dict[str, ScorerBlock],
    params: SelectionParams,
    one: tuple[np.ndarray, Trial, tuple[int, int, str, str]],
) -> pd.DataFrame:
    values, trial, (seed, training_seed, machine, section) = one
    asked = ask(clips, values, trial, params, (seed, machine, section, trial.number))
    domain, memory = clips["domain"].to_numpy(), values[trial.memory]
    about = pd.DataFrame(
        {
            "seed": training_seed,
            "machine": machine,
            "section": section,
            "trial": trial.number,
            "kind": asked.kind,
            "clip_id": clips["clip_id"].to_numpy()[asked.place],
            "domain": domain[asked.place],
        }
    )
    with measured_once():
        parts = []
        for name, block in scorers.items():
            scorer = create_scorer(block, seed + training_seed).fit(memory, domain[trial.memory])
            parts.append(about.assign(scorer=name, score=scorer.score(asked.embeddings)))
    return pd.concat(parts)


def ask(
    clips: pd.DataFrame, values: np.ndarray, trial: Trial, params: SelectionParams, keys: tuple[int | str, ...]
) -> Asked:
    """Put the held-out normal clips of a trial and its pseudo anomalies together."""
    sets = [(NORMAL, trial.normal, values[trial.normal])]
    sets += [(kind, own, values[own]) for kind, own in trial.anomalous.items() if kind in params.kinds]
    sets += list(_perturbed(clips, values, trial, params, keys))
    kind = np.concatenate([np.full(len(place), name, dtype=object) for name, place, _ in sets])
    return Asked(kind, np.concatenate([place for _, place, _ in sets]), np.concatenate([x for _, _, x in sets]))


def _perturbed(
    clips: pd.DataFrame, values: np.ndarray, trial: Trial, params: SelectionParams, keys: tuple[int | str, ...]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    domain, places = clips["domain"].to_numpy(), (trial.normal, trial.memory, trial.anomalous["machine"])
    normal, memory, foreign = (rows(values[own]).astype(np.float64) for own in places)
    given = Given(normal, domain[trial.normal], memory, domain[trial.memory], foreign)
    for kind in params.kinds:
        if kind in PERTURBATIONS:
            made = PERTURBATIONS[kind](given, rng(*keys, kind))
            if len(made):
                yield kind, trial.normal, made.reshape(len(made), *values.shape[1:]).astype(values.dtype)


class Cell(NamedTuple):
    """One kind of pseudo anomalies of one trial, as places in a table of scores.

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
    found, target = [], (scores["domain"] == "target").to_numpy()
    for key, own in scores.groupby(list(TRIAL)):
        rows = scores.index.get_indexer(own.index)
        kinds = scores["kind"].to_numpy()[rows]
        normal = rows[kinds == NORMAL]
        for kind in sorted(set(kinds) - {NORMAL}):
            sides = normal[~target[normal]], normal[target[normal]]
            found.append(Cell((*key, kind), *sides, rows[kinds == kind]))
    return found


def cell_aucs(laid_out: list[Cell], scores: np.ndarray) -> np.ndarray:
    """Compute :data:`MEASURES` of every cell, NaN where it lacks the domain's normal clips: ``(cells, measures)``."""
    found = np.full((len(laid_out), len(MEASURES)), np.nan)
    for row, cell in enumerate(laid_out):
        anomalous = scores[cell.anomalous]
        for column, normal in enumerate((cell.source, cell.target)):
            if len(normal):
                found[row, column] = auc(scores[normal], anomalous)[0]
        found[row, 2] = partial_auc(scores[np.concatenate([cell.source, cell.target])], anomalous)[0]
    return found


def pseudo_aucs(scores: pd.DataFrame) -> pd.DataFrame:
    """Compute the AUCs of pseudo anomalies against held-out normal clips, trial by trial.

    Returns
    -------
    pd.DataFrame
        ``scorer``, the columns :data:`TRIAL`, ``kind`` and :data:`MEASURES`, shares of 1.
    """
    parts = []
    for scorer, own in scores.groupby("scorer", sort=False):
        laid_out = cells(own)
        table = pd.DataFrame([cell.key for cell in laid_out], columns=[*TRIAL, "kind"])
        found = pd.DataFrame(cell_aucs(laid_out, own["score"].to_numpy()), columns=list(MEASURES))
        parts.append(pd.concat([table, found], axis=1).assign(scorer=scorer))
    columns = ["scorer", *TRIAL, "kind", *MEASURES]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
