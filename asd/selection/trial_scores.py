"""Scores of trials: scorers fitted on the reference clips of each, and what is held out or made of it scored."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.scoring.distances import measured_once
from asd.scoring.params import ScorerBlock
from asd.scoring.registry import create_scorer
from asd.selection.trials import Trial

NORMAL, OWN = "normal", "own"  # the kind of clips that are no pseudo anomalies; the system's own scorer
TRIAL = ("seed", "machine", "section", "trial")
COLUMNS = ("scorer", *TRIAL, "kind", "clip_id", "domain", "score")
Keys = tuple[int | str, ...]


class TrialClips(NamedTuple):
    """Clips of one trial that are scored.

    Attributes
    ----------
    kind : np.ndarray [shape=(clips,)]
        :data:`NORMAL`, or the kind of pseudo anomaly.
    row : np.ndarray [shape=(clips,), dtype=int]
        Of the table of clips: which clip each is, or was made from.
    embeddings : np.ndarray [shape=(clips, ...)]
    """

    kind: np.ndarray
    row: np.ndarray
    embeddings: np.ndarray


Made = Callable[[np.ndarray, Trial, Keys], TrialClips]


def trial_scores(
    clips: pd.DataFrame,
    embeddings: dict[int, np.ndarray],
    scorers: dict[str, ScorerBlock],
    laid_out: Callable[[str, str], Iterable[Trial]],
    made: Made,
    seed: int = 0,
    compute: ComputeParams | None = None,
) -> pd.DataFrame:
    """Score the clips of all trials by every scorer.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips.
    embeddings : dict of int to np.ndarray [shape=(clips, ...)]
        By training seed, in the order of the table.
    scorers : dict of str to ScorerBlock
    laid_out : callable
        The trials of a machine's section.
    made : callable
        The clips to score: of embeddings, a trial and keys for random generators. Picklable.
    seed : int
        Of scorers and keys.
    compute : ComputeParams, optional
        The workers; no score depends on their number.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`.

    Raises
    ------
    UserError
        Where an embedding is not finite.
    """
    if not all(np.isfinite(values).all() for values in embeddings.values()):
        raise UserError("an embedding of a training clip is not finite: look at its training")
    tasks = [
        (values, trial, (seed, training_seed, machine, section))
        for machine, section in sorted(set(zip(clips["machine"], clips["section"], strict=True)))
        for trial in laid_out(machine, section)
        for training_seed, values in embeddings.items()
        if scorers
    ]
    done = parallel(partial(_scored, clips, scorers, made), tasks, compute)
    parts = list(progress("trials", "trial", len(tasks), done))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def _scored(
    clips: pd.DataFrame,
    scorers: dict[str, ScorerBlock],
    made: Made,
    task: tuple[np.ndarray, Trial, tuple[int, int, str, str]],
) -> pd.DataFrame:
    values, trial, (seed, training_seed, machine, section) = task
    scored = made(values, trial, (seed, machine, section, trial.number))
    domain, reference = clips["domain"].to_numpy(), values[trial.reference]
    about = pd.DataFrame(
        {
            "seed": training_seed,
            "machine": machine,
            "section": section,
            "trial": trial.number,
            "kind": scored.kind,
            "clip_id": clips["clip_id"].to_numpy()[scored.row],
            "domain": domain[scored.row],
        }
    )
    with measured_once():
        parts = []
        for name, block in scorers.items():
            scorer = create_scorer(block, seed + training_seed).fit(reference, domain[trial.reference])
            parts.append(about.assign(scorer=name, score=scorer.anomaly_score(scored.embeddings)))
    return pd.concat(parts)
