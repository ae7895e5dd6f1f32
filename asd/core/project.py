"""The layout of a project's folder: params.yaml, ``data/`` and ``metrics/``; the only module that knows it."""

from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel

from asd.core.artifacts import read_csv
from asd.core.clips import read_clips, training
from asd.core.positions import with_positions
from asd.core.section import PARAMS, part, read_params

S = TypeVar("S", bound=BaseModel)

RAW, HIDDEN = Path("data/raw"), Path("data/truth")  # of the stage download; labels are for index alone
CLIPS, POSITIONS, FILES = Path("data/clips.csv"), Path("data/positions.csv"), Path("data/files.csv")
TRAIN_CLIPS = Path("data/train_clips.csv")  # rows of CLIPS to train on: a larger test set trains nothing anew
TRUTH = Path("data/ground_truth.csv")  # for evaluate alone
LABELS = Path("data/labels")
LISTS = ("training_free", "systems")  # sections of params.yaml with a block a system
ENSEMBLE = "ensemble"  # in every table beside the systems


def systems_of(params: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect the blocks of all systems of params.yaml, with and without training, by name.

    What the section ``decision`` says stands in every block ``score`` that says nothing else.
    """
    common = params.get("decision", {})
    blocks = {name: block for key in LISTS for name, block in (params.get(key) or {}).items()}
    return {
        name: block | ({"score": common | block["score"]} if "score" in block else {}) for name, block in blocks.items()
    }


class Project:
    """The folder that ``dvc repro`` works in.

    Parameters
    ----------
    root : Path or str
        Holds params.yaml, ``data/`` and ``metrics/``; the working directory by default.

    Attributes
    ----------
    data, metrics, work : Path
        Artifacts, committed figures, unfinished work of killed stages.
    """

    def __init__(self, root: Path | str = "") -> None:
        self.root = Path(root)
        self.data, self.metrics, self.work = self.root / "data", self.root / "metrics", self.root / ".asd"

    @cached_property
    def params(self) -> dict[str, Any]:
        """The whole of params.yaml, unchecked."""
        return read_params(self.root / PARAMS)

    def section(self, kind: type[S], *keys: str) -> S:
        """Read and check a section of params.yaml: ``section(EmbedParams, "embed")``."""
        return part(kind, self.params, *keys, path=self.root / PARAMS)

    @property
    def systems(self) -> dict[str, dict[str, Any]]:
        """The blocks of all systems, with and without training, by name."""
        return systems_of(self.params)

    def system_section(self, kind: type[S], name: str, key: str) -> S:
        """Read and check a part of a system's block: ``system_section(ScoreParams, "texture", "score")``."""
        return part(kind, self.systems, name, key, path=self.root / PARAMS)

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return int(self.params["seed"])

    def clips(self, positions: bool = False) -> pd.DataFrame:
        """Read the clip table; on request with the column ``position``, the order of recordings."""
        return self._clips(CLIPS, positions)

    def train_clips(self, positions: bool = False) -> pd.DataFrame:
        """Read the training and supplemental rows of the clip table; see :meth:`clips`."""
        return self._clips(TRAIN_CLIPS, positions)

    def _clips(self, table: Path, positions: bool) -> pd.DataFrame:
        clips = read_clips(self.root / table)
        return with_positions(clips, self.root / POSITIONS) if positions else clips

    def file_names(self) -> pd.Series:
        """Read the name of every clip's file, without its folder, by ``clip_id``."""
        return self._files().map(lambda path: PurePath(path).name)

    def recordings(self) -> dict[str, Path]:
        """Read the path of every clip's recording, by ``clip_id``."""
        return {str(clip): self.root / path for clip, path in self._files().items()}

    def _files(self) -> pd.Series:
        return read_csv(self.root / FILES, ("clip_id", "path")).set_index("clip_id")["path"]

    def reference(self) -> set[str]:
        """Read the ``clip_id`` of the normal clips that systems train on and compare with; others calibrate."""
        return set(training(self.train_clips())["clip_id"])

    def features(self, front_end: str, split: str = "train") -> Path:
        """Folder of a front end's features: of the training or the test clips."""
        return self.data / "features" / front_end / split

    def encoder(self, name: str) -> Path:
        """Folder of an encoder before training: ``initial/<name>`` or ``adapted/<name>``."""
        return self.data / "encoders" / name

    def embed(self, encoder: str) -> Path:
        """Folder of an encoder's embeddings of the training clips, from which pseudo-labels are made."""
        return self.data / "embed" / encoder

    def labels(self, method: str) -> Path:
        """Table of attributes: ``given``, or ``pseudo/<labeller>``."""
        return self.root / LABELS / f"{method}.csv"

    def model(self, system: str) -> Path:
        """Folder of a system's trained weights."""
        return self.data / "models" / system

    def embeddings(self, system: str) -> Path:
        """Folder of a system's embeddings of all clips."""
        return self.data / "embeddings" / system

    def scores(self, system: str) -> Path:
        """Folder of a system's scores."""
        return self.data / "scores" / system
