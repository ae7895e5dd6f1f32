"""The clip table: the known properties of every recording, without a name, a label or an order to learn from."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv, write_csv
from asd.core.errors import UserError

TEXT = ("clip_id", "machine", "section", "split", "domain", "kind", "attributes", "recording", "time")
COLUMNS = (*TEXT, "speed_hz", "sample_rate", "channels", "seconds")
ALLOWED = {
    "split": ("train", "test", "supplemental"),
    "domain": ("source", "target", "unknown"),
    "kind": ("machine", "clean", "noise"),
}


def content_id(samples: np.ndarray, sample_rate: int) -> str:
    """Name a clip by its decoded content.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels)]
        Decoded samples, full scale 1.
    sample_rate : int
        [Hz]

    Returns
    -------
    str
        16 hex digits of a sha256: no label, no name and no order in it.
    """
    digest = hashlib.sha256(f"{sample_rate} {samples.shape[1]}".encode())
    digest.update(np.ascontiguousarray(samples, dtype="<f4").tobytes())
    return digest.hexdigest()[:16]


def read_clips(path: Path | str) -> pd.DataFrame:
    """Read and check the clip table.

    Returns
    -------
    pd.DataFrame
        One row a clip, sorted by ``clip_id``:

        clip_id : content id; machine, section : text; split : train, test or supplemental;
        domain : source, target or unknown; kind : machine, clean or noise; attributes : ``speed=3;mic=1`` or empty;
        recording : text or empty; time : ISO 8601 or empty, in UTC where it ends in Z, of one length for a machine, so
        that its order as text is that in time; speed_hz : [Hz] or NaN; sample_rate : [Hz]; channels; seconds : [s].

    Raises
    ------
    UserError
        Where a column is missing or a value is none of those allowed.
    """
    table = read_csv(path, TEXT)
    check_clips(table, path)
    return table


def check_clips(table: pd.DataFrame, where: Path | str) -> None:
    """Refuse a table that breaks the contract of :func:`read_clips`.

    Parameters
    ----------
    table : pd.DataFrame
    where : Path or str
        For the error message.
    """
    if missing := [c for c in COLUMNS if c not in table]:
        raise UserError(f"{where} lacks the column {missing[0]}")
    for column, allowed in ALLOWED.items():
        wrong = table.loc[~table[column].isin(allowed), column]
        if len(wrong):
            raise UserError(f"{where}: {column} is {wrong.iloc[0]!r}: one of {', '.join(allowed)}")
    if not table["clip_id"].is_monotonic_increasing or not table["clip_id"].is_unique:
        raise UserError(f"{where}: clip_id must be unique and sorted")


def write_clips(table: pd.DataFrame, path: Path | str) -> None:
    """Check and write the clip table.

    Parameters
    ----------
    table : pd.DataFrame
        In any order, perhaps with further columns, which are dropped.
    path : Path or str
    """
    table = table.sort_values("clip_id").reset_index(drop=True)[list(COLUMNS)]
    check_clips(table, path)
    write_csv(path, table)


def training(clips: pd.DataFrame) -> pd.DataFrame:
    """Choose the normal machine clips to train on and to compare with: training split, no supplements."""
    return clips[(clips["split"] == "train") & (clips["kind"] == "machine")]


def parse_attributes(text: str) -> dict[str, str]:
    """Take attributes apart: ``"speed=3;mic=1"`` -> ``{"speed": "3", "mic": "1"}``.

    Examples
    --------
    >>> parse_attributes("speed=3;mic=1")
    {'speed': '3', 'mic': '1'}
    """
    return dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)
