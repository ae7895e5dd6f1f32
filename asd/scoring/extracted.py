"""What the stage ``extract`` wrote, and which clips its systems were trained on."""

from pathlib import Path

import numpy as np
import pandas as pd

from asd.base.artifacts import read_csv
from asd.base.errors import UserError
from asd.clips import TRAIN_CLIPS, read_clips, training


def read_extracted(folder: Path, clips: pd.DataFrame) -> dict[int, np.ndarray]:
    """Read a system's embeddings or values of all clips, by training seed.

    Raises
    ------
    UserError
        Where they are those of other clips.
    """
    if not are_of(folder, clips):
        raise UserError(f"{folder} holds other clips than data/clips.csv: run dvc repro")
    seeds = sorted(int(path.stem.removeprefix("seed_")) for path in folder.glob("seed_*.npy"))
    return {seed: np.load(folder / f"seed_{seed}.npy") for seed in seeds}


def read_second(folder: Path, clips: pd.DataFrame) -> dict[int, np.ndarray]:
    """Read what a system's second network made of the normal training clips, by training seed; none where it has none.

    Raises
    ------
    UserError
        Where they are those of other clips.
    """
    found = {int(path.stem.removeprefix("second_")): np.load(path) for path in sorted(folder.glob("second_*.npy"))}
    if any(len(values) != len(training(clips)) for values in found.values()):
        raise UserError(f"{folder} holds other clips than data/clips.csv: run dvc repro")
    return found


def are_of(folder: Path, clips: pd.DataFrame) -> bool:
    """Say whether a system's embeddings or values are those of these clips."""
    return list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]) == list(clips["clip_id"])


def with_fitted(clips: pd.DataFrame, *folders: Path) -> pd.DataFrame:
    """Add the column ``fitted`` to a clip table: whether any of these systems' networks was trained on the clip."""
    parts = [read_csv(folder / "clips.csv", ("clip_id",)) for folder in folders]
    seen = {clip for part in parts for clip in part.loc[part["fitted"] == 1, "clip_id"]}
    return clips.assign(fitted=clips["clip_id"].isin(seen))


def read_trained() -> set[str]:
    """Read the ``clip_id`` of the normal clips that systems were trained on; other normal training clips calibrate."""
    return set(training(read_clips(TRAIN_CLIPS))["clip_id"])
