"""Domain balance: whether normal clips of both domains, which a scorer was not fitted on, have the same scores.

The criterion of DACo (arXiv 2607.04526): ten times half of each domain's normal training clips are held out, and the
Kolmogorov-Smirnov distance of the scores of both domains is averaged. Here 1 less that distance, so that more is
better, and recordings are held out whole. The paper also leaves out the tenth of its configurations that score lowest
on labelled development machines; nothing here has labels, so nothing stops a score that says nothing at all, which is
the same in both domains: domain balance compares scorers of one embedding rather than systems.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from asd.core.artifacts import percent
from asd.core.compute import ComputeParams, rng
from asd.scoring.params import ScorerBlock
from asd.selection.params import SelectionParams
from asd.selection.trial_scores import NORMAL, TRIAL, Keys, TrialClips, trial_scores
from asd.selection.trials import Trial, recordings

SPLITS = 10
FEWEST = 2  # recordings of a domain that can be held out in half
BALANCE = "balance"
Cells = list[tuple[np.ndarray, np.ndarray]]  # of each trial the rows of source and target


def held_out_scores(
    clips: pd.DataFrame,
    embeddings: dict[int, np.ndarray],
    scorers: dict[str, ScorerBlock],
    params: SelectionParams,
    seed: int = 0,
    compute: ComputeParams | None = None,
) -> pd.DataFrame:
    """Score held-out normal clips by every scorer.

    Parameters
    ----------
    clips, embeddings, scorers, params, seed, compute
        See :func:`asd.selection.pseudo_auc.pseudo_scores`; of params nothing is needed.

    Returns
    -------
    pd.DataFrame
        The columns :data:`asd.selection.trial_scores.COLUMNS`: none of machines without two recordings of each domain.

    Raises
    ------
    UserError
        Where an embedding is not finite.
    """
    return trial_scores(
        clips,
        embeddings,
        scorers,
        lambda machine, section: splits(clips, machine, section, seed),
        _normal,
        seed,
        compute,
    )


def splits(clips: pd.DataFrame, machine: str, section: str, seed: int) -> Iterator[Trial]:
    """Hold out half of each domain's recordings of a machine's section, at random, :data:`SPLITS` times.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips. Any domain but ``target`` counts as source.
    machine, section : str
    seed : int

    Yields
    ------
    Trial
        Without anomalies; none where a domain has fewer than :data:`FEWEST` recordings.
    """
    rows = np.flatnonzero((clips["machine"] == machine) & (clips["section"] == section))
    recording, target = recordings(clips.iloc[rows]), (clips["domain"] == "target").to_numpy()[rows]
    sides = [sorted(set(recording[own])) for own in (~target, target)]
    if min(map(len, sides)) < FEWEST:
        return
    for number in range(SPLITS):
        draw = rng(seed, "domain balance", machine, section, number)
        held = np.zeros(len(rows), dtype=bool)
        for side in sides:
            held |= np.isin(recording, draw.permutation(side)[: len(side) // 2])
        if len(set(target[~held])) == len(sides):  # else recordings hold both domains
            yield Trial(number, rows[~held], rows[held], {})


def _normal(values: np.ndarray, trial: Trial, keys: Keys) -> TrialClips:
    return TrialClips(np.full(len(trial.normal), NORMAL, dtype=object), trial.normal, values[trial.normal])


def cells(scores: pd.DataFrame) -> tuple[pd.DataFrame, Cells]:
    """Lay out one scorer's table of :func:`held_out_scores`: the columns :data:`TRIAL` of its trials, and their rows.

    A trial whose held-out clips are all of one domain (recordings that hold both) is left out.
    """
    keys: list[Hashable] = []
    laid_out: Cells = []
    target = (scores["domain"] == "target").to_numpy()
    for key, found in scores.reset_index(drop=True).groupby(list(TRIAL)).indices.items():
        rows = np.asarray(found)
        sides = rows[~target[rows]], rows[target[rows]]
        if min(len(sides[0]), len(sides[1])):
            keys.append(key)
            laid_out.append(sides)
    return pd.DataFrame(keys, columns=list(TRIAL)), laid_out


def ks_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Compute the largest difference of two samples' distribution functions: ``(n,)``, ``(m,)`` -> 0 to 1."""
    steps = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(own), steps, side="right") / len(own) for own in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def balances(scores: pd.DataFrame) -> pd.DataFrame:
    """Compute the balance of the domains, trial by trial.

    Parameters
    ----------
    scores : pd.DataFrame
        Of :func:`held_out_scores`.

    Returns
    -------
    pd.DataFrame
        ``scorer``, the columns :data:`~asd.selection.trial_scores.TRIAL` and ``balance``, 1 - KS.
    """
    parts = []
    for scorer, rows in scores.groupby("scorer", sort=False):
        keys, laid_out = cells(rows)
        parts.append(keys.assign(scorer=scorer, **{BALANCE: _balance(laid_out, rows["score"].to_numpy())}))
    columns = ["scorer", *TRIAL, BALANCE]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _balance(laid_out: Cells, scores: np.ndarray) -> np.ndarray:
    return np.array([1 - ks_distance(scores[source], scores[target]) for source, target in laid_out])


def figures(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Compute ``domain_balance`` by scorer [%] of :func:`balances`: the mean over trials, then over sections."""
    return {
        str(scorer): {"domain_balance": percent(_mean(rows, rows[BALANCE].to_numpy()))}
        for scorer, rows in table.groupby("scorer", sort=False)
    }


def measure(scores: pd.DataFrame) -> Callable[[np.ndarray], float]:
    """Lay out one scorer's table: give the domain balance, a share of 1, of any scores of its rows ``(rows,)``."""
    keys, laid_out = cells(scores)
    return lambda values: _mean(keys, _balance(laid_out, values))


def _mean(keys: pd.DataFrame, balance: np.ndarray) -> float:
    return float(keys.assign(balance=balance).groupby(["machine", "section"])["balance"].mean().mean())
