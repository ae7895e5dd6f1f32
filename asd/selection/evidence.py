"""What the stage ``select`` reads and stores of a system, and what is read of it again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asd.artifacts import percent, read_csv
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.errors import UserError
from asd.scoring.params import ScoreParams, ScorerBlock
from asd.scoring.trade_off import variants
from asd.section import checked
from asd.selection.pseudo_auc import MEASURES, OWN

STORED = Path("data/selection")
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


def scorers_of(block: ScorerBlock, extracted: dict[int, np.ndarray], which: str) -> dict[str, ScorerBlock]:
    """Choose the scorers that evidence is found of: the system's own, and with ``all`` those of the trade-off.

    Returns
    -------
    dict of str to ScorerBlock
        None where the system gives values, not embeddings: its network hears its own machine alone.
    """
    values = next(iter(extracted.values()))
    if values.ndim == 2:
        return {}
    others = variants(values) if which == "all" else {}
    return {OWN: block} | {name: checked(ScoreParams, other).root for name, other in others.items()}


def figures(aucs: pd.DataFrame) -> dict[str, Any]:
    """Average AUCs over machines, trials and training seeds: by scorer ``pseudo_auc`` and each kind's, in percent."""
    found: dict[str, Any] = {}
    for scorer, own in aucs.groupby("scorer", sort=False):
        kinds = by_kind(own)
        found[str(scorer)] = {"pseudo_auc": percent(kinds.mean())} | {k: percent(v) for k, v in kinds.items()}
    return found


def by_kind(aucs: pd.DataFrame) -> pd.Series:
    """Average one scorer's AUCs within machine sections, then over them: a share of 1 by kind.

    What a machine lacks (a domain, attributes) enters nowhere.
    """
    measured = aucs.assign(value=aucs[list(MEASURES)].mean(axis=1))
    within = measured.groupby(["kind", "machine", "section"])["value"].mean()
    return within.groupby("kind").mean()


def read_evidence(systems: list[str]) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Read what the stage ``select`` stored of systems.

    Returns
    -------
    scores : dict of str to pd.DataFrame
        By system that has evidence: scores of normal clips and pseudo anomalies by its own scorer.
    found : dict
        By system, its :func:`figures`.
    """
    scores = {name: read_csv(STORED / name / "scores.csv", TEXT) for name in systems}
    aucs = {name: read_csv(STORED / name / "aucs.csv", TEXT) for name in systems}
    return {n: t for n, t in scores.items() if len(t)}, {n: figures(t) for n, t in aucs.items() if len(t)}
