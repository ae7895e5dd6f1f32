"""Evidence of a system: how good its own scorer and the candidates are by a criterion, made, stored and read."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asd.core.artifacts import read_csv, write_csv
from asd.core.clips import training
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.scoring.candidates import candidates, further
from asd.scoring.embeddings import Embeddings
from asd.scoring.params import ScorerBlock
from asd.selection.criteria import CRITERIA
from asd.selection.params import SelectionParams
from asd.selection.trial_scores import OWN

TEXT = ("scorer", "machine", "section", "kind", "clip_id", "domain")


class SystemEvidence(NamedTuple):
    """Evidence of one system.

    Attributes
    ----------
    figures : dict
        Of the criterion's ``figures``, by scorer.
    scores : pd.DataFrame
        Of its ``scores``, by its own scorer and the best at least.
    criterion : str
        One of :data:`asd.selection.criteria.CRITERIA`.
    """

    figures: dict[str, dict[str, float]]
    scores: pd.DataFrame
    criterion: str = "pseudo_auc"

    @property
    def values(self) -> dict[str, float]:
        """The criterion by scorer [%]."""
        return {scorer: of[self.criterion] for scorer, of in self.figures.items()}

    @property
    def best(self) -> str:
        """The scorer of the highest value; of equals its own."""
        return max(self.values, key=lambda scorer: (self.values[scorer], scorer == OWN))

    def of(self, scorer: str) -> pd.DataFrame:
        """Select the scores by one scorer."""
        return self.scores[self.scores["scorer"] == scorer].reset_index(drop=True)


def scorers_tried(params: ScorerBlock, embeddings: Embeddings, which: str | list[str]) -> dict[str, ScorerBlock]:
    """Choose the scorers that there is evidence of: the system's own and some candidates.

    Parameters
    ----------
    params : ScorerBlock
        The system's own scorer.
    embeddings : Embeddings
    which : str or list of str
        ``selection.scorers``: own, all candidates, or names of candidates and :data:`~asd.scoring.candidates.FURTHER`.

    Returns
    -------
    dict of str to ScorerBlock
        None where the system gives values: those of a machine's own network, which other machines' clips have not.
    """
    if params.input == "values":
        return {}
    known = candidates(params, embeddings.by_seed)
    names = {"own": [], "all": list(known)}.get(which, which) if isinstance(which, str) else which
    known |= further(params) if isinstance(which, list) else {}
    return {OWN: params} | {name: block for name, block in known.items() if name in names}


def make_evidence(
    embeddings: Embeddings,
    reference: set[str],
    labels: pd.DataFrame,
    scorers: dict[str, ScorerBlock],
    params: SelectionParams,
    seed: int = 0,
    compute: ComputeParams | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score held-out normal training clips and, where the criterion has them, pseudo anomalies; no other clip enters.

    Parameters
    ----------
    embeddings : Embeddings
    reference : set of str
        ``clip_id`` of the normal clips that systems were trained on.
    labels : pd.DataFrame
        ``clip_id, label`` of them.
    scorers : dict of str to ScorerBlock
        Of :func:`scorers_tried`.
    params : SelectionParams
    seed : int
    compute : ComputeParams, optional

    Returns
    -------
    scores, trials : pd.DataFrame
        Of the criterion that params name.

    Raises
    ------
    UserError
        Where a clip has no label or an embedding is not finite.
    """
    clips = training(embeddings.clips)
    clips = clips[clips["clip_id"].isin(reference)]
    rows = embeddings.clips.index.get_indexer(clips.index)
    clips = clips.merge(labels[["clip_id", "label"]], on="clip_id", how="left", validate="one_to_one")
    if clips["label"].isna().any():
        raise UserError("a normal training clip has no label: run dvc repro")
    values = {training_seed: array[rows] for training_seed, array in embeddings.by_seed.items()}
    criterion = CRITERIA[params.criterion]
    scores = criterion.scores(clips, values, scorers, params, seed, compute)
    return scores, criterion.trials(scores)


def write_evidence(
    folder: Path, scores: pd.DataFrame, trials: pd.DataFrame, criterion: str = "pseudo_auc"
) -> SystemEvidence | None:
    """Store a system's evidence for :func:`read_evidence`.

    Parameters
    ----------
    folder : Path
        Of the system's scores.
    scores, trials : pd.DataFrame
        Of :func:`make_evidence`.
    criterion : str
        By which it was made.

    Returns
    -------
    SystemEvidence
        None, and nothing is written, where there is none.
    """
    if not len(trials):
        return None
    made = SystemEvidence(CRITERIA[criterion].figures(trials), scores, criterion)
    for name, table in zip(
        CRITERIA[criterion].files, (scores[scores["scorer"].isin({OWN, made.best})], trials), strict=True
    ):
        write_csv(folder / name, table)
    return made


def remove_evidence(folder: Path) -> None:
    """Remove a system's evidence by any criterion."""
    for name in (file for criterion in CRITERIA.values() for file in criterion.files):
        (folder / name).unlink(missing_ok=True)


def read_evidence(folder: Path) -> SystemEvidence | None:
    """Read the evidence of a system from the folder of its scores; None where there is none."""
    for name, criterion in CRITERIA.items():
        scores, trials = (folder / file for file in criterion.files)
        if trials.is_file():
            return SystemEvidence(criterion.figures(read_csv(trials, TEXT)), read_csv(scores, TEXT), name)
    return None
