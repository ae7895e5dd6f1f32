"""The evaluation of a revision or an experiment: its metrics from git, its scores from DVC's cache."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from asd.core.errors import UserError

WORKSPACE = "workspace"
METRICS = "metrics/evaluate.json"
LOCK = "dvc.lock"
SCORES = "data/evaluation/scores.csv"
LEARNT = {"train": ("outs", "data/models/"), "training_free": ("deps", "data/encoders/adapted/")}  # by kind of stage
TEXT = ("system", "clip_id", "machine", "section", "domain", "attributes", "recording")


class Revision(NamedTuple):
    """The evaluation of one revision.

    Attributes
    ----------
    name : str
        As given to :func:`read_revision`.
    metrics : dict
        ``metrics/evaluate.json``.
    scores : pd.DataFrame
        Labelled scores; see :data:`asd.evaluation.labelled_scores.LABELLED`.
    models : dict of str
        By system, the hash of its trained models; empty where nothing is trained.
    """

    name: str
    metrics: dict[str, Any]
    scores: pd.DataFrame
    models: dict[str, str]


def read_revision(revision: str) -> Revision:
    """Read the evaluation of a revision; nothing is checked out and nothing is run.

    Parameters
    ----------
    revision : str
        A git revision, the name of an experiment, or ``workspace``.

    Raises
    ------
    UserError
        Where there is no such revision, or it was not evaluated, or its scores are not in the cache.
    """
    read = _reader(revision)
    metrics = json.loads(read(METRICS, f"{revision} has no {METRICS}: run dvc repro there and commit it"))
    lock = yaml.safe_load(read(LOCK, f"{revision} has no {LOCK}: run dvc repro there and commit it"))
    text = read(SCORES, f"the scores of {revision} are not in DVC's cache: dvc pull, or dvc repro at that revision")
    scores = pd.read_csv(
        StringIO(text), dtype=dict.fromkeys(TEXT, str), keep_default_na=False, na_values={"anomaly": [""]}
    )
    if "recording" not in scores:
        raise UserError(f"{SCORES} of {revision} lacks the column recording: it was made by an older version")
    return Revision(revision, metrics, scores, _models(lock))


def _reader(revision: str) -> Callable[[str, str], str]:
    """Make a function that reads a file of the revision, or fails with the message that it is given."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import RevError, resolve_rev

    try:
        files = None if revision == WORKSPACE else DVCFileSystem(rev=resolve_rev(Repo().scm, revision))
    except RevError:
        raise UserError(f"{revision} is no revision and no experiment: see git branch and dvc exp list") from None
    except DvcException as error:
        raise UserError(f"{error}: run from the project's root") from None

    def read(path: str, otherwise: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8") if files is None else files.read_text(path)
        except (OSError, DvcException):
            raise UserError(otherwise) from None

    return read


def _models(lock: dict[str, Any]) -> dict[str, str]:
    """Find the hash of what each system has learnt, empty where nothing is trained; the ensemble's is that of all."""
    models: dict[str, str] = {}
    for stage, content in lock["stages"].items():
        kind, _, name = stage.partition("@")
        if kind in LEARNT:
            part, folder = LEARNT[kind]
            models[name] = " ".join(file["md5"] for file in content[part] if file["path"].startswith(folder))
    return models | {"ensemble": " ".join(md5 for _, md5 in sorted(models.items()))}
