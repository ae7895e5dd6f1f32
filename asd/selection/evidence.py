"""Evidence of a system: how well its own scorer and the candidates tell pseudo anomalies, made, stored and read."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asd.core.artifacts import read_csv, write_csv
from asd.core.clips import training
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.scoring.candidates import candidates
from asd.scoring.embeddings import Embeddings
from asd.scoring.params import ScorerBlock
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import OWN, figures, pseudo_aucs, pseudo_scores

SCORES, AUCS = "pseudo.csv", "pseudo_aucs.csv"
TEXT = ("scorer", "machine", "section", "kind", "clip_id", "domain")


class SystemEvidence(NamedTuple):
    """Evidence of one system.

    Attributes
    ----------
    figures : dict
        Of :func:`asd.selection.pseudo_auc.figures`, by scorer.
    scores : pd.DataFrame
        Of :func:`asd.selection.pseudo_auc.pseudo_scores`, by its own scorer and the best at least.
    """

    figures: dict[str, dict[str, float]]
    scores: pd.DataFrame

    @property
    def best(self) -> str:
        """The scorer of the highest Diverse Pseudo-AUC; of equals its own."""
        return max(self.figures, key=lambda scorer: (self.figures[scorer]["pseudo_auc"], scorer == OWN))

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
        ``selection.scorers``: own, all, or names of candidates.

    Returns
    -------
    dict of str to ScorerBlock
        None where the system gives values: those of a machine's own network, which other machines' clips have not.
    """
    if params.input == "values":
        return {}
    known = candidates(params, embeddings.by_seed)
    names = {"own": [], "all": list(known)}.get(which, which) if isinstance(which, str) else which
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
    """Score held-out normal training clips and pseudo anomalies; no other clip enters.

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
    scores, aucs : pd.DataFrame
        Of :func:`asd.selection.pseudo_auc.pseudo_scores` and :func:`asd.selection.pseudo_auc.pseudo_aucs`.

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
    scores = pseudo_scores(clips, values, scorers, params, seed, compute)
    return scores, pseudo_aucs(scores)


def write_evidence(folder: Path, scores: pd.DataFrame, aucs: pd.DataFrame) -> SystemEvidence | None:
    """Store a system's evidence for :func:`read_evidence`.

    Parameters
    ----------
    folder : Path
        Of the system's scores.
    scores, aucs : pd.DataFrame
        Of :func:`make_evidence`.

    Returns
    -------
    SystemEvidence
        None, and nothing is written, where there is none.
    """
    if not len(aucs):
        return None
    made = SystemEvidence(figures(aucs), scores)
    write_csv(folder / SCORES, scores[scores["scorer"].isin({OWN, made.best})])
    write_csv(folder / AUCS, aucs)
    return made


def read_evidence(folder: Path) -> SystemEvidence | None:
    """Read the evidence of a system from the folder of its scores; None where there is none."""
    if not (folder / AUCS).is_file():
        return None
    return SystemEvidence(figures(read_csv(folder / AUCS, TEXT)), read_csv(folder / SCORES, TEXT))
