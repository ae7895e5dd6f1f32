"""Positions of normal training clips in the order of recording: neighbours are alike, and later ones drift."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.clips import training


def positions(clips: pd.DataFrame) -> np.ndarray:
    """Count through the normal training recordings of each machine, section and domain, first to last.

    They stand in the order of their times or, where there are none, of their file names, numbers in them by value.
    Where attributes are known, the recordings of each value are spread evenly over that order, and those of one value
    keep theirs: so any consecutive part has the same fraction of every value.

    Parameters
    ----------
    clips : pd.DataFrame
        ``machine, section, domain, split, kind, attributes, recording, time, path``.

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=int]
        From 0 on, the same for all clips of a recording; -1 for all but normal training clips. Where all clips of a
        domain are of one recording they are numbered one by one.
    """
    position = pd.Series(-1, clips.index)
    for _, group in training(clips).groupby(["machine", "section", "domain"]):
        position[group.index] = _numbered(group)
    return position.to_numpy()


def _numbered(clips: pd.DataFrame) -> np.ndarray:
    recording = clips["recording"].where(clips["recording"] != "", clips["path"])
    if len(set(recording)) == 1:
        recording = clips["path"]
    ordered = clips.assign(recording=recording, name=clips["path"].map(natural)).sort_values(["time", "name"])
    first = ordered.drop_duplicates("recording")
    of_value = first.groupby("attributes")["attributes"]
    progress = (of_value.cumcount() + 0.5) / of_value.transform("size")  # through the recordings of a value
    in_order = first["recording"].to_numpy()[np.argsort(progress.to_numpy(), kind="stable")]
    return recording.map({name: number for number, name in enumerate(in_order)}).to_numpy()


def with_positions(clips: pd.DataFrame, path: Path | str) -> pd.DataFrame:
    """Add the column ``position`` to the clip table, as the stage ``index`` wrote it; see :func:`positions`.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table.
    path : Path or str
        Of the positions.

    Returns
    -------
    pd.DataFrame
        ``position`` is -1 for all but normal training clips.
    """
    known = read_csv(path, ("clip_id",)).set_index("clip_id")["position"]
    return clips.assign(position=clips["clip_id"].map(known).fillna(-1).astype(int))


def last_recordings(clips: pd.DataFrame, fraction: float) -> np.ndarray:
    """Choose the last recordings of each machine, section and domain, a fraction of them.

    The last, since test recordings come later still: scores of recordings between those trained on are too low. Whole
    recordings, by ``position``; the nearest whole number, but one is always left.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table with ``position``, see :func:`with_positions`.
    fraction : float
        0 to less than 1.

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=bool]
    """
    normal = training(clips)
    chosen = pd.Series(False, clips.index)
    for _, position in normal.groupby(["machine", "section", "domain"])["position"]:
        recordings = np.unique(position)
        kept = max(1, len(recordings) - round(fraction * len(recordings)))
        chosen[position.index] = ~position.isin(recordings[:kept])
    return chosen.to_numpy()


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Make a key that sorts the numbers within names by value: ``clip_9`` before ``clip_10``."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)
