"""Folders of recordings: machine, section, split and label from the names of folders and files."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from asd.core.errors import UserError
from asd.datasets import dcase
from asd.datasets.attributes import attributes_of_name, read_attributes, stem

SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".au", ".snd", ".caf", ".rf64", ".w64"}
SUFFIXES |= {".aif", ".aiff", ".aifc"}
COLUMNS = ["path", "machine", "section", "split", "domain", "attributes", "kind"]
COLUMNS += ["recording", "time", "anomaly", "layout"]
NORMAL = re.compile(r"normal(sound)?([_-].*)?", re.IGNORECASE)  # folders; ToyADMOS: NormalSound_IND
ANOMALOUS = re.compile(r"(abnormal|anomal(y|ies|ous))(sound)?([_-].*)?", re.IGNORECASE)
NOISE = re.compile(r"(environmental)?noise([_-].*)?", re.IGNORECASE)
SECTION = re.compile(r"(?:id|section|case)[_-]?(?P<section>\d+)", re.IGNORECASE)  # MIMII: id_00; ToyADMOS: case1
CHANNEL = re.compile(r"_ch\d+(?=_|$)")  # ToyADMOS: the microphones of one recording are files
TIME = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)[T_ -](\d\d)[-_:.]?(\d\d)(?:[-_:.]?(\d\d))?(?!\d)")
SPLITS = ("train", "test", "supplemental")
Row = dict[str, str]


def recordings_below(folder: Path) -> list[Path]:
    """List the recordings of a folder by their suffixes, hidden ones left out, sorted."""
    return [file for file in files_below(folder) if file.suffix.lower() in SUFFIXES]


def files_below(folder: Path) -> list[Path]:
    """List the files of a folder, hidden ones left out, sorted."""
    return sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))


def read_layout(folder: Path, machine: str | None = None) -> tuple[pd.DataFrame, list[Path]]:
    """List the recordings of a folder, with machine, section, split and label as its layout gives them.

    Layouts are tried in this order on each recording: DCASE names; folders ``normal`` and ``abnormal`` (MIMII:
    ``<machine>/<id>/normal``, ToyADMOS: ``<machine>/<case>/NormalSound_IND``); folders ``train`` and ``test``. Where
    none fits any recording the layout is flat: all are normal, of machines named after their folders.

    Parameters
    ----------
    folder : Path
    machine : str, optional
        The name of all; else the names of the folders.

    Returns
    -------
    table : pd.DataFrame
        The columns :data:`COLUMNS`, all of it text; ``split`` is empty where the layout leaves it open.
    unplaced : list of Path
        Files that are no audio, or fit no layout while others do.
    """
    audio = recordings_below(folder)
    rows = [(file, _row(file, folder)) for file in audio]
    if not any(row for _, row in rows):
        rows = [(file, _flat(file, folder)) for file in audio]
    known = [{"path": file.as_posix(), **row} for file, row in rows if row]
    table = pd.DataFrame(known, columns=COLUMNS, dtype=object).fillna("")
    table["machine"] = machine or table["machine"].map(sanitised)
    listed = set(table["path"])
    return _timed(table), [file for file in files_below(folder) if file.as_posix() not in listed]


def _row(file: Path, folder: Path) -> Row | None:
    layouts: list[Callable[[Path, Path], Row | None]] = [_dcase, _labelled, _by_split]
    return next((row for layout in layouts if (row := layout(file, folder))), None)


def _dcase(file: Path, folder: Path) -> Row | None:
    parent = file.parent.name
    try:
        name = dcase.parse_name(file.name)
    except UserError:
        return None
    split = dcase.FOLDERS.get(parent, name.split if name.anomaly is not None else "")
    if not split or name.split not in ("", split):
        return None
    home = file.resolve().parent
    home = home.parent if parent in dcase.FOLDERS else home
    listed = _listed(file, name.section)
    return {
        "machine": home.name,
        "section": name.section,
        "split": split,
        "domain": "" if name.domain == "unknown" else name.domain,
        "attributes": listed.get(stem(file.name)) or attributes_of_name(name.attributes),
        "kind": name.kind,
        "anomaly": "0" if split != "test" else "" if name.anomaly is None else str(name.anomaly),
        "layout": "DCASE",
    }


def _listed(file: Path, section: str) -> dict[str, str]:
    table = file.parent.parent / f"attributes_{section}.csv"
    return read_attributes(table) if table.is_file() else {}


def _labelled(file: Path, folder: Path) -> Row | None:
    """Read the label off the deepest folder that names one."""
    words = file.relative_to(folder).parts[:-1]
    for depth in range(len(words) - 1, -1, -1):
        for pattern, row in (
            (NORMAL, {"anomaly": "0"}),
            (ANOMALOUS, {"anomaly": "1", "split": "test"}),
            (NOISE, {"anomaly": "0", "split": "supplemental", "kind": "noise"}),
        ):
            if pattern.fullmatch(words[depth]):
                known = _machine(words[:depth], folder) | row | {"layout": "normal / abnormal"}
                return known | {"recording": CHANNEL.sub("", file.stem) if CHANNEL.search(file.stem) else ""}
    return None


def _by_split(file: Path, folder: Path) -> Row | None:
    words = file.relative_to(folder).parts[:-1]
    for depth, word in enumerate(words):
        if word in SPLITS:
            return _machine(words[:depth], folder) | {"split": word, "layout": "train / test"}
    return None


def _flat(file: Path, folder: Path) -> Row:
    return _machine(file.relative_to(folder).parts[:-1], folder) | {"layout": "flat"}


def _machine(above: tuple[str, ...], folder: Path) -> Row:
    """Name machine and section after the folders above a recording."""
    section = SECTION.fullmatch(above[-1]) if above else None
    above = above[:-1] if section else above
    number = {"section": section["section"].zfill(2)} if section else {}
    return {"machine": "_".join(above) or folder.resolve().name} | number


def _timed(table: pd.DataFrame) -> pd.DataFrame:
    """Read times off file names, for machines all of whose recordings have one."""
    times = table["path"].map(lambda path: _time(Path(path).stem))
    complete = (times != "").groupby(table["machine"]).transform("all")
    return table.assign(time=times.where(complete, ""))


def _time(name: str) -> str:
    match = TIME.search(name)
    return "{}-{}-{}T{}:{}:{}".format(*match.groups("00")) if match else ""


def split_normals(table: pd.DataFrame, test_fraction: float, folder: Path) -> pd.DataFrame:
    """Split the normal recordings that the layout leaves open: the earlier train, the later test.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`read_layout`.
    test_fraction : float
        Of each machine's and section's recordings: the last by time, else by name, test. Clips of one recording stay
        together.
    folder : Path
        For the error message.

    Raises
    ------
    UserError
        Where a machine, or a section of it, has nothing to train on.
    """
    table = table.sort_values(["machine", "section", "time", "path"]).reset_index(drop=True)
    keys = [table["machine"], table["section"]]
    recording = table["recording"].where(table["recording"] != "", table["path"])
    unsplit = table["split"] == ""
    position = (
        recording[unsplit].groupby([key[unsplit] for key in keys]).transform(lambda names: pd.factorize(names)[0])
    )
    count = recording[unsplit].groupby([key[unsplit] for key in keys]).transform("nunique")
    trains = position < count - (count * test_fraction).astype(int)
    table.loc[unsplit, "split"] = trains.map({True: "train", False: "test"})
    trained = set(zip(*(key[table["split"] == "train"] for key in keys), strict=True))
    if without := sorted(set(zip(*keys, strict=True)) - trained):
        machine, section = without[0]
        where = f"{machine} section {section}" if section else machine
        raise UserError(f"{folder}: {where} has no normal recording: there is nothing to train on")
    return table


def sanitised(name: str) -> str:
    """Make a machine's name fit for paths and keys."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name) or "machine"
