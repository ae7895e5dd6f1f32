"""Reader of a system's embeddings, or values, of all clips, and of the clips that it was trained on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.clips import training
from asd.core.errors import UserError


class Embeddings(NamedTuple):
    """Output of a system for every clip.

    Attributes
    ----------
    clips : pd.DataFrame
        The clip table with the column ``fitted``, see :func:`with_fitted`.
    by_seed : dict of int to np.ndarray [shape=(clips, ...)]
        By training seed, in the order of the table.
    second : dict of int to np.ndarray [shape=(normal training clips, ...)]
        By training seed, of a second network; empty where the system has none.
    """

    clips: pd.DataFrame
    by_seed: dict[int, np.ndarray]
    second: dict[int, np.ndarray]


def read_embeddings(folder: Path, clips: pd.DataFrame, mapped: bool = False) -> Embeddings:
    """Read the embeddings that a system made of all clips.

    Parameters
    ----------
    folder : Path
        Of the system.
    clips : pd.DataFrame
        The clip table.
    mapped : bool
        Whether arrays are mapped into memory instead of read.

    Raises
    ------
    UserError
        Where they are those of other clips.
    """
    known = list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"])
    by_seed, second = (_arrays(folder, name, mapped) for name in ("seed", "second"))
    fit = [len(values) == len(clips) for values in by_seed.values()]
    fit += [len(values) == len(training(clips)) for values in second.values()]
    if known != list(clips["clip_id"]) or not all(fit):
        raise UserError(f"{folder} holds other clips than the clip table: run dvc repro")
    return Embeddings(with_fitted(clips, folder), by_seed, second)


def with_fitted(clips: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Add the column ``fitted`` to a clip table: whether a network was trained on the clip.

    Parameters
    ----------
    clips : pd.DataFrame
    folder : Path
        Of a system's embeddings.
    """
    known = read_csv(folder / "clips.csv", ("clip_id",))
    return clips.assign(fitted=clips["clip_id"].isin(known.loc[known["fitted"] == 1, "clip_id"]))


def _arrays(folder: Path, name: str, mapped: bool) -> dict[int, np.ndarray]:
    seeds = sorted(int(path.stem.removeprefix(f"{name}_")) for path in folder.glob(f"{name}_*.npy"))
    return {seed: np.load(folder / f"{name}_{seed}.npy", mmap_mode="r" if mapped else None) for seed in seeds}
