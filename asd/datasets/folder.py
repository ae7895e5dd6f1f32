"""Own recordings, where they lie, through a manifest.

A CSV, as a text editor or a spreadsheet saves it, with the columns ``path, machine, split`` and, optionally, ``section,
domain, attributes, kind, recording, time, speed_hz, anomaly``. Paths are absolute or relative to the manifest's folder.
The recordings are never copied, unless they are longer than ``dataset.folder.clip_seconds`` and cut: the stage
``download`` lists them with their digests, so that changed ones are noticed.
"""

import hashlib
import os
import re
import unicodedata
from pathlib import Path

import pandas as pd

from asd.core.artifacts import Metrics, write_csv
from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.datasets import machine_names, stamps
from asd.datasets.cutting import CUT, cut_long
from asd.datasets.dataset_params import DatasetParams, selected_machines
from asd.datasets.spreadsheets import read_spreadsheet
from asd.datasets.trees import found, is_file, shown
from asd.datasets.words import said_by

LISTED = "recordings.csv"
REQUIRED = ("path", "machine", "split")
VALUES = {  # column: (pattern, what is allowed)
    "path": (r".+", "the path of a recording"),
    "machine": (machine_names.PATTERN, machine_names.ALLOWED),
    "section": (r"[A-Za-z0-9]*", "letters and digits, 00 where empty"),
    "split": (r"train|test|supplemental", "train, test or supplemental"),
    "domain": (r"source|target|unknown|", "source, target or empty"),
    "kind": (r"machine|clean|noise|", "machine, clean, noise or empty"),
    "attributes": (r"([^=;]+=[^=;]+(;[^=;]+=[^=;]+)*)?", "pairs as in speed=3;mic=1, or empty"),
    "recording": (r".*", "text"),
    "time": (r".*", "a time such as 2026-03-02T09:05:00, or empty"),
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
    digests = progress("digest", "recording", len(table), parallel(_digest, table["path"], compute))
    table = table.assign(sha256=list(digests))
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
    table = read_spreadsheet(path, tuple(VALUES))
    _check_columns(table, path)
    table = _tidied(table.reindex(columns=list(VALUES), fill_value=""), path)
    _check_values(table, path)
    _check_machines(table, path)
    table["path"] = [found(Path(os.path.normpath(path.parent / file))).as_posix() for file in table["path"]]
    _check_files(table, path)
    _check_training(table, path)
    _check_recordings(table, path)
    table["time"] = _checked_times(table, path)
    return _completed(table).sort_values("path").reset_index(drop=True)


def _tidied(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Bring values to one form: capitals, words for splits and labels, decimal commas, zeros, letters in two parts."""
    lower = {column: table[column].str.casefold() for column in ("domain", "kind")}
    splits = [getattr(said_by(text), "split", "") or text.casefold() for text in table["split"]]
    section = [text.zfill(2) if text.isascii() and text.isdecimal() else text for text in table["section"]]
    machine = [unicodedata.normalize("NFC", text) for text in table["machine"]]
    labels = {"normal": "0", "anomalous": "1"}
    anomaly = [labels.get(getattr(said_by(text), "label", ""), text) for text in table["anomaly"]]
    return table.assign(
        **lower, split=splits, section=section, machine=machine, anomaly=anomaly, speed_hz=_decimals(table, path)
    )


def _decimals(table: pd.DataFrame, path: Path) -> list[str]:
    """Write decimal commas as points; 1,480 may be either."""
    for line, text in table["speed_hz"].items():
        if re.fullmatch(r"\d{1,3}[.,]?(,\d{3})+", text):
            raise UserError(f"{path} line {int(str(line)) + 2}: speed_hz is {text!r}: give it without a comma")
    return [re.sub(r"^(\d+),(\d+)$", r"\1.\2", text) for text in table["speed_hz"]]


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    if missing := [column for column in REQUIRED if column not in table]:
        raise UserError(f"{path} lacks the column {missing[0]}: it needs {', '.join(REQUIRED)}")
    if unknown := [column for column in table if column not in VALUES]:
        raise UserError(f"{path}: the column {unknown[0]} is unknown: choose among {', '.join(VALUES)}")
    if table.empty:
        raise UserError(f"{path} lists no recordings: write it with python -m asd manifest DIR")


def _check_values(table: pd.DataFrame, path: Path) -> None:
    for column, (pattern, allowed) in VALUES.items():
        fits = re.compile(pattern, re.IGNORECASE if column == "speed_hz" else 0).fullmatch
        wrong = table.index[[fits(text) is None for text in table[column]]]
        if len(wrong):
            raise UserError(f"{path} line {wrong[0] + 2}: {column} is {table[column][wrong[0]]!r}: give {allowed}")


def _check_machines(table: pd.DataFrame, path: Path) -> None:
    """Refuse names that are too long for files, or that some file systems can't tell apart."""
    seen: dict[str, str] = {}
    for line, name in table["machine"].items():
        where = f"{path} line {int(str(line)) + 2}: machine"
        if not machine_names.is_fit(name):
            raise UserError(f"{where} {name[:20]}... is longer than {machine_names.LONGEST} bytes: give a shorter name")
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise UserError(
                f"{where} {name} differs from {other} by capitals alone: give them one name, or unlike ones"
            )


def _check_files(table: pd.DataFrame, path: Path) -> None:
    for line, file in table["path"].items():
        if not is_file(Path(file)):
            where = f"{path} line {int(str(line)) + 2}: {shown(file)}"
            raise UserError(f"{where} is missing: correct the path (it starts at {path.parent}/)")
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


def _checked_times(table: pd.DataFrame, path: Path) -> pd.Series:
    """Read the times, by one reading for all, and refuse training on what comes later than the normals that test.

    Returns
    -------
    pd.Series
        Of :func:`asd.datasets.stamps.written` for each machine; empty where the table has none.
    """
    known = table[table["time"] != ""]
    try:
        read = dict(zip(known.index, stamps.read_column(known["time"].to_list(), stamps.stamp_of_cell), strict=True))
    except stamps.StampError as error:
        line = known.index[error.place]
        raise UserError(f"{path} line {line + 2}: time {known['time'][line]!r} {error.why}") from None
    written = pd.Series("", index=table.index, dtype=object)
    for machine, rows in known.groupby("machine"):
        _check_kinds(rows, read, path)
        _check_order(rows[rows["anomaly"] != "1"], read, str(machine), path)
        for line, text in zip(rows.index, stamps.written([read[line] for line in rows.index]), strict=True):
            written[line] = text
    return written


def _check_kinds(rows: pd.DataFrame, read: dict[int, stamps.Stamp], path: Path) -> None:
    """Refuse times of one machine that can't be compared: with and without a zone, with and without a date."""
    first = rows.index[0]
    for line in rows.index:
        where = f"{path} line {line + 2}: time {rows['time'][line]!r}"
        unlike = f"unlike {rows['time'][first]!r} of the same machine"
        if read[line].dated != read[first].dated:
            raise UserError(f"{where} has {'a' if read[line].dated else 'no'} date, {unlike}: give all a date")
        if read[line].zoned != read[first].zoned:
            raise UserError(
                f"{where} has {'a' if read[line].zoned else 'no'} zone, {unlike}: give all a zone, as +02:00"
            )


def _check_order(rows: pd.DataFrame, read: dict[int, stamps.Stamp], machine: str, path: Path) -> None:
    """Refuse training on what comes later than the normals that test: the earlier train, the later test."""
    tested = [read[line].moment for line in rows.index[rows["split"] == "test"]]
    for line in rows.index[rows["split"] == "train"]:
        if tested and read[line].moment > min(tested):
            late = f"{machine} trains at {rows['time'][line]}, later than its first test"
            raise UserError(f"{path} line {line + 2}: {late}: the earlier train, the later test; or leave time empty")


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


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
