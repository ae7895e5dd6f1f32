"""What the stage ``select`` reads and stores of a system, and what is read of it again."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.base.artifacts import percent, read_csv, write_csv
from asd.base.errors import UserError
from asd.base.section import checked
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.scoring.params import ScoreParams, ScorerBlock
from asd.scoring.trade_off import VARIANTS, variants
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import MEASURES, OWN, pseudo_aucs, pseudo_scores

STORED = Path("data/selection")
LEAST = 1e-3
TEXT = ("scorer", "machine", "section", "kind", "clip_id", "domain")


def read_material(folder: Path, labels: str) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """Read a system's embeddings of normal training clips, and of no other.

    Parameters
    ----------
    folder : Path
        Of ``data/extracted``.
    labels : str
        A file of ``data/labels``.

    Returns
    -------
    clips : pd.DataFrame
        Normal training clips, with ``label``.
    extracted : dict of int to np.ndarray [shape=(clips, ...)]
        By training seed.

    Raises
    ------
    UserError
        Where a clip has no embedding or no label.
    """
    clips = training(read_clips(TRAIN_CLIPS)).reset_index(drop=True)
    label = read_csv(LABELS / f"{labels}.csv", ("clip_id", "label"))[["clip_id", "label"]]
    clips = clips.merge(label, on="clip_id", how="left", validate="one_to_one")
    rows = pd.Index(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]).get_indexer(clips["clip_id"])
    if (rows < 0).any() or clips["label"].isna().any():
        raise UserError(f"{folder} or {LABELS}/{labels}.csv lacks clips of {TRAIN_CLIPS}: run dvc repro")
    seeds = sorted(folder.glob("seed_*.npy"))
    return clips, {int(path.stem.removeprefix("seed_")): np.load(path, mmap_mode="r")[rows] for path in seeds}


def scorers_of(extracted: dict[int, np.ndarray], which: str | list[str]) -> dict[str, ScorerBlock]:
    """Choose the scorers of the trade-off that evidence is found of, besides a system's own.

    Returns
    -------
    dict of str to ScorerBlock
        None where :func:`is_embedded` says no.
    """
    if not is_embedded(extracted):
        return {}
    values = next(iter(extracted.values()))
    asked = {"own": [], "all": list(variants(values))}.get(which, which) if isinstance(which, str) else which
    return {name: variant(name) for name in variants(values) if name in asked}


def is_embedded(extracted: dict[int, np.ndarray]) -> bool:
    """Say whether a system gives embeddings; if values, its network hears its own machine alone."""
    return next(iter(extracted.values())).ndim > 2


def variant(name: str) -> ScorerBlock:
    """Give one of the trade-off's scorers by its name."""
    return checked(ScoreParams, VARIANTS[name]).root


def figures(aucs: pd.DataFrame) -> dict[str, Any]:
    """Give ``pseudo_auc`` and each kind's share of it by scorer, in percent; see :func:`by_kind`."""
    found: dict[str, Any] = {}
    for scorer, own in aucs.groupby("scorer", sort=False):
        kinds = by_kind(own)
        whole = {"pseudo_auc": percent(harmonic(kinds.to_numpy()))}
        found[str(scorer)] = whole | {str(kind): percent(value) for kind, value in kinds.items()}
    return found


def by_kind(aucs: pd.DataFrame) -> pd.Series:
    """Average one scorer's AUCs as the challenge does, by kind: a share of 1.

    :data:`asd.selection.pseudo_auc.MEASURES` are averaged over the trials and training seeds of a machine's section,
    then harmonically over measures and sections, so that what is worst counts most. What a section lacks (a domain,
    attributes) enters nowhere. The harmonic mean over kinds is the Diverse Pseudo-AUC.
    """
    within = aucs.groupby(["kind", "machine", "section"])[list(MEASURES)].mean()
    return within.groupby("kind").apply(lambda own: harmonic(own.to_numpy()))


def harmonic(values: np.ndarray) -> float:
    """Average harmonically; what is not known is left out, and nothing counts less than a thousandth."""
    known = values[~np.isnan(values)]
    return float(len(known) / (1 / np.maximum(known, LEAST)).sum())


class SystemEvidence(NamedTuple):
    """What is known of a system.

    Attributes
    ----------
    figures : dict
        Of :func:`figures`, by scorer.
    scores : pd.DataFrame
        Of :func:`asd.selection.pseudo_auc.pseudo_scores`, by its own scorer and the best.
    """

    figures: dict[str, dict[str, float]]
    scores: pd.DataFrame

    @property
    def best(self) -> str:
        """The scorer of the highest Diverse Pseudo-AUC; of equals its own."""
        return best_scorer(self.figures)

    def of(self, scorer: str) -> pd.DataFrame:
        """Give the scores by one of the two."""
        return self.scores[self.scores["scorer"] == scorer].reset_index(drop=True)


def best_scorer(found: dict[str, dict[str, float]]) -> str:
    """Name the scorer of the highest Diverse Pseudo-AUC; of equals the system's own."""
    return max(found, key=lambda scorer: (found[scorer]["pseudo_auc"], scorer == OWN))


def write_evidence(name: str, scores: pd.DataFrame, aucs: pd.DataFrame) -> dict[str, Any]:
    """Store a system's evidence for :func:`read_evidence`; gives its :func:`figures`."""
    found = figures(aucs)
    kept = {best_scorer(found)} if found else set()
    write_csv(STORED / name / "scores.csv", scores[scores["scorer"].isin(kept)])
    write_csv(STORED / name / "aucs.csv", aucs)
    return found


def read_evidence(name: str, block: ScorerBlock, params: SelectionParams, seed: int) -> SystemEvidence | None:
    """Find the evidence of a system: that of its own scorer anew, that of others as the stage ``select`` stored it.

    So other params of a scorer run no ``select`` again.

    Parameters
    ----------
    name : str
    block : ScorerBlock
        The system's own scorer.
    params : SelectionParams
    seed : int

    Returns
    -------
    SystemEvidence
        None where :func:`is_embedded` says no.
    """
    clips, extracted = read_material(Path("data/extracted") / name, params.labels)
    if not is_embedded(extracted):
        return None
    own = pseudo_scores(clips, extracted, {OWN: block}, params, seed)
    others = read_csv(STORED / name / "aucs.csv", TEXT)
    found = figures(pseudo_aucs(own)) | (figures(others) if len(others) else {})
    return SystemEvidence(found, pd.concat([own, read_csv(STORED / name / "scores.csv", TEXT)], ignore_index=True))
