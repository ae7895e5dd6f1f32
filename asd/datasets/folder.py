"""Own recordings, where they lie, through a manifest.

A CSV with the columns ``path, machine, split`` and, optionally, ``section, domain, attributes, kind, recording, time,
speed_hz, anomaly``. Paths are absolute or relative to the manifest's folder. The recordings are never copied, unless
they are longer than ``dataset.folder.clip_seconds`` and cut: the stage ``download`` lists them with their digests, so
that changed ones are noticed.
"""

import hashlib
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

from asd.core.artifacts import Metrics, read_csv, write_csv, write_with
from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.datasets import audio
from asd.datasets.dataset_params import DatasetParams, selected_machines

LISTED = "recordings.csv"
KEPT = 0.5  # of a clip's length: a shorter rest is left out
CUT = "cut:"  # before the paths of clips, which stand below the folder given
REQUIRED = ("path", "machine", "split")
VALUES = {  # column: (pattern, what is allowed)
    "path": (r".+", "the path of a recording"),
    "machine": (r"[A-Za-z0-9_.-]+", "letters, digits and _ . -"),
    "section": (r"[A-Za-z0-9]*", "letters and digits, 00 where empty"),
    "split": (r"train|test|supplemental", "train, test or supplemental"),
    "domain": (r"source|target|unknown|", "source, target or empty"),
    "kind": (r"machine|clean|noise|", "machine, clean, noise or empty"),
    "attributes": (r"([^=;]+=[^=;]+(;[^=;]+=[^=;]+)*)?", "pairs as in speed=3;mic=1, or empty"),
    "recording": (r".*", "text"),
    "time": (r".*", "text"),
    "speed_hz": (r"(\d+\.?\d*(e[+-]?\d+)?)?", "a number or empty"),
    "anomaly": (r"[01]?", "0, 1 or empty"),
}
DEFAULTS = {"section": "00", "domain": "unknown", "kind": "machine"}


def download(params: DatasetParams, raw: Path, truth: Path, compute: ComputeParams | None = None) -> Metrics:
    """List the manifest's recordings with their digests; labels and all that must stay hidden go to ``truth``.

    Parameters
    ----------
    params, raw, truth, compute
        As for :meth:`asd.datasets.dataset.Dataset.download`.

    Raises
    ------
    UserError
        Where the manifest or a recording is missing, or the manifest says what can't be.
    """
    table = read_manifest(Path(params.folder.manifest))
    table = table[table["machine"].isin(selected_machines(params.machines, table["machine"]))]
    table = table.assign(sha256=list(parallel(_digest, table["path"], compute)))
    table = cut_long(table, params.folder.clip_seconds, raw, compute)
    hidden = ["anomaly", "true_domain", "true_attributes"]
    write_csv(raw / LISTED, table.drop(columns=hidden))
    write_csv(truth / LISTED, table[["path", *hidden]])
    machines = table["machine"].value_counts().to_dict()
    return {"name": "folder", "machines": {machine: {"files": files} for machine, files in machines.items()}}


def recordings(params: DatasetParams, raw: Path, truth: Path) -> pd.DataFrame:
    """List the recordings; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    params, raw, truth
        As for :meth:`asd.datasets.dataset.Dataset.recordings`.
    """
    listed = pd.read_csv(raw / LISTED, dtype=str, keep_default_na=False)
    hidden = pd.read_csv(truth / LISTED, dtype=str, keep_default_na=False)
    table = listed.drop(columns="sha256").merge(hidden, on="path", validate="one_to_one")
    return table.assign(path=table["path"].map(lambda path: re.sub(f"^{CUT}", f"{raw}/", path)))


def read_manifest(path: Path) -> pd.DataFrame:
    """Read and check a manifest.

    Parameters
    ----------
    path : Path
        The CSV.

    Returns
    -------
    pd.DataFrame
        All columns of :meth:`asd.datasets.dataset.Dataset.recordings`, defaults filled in, sorted by path. Test rows
        keep neither domain nor attributes: these stand in ``true_domain`` and ``true_attributes``.

    Raises
    ------
    UserError
        Naming the line.
    """
    table = read_csv(path, tuple(VALUES)).astype(str).apply(lambda column: column.str.strip())
    _check_columns(table, path)
    table = table.reindex(columns=list(VALUES), fill_value="")
    _check_values(table, path)
    table["path"] = [Path(os.path.normpath(path.parent / file)).as_posix() for file in table["path"]]
    _check_files(table, path)
    _check_training(table, path)
    _check_recordings(table, path)
    _check_times(table, path)
    return _completed(table).sort_values("path").reset_index(drop=True)


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    if missing := [column for column in REQUIRED if column not in table]:
        raise UserError(f"{path} lacks the column {missing[0]}: it needs {', '.join(REQUIRED)}")
    if unknown := [column for column in table if column not in VALUES]:
        raise UserError(f"{path}: the column {unknown[0]} is unknown: choose among {', '.join(VALUES)}")
    if table.empty:
        raise UserError(f"{path} lists no recordings: write it with python -m asd manifest DIR")


def _check_values(table: pd.DataFrame, path: Path) -> None:
    for column, (pattern, allowed) in VALUES.items():
        wrong = table.index[~table[column].str.fullmatch(pattern, flags=re.IGNORECASE * (column == "speed_hz"))]
        if len(wrong):
            raise UserError(f"{path} line {wrong[0] + 2}: {column} is {table[column][wrong[0]]!r}: give {allowed}")


def _check_files(table: pd.DataFrame, path: Path) -> None:
    for line, file in enumerate(table["path"], start=2):
        if not Path(file).is_file():
            raise UserError(f"{path} line {line}: {file} is missing: correct the path (it starts at {path.parent}/)")
    twice = table.index[table["path"].map(os.path.realpath).duplicated()]
    if len(twice):
        raise UserError(f"{path} line {twice[0] + 2}: {table['path'][twice[0]]} is listed twice: keep one line")


def _check_training(table: pd.DataFrame, path: Path) -> None:
    wrong = table.index[(table["split"] != "test") & (table["anomaly"] == "1")]
    if len(wrong):
        split = table["split"][wrong[0]]
        raise UserError(f"{path} line {wrong[0] + 2}: an anomaly can't have the split {split}: set it to test")
    trained = set(table["machine"][(table["split"] == "train") & table["kind"].isin(["", "machine"])])
    if without := sorted(set(table["machine"]) - trained):
        raise UserError(f"{path}: {without[0]} has no normal training recording: give some the split train")


def _check_recordings(table: pd.DataFrame, path: Path) -> None:
    """Refuse recordings whose clips both train and test."""
    known = table[table["recording"] != ""]
    keys = [known["machine"], known["recording"]]
    tested = (known["split"] == "test").groupby(keys)
    both = known.index[tested.transform("any") & ~tested.transform("all")]
    if len(both):
        name = known["recording"][both[0]]
        raise UserError(f"{path} line {both[0] + 2}: recording {name} trains and tests: give all its clips one split")


def _check_times(table: pd.DataFrame, path: Path) -> None:
    """Refuse training on what comes later than the normals that test: the earlier train, the later test."""
    known = table[(table["time"] != "") & (table["anomaly"] != "1")]
    for machine, rows in known.groupby("machine"):
        test, train = rows[rows["split"] == "test"], rows[rows["split"] == "train"]
        later = train.index[train["time"] > test["time"].min()] if len(test) else []
        if len(later):
            late = f"{machine} trains at {table['time'][later[0]]}, later than its first test"
            raise UserError(
                f"{path} line {later[0] + 2}: {late}: the earlier train, the later test; or leave time empty"
            )


def _completed(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in the defaults and hide domain and attributes of test rows."""
    test = table["split"] == "test"
    table.loc[~test & (table["domain"] == ""), "domain"] = "source"
    table.loc[~test, "anomaly"] = "0"
    for column, default in DEFAULTS.items():
        table.loc[table[column] == "", column] = default
    table = table.assign(true_domain=table["domain"], true_attributes=table["attributes"])
    table.loc[test, "domain"] = "unknown"
    table.loc[test, "attributes"] = ""
    return table


def cut_long(table: pd.DataFrame, seconds: float, folder: Path, compute: ComputeParams | None = None) -> pd.DataFrame:
    """Cut recordings that are longer than a clip.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, recording, sha256`` and whatever else.
    seconds : float
        [s] of a clip; 0: nothing is cut.
    folder : Path
        Gets ``clips/<row>/<number>.wav``, of the same rate, channels and, where WAV has it, subtype.
    compute : ComputeParams, optional
        Its number of workers; those of :func:`asd.core.compute.configure` by default.

    Returns
    -------
    pd.DataFrame
        With rows for the clips instead of those recordings: ``path`` is ``cut:clips/...``, ``recording``, if it was
        empty, its digest. The last clip of a recording is shorter, but for a rest of less than half a clip.

    Raises
    ------
    UserError
        Where a recording can't be read.
    """
    if not seconds:
        return table
    cut = parallel(partial(_cut, seconds=seconds, folder=folder), enumerate(table.to_dict("records")), compute)
    return pd.DataFrame([row for some in cut for row in some], columns=table.columns)


def _cut(numbered: tuple[int, dict[str, Any]], seconds: float, folder: Path) -> list[dict[str, Any]]:
    number, row = numbered
    path = Path(row["path"])
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError:
        return [row]  # for the index to name
    length = round(seconds * info.samplerate)
    if length < 1:
        raise UserError(f"dataset.folder.clip_seconds is {seconds}, less than a sample of {path}: give more")
    if info.frames <= length or audio.missing_bytes(path):
        return [row]
    subtype = info.subtype if soundfile.check_format("WAV", info.subtype) else "FLOAT"
    clips = []
    for part, block in enumerate(soundfile.blocks(path, length, dtype="float64", always_2d=True)):
        if len(block) >= KEPT * length:
            name = f"clips/{number:05d}/{part:05d}.wav"
            write_with(folder / name, partial(soundfile.write, data=block, samplerate=info.samplerate, subtype=subtype))
            clips.append(row | {"path": CUT + name, "recording": row["recording"] or row["sha256"][:16]})
    return clips


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
