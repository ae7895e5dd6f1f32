"""Folders of recordings: machine, section, split and label from the names of folders and files."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asd.core.errors import UserError
from asd.datasets import dcase, stamps
from asd.datasets.attributes import attributes_of_name, read_attributes, stem
from asd.datasets.machine_names import names_of
from asd.datasets.places import Place, Words, meaning, names_machines, places_of
from asd.datasets.trees import Tree, read_tree, shown

COLUMNS = ["path", "machine", "section", "split", "domain", "attributes", "kind"]
COLUMNS += ["recording", "time", "anomaly", "layout"]
SECTION = re.compile(r"(?:id|section|case)[ _-]?(?P<section>\d+)", re.IGNORECASE)  # MIMII: id_00; ToyADMOS: case1
CHANNEL = re.compile(r"_ch\d+(?=_|$)")  # ToyADMOS: the microphones of one recording are files
LABELS = {
    "normal": {"anomaly": "0"},
    "anomalous": {"anomaly": "1", "split": "test"},
    "noise": {"anomaly": "0", "split": "supplemental", "kind": "noise"},
}
LABELLED, SPLIT = "normal / abnormal", "train / test"
BOTH = f"{LABELLED} + {SPLIT}"
Row = dict[str, str]


class Layout(NamedTuple):
    """A folder of recordings, understood.

    Attributes
    ----------
    table : pd.DataFrame
        The columns :data:`COLUMNS`, all of it text; ``split`` is empty where the layout leaves it open.
    unplaced : list of Path
        Files that are no audio, or fit no layout while others do.
    taken : list of str
        What was taken for what, in a line a name.
    notes : list of str
        What was left out, renamed or not read.
    """

    table: pd.DataFrame
    unplaced: list[Path]
    taken: list[str]
    notes: list[str]


def read_layout(folder: Path, machine: str | None = None) -> Layout:
    """List the recordings of a folder, with machine, section, split and label as its layout gives them.

    Layouts are tried in this order on each recording: DCASE names; folders that say normal or faulty, noise, training
    or test (:mod:`asd.datasets.words`; MIMII: ``<machine>/<id>/normal``, ToyADMOS:
    ``<machine>/<case>/NormalSound_IND``). Where none fits any recording, the names of the files may say it; where these
    don't either the layout is flat: all are normal, of machines named after their folders.

    Parameters
    ----------
    folder : Path
    machine : str, optional
        The name of all; else the names of the folders.

    Returns
    -------
    Layout

    Raises
    ------
    UserError
        Where a folder says nothing beside one that does, or names can't be written.
    """
    tree = read_tree(folder)
    audio = tree.recordings
    rows, keys = _dcase_rows(audio, folder)
    places, silent = places_of([file for file in audio if file not in rows], folder, alone=not rows)
    below = names_machines(list(places.values()))
    for file, place in places.items():
        rows[file], keys[file] = _placed(file, place, below)
    if not rows:
        rows = {file: {"layout": "flat"} for file in audio}
        keys = {file: file.relative_to(folder).parts[:-1] for file in audio}
    return _layout(folder, machine, rows, keys, places, below, tree._replace(notes=[*tree.notes, *silent]))


def _layout(
    folder: Path,
    machine: str | None,
    rows: dict[Path, Row],
    keys: dict[Path, Words],
    places: dict[Path, Place],
    below: bool,
    tree: Tree,
) -> Layout:
    """Name machines and sections and read times."""
    owners = {file: _owner(key, rows[file]) for file, key in keys.items()}
    last = {owner for file, owner in owners.items() if rows[file]["layout"] == "DCASE"}
    root = _absolute(folder).name
    names = dict.fromkeys(owners.values(), machine) if machine else names_of(owners.values(), last, root)
    listed = [
        {"path": file.as_posix(), "section": _section(keys[file]), **rows[file], "machine": names[owners[file]]}
        for file in sorted(rows)
    ]
    table = pd.DataFrame(listed, columns=COLUMNS, dtype=object).fillna("")
    table, about_times = _timed(table)
    renamed = [] if machine else _renamed(names, last, root)
    joined = [] if below else _joined(places, {file: names[owners[file]] for file in places})
    unplaced = [file for file in tree.files if file not in rows]
    return Layout(table, unplaced, _taken(rows, places, folder), [*tree.notes, *renamed, *joined, *about_times])


def _dcase_rows(audio: list[Path], folder: Path) -> tuple[dict[Path, Row], dict[Path, Words]]:
    rows = {file: row for file in audio if (row := _dcase(file))}
    top, keys = _absolute(folder), {}
    for file in rows:
        home = _absolute(file).parent
        home = home.parent if home.name in dcase.FOLDERS else home
        keys[file] = home.relative_to(top).parts if home.is_relative_to(top) else (home.name,)
    return rows, keys


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))  # links keep their own names


def _dcase(file: Path) -> Row | None:
    parent = _absolute(file).parent.name
    try:
        name = dcase.parse_name(file.name)
    except UserError:
        return None
    split = dcase.FOLDERS.get(parent, name.split if name.anomaly is not None else "")
    if not split or name.split not in ("", split):
        return None
    listed = _listed(file, name.section)
    return {
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


def _placed(file: Path, place: Place, below: bool) -> tuple[Row, Words]:
    """Make a recording's row of what its folders say, and give the folders that name its machine and section."""
    label, split = place.said.label, place.said.split
    row = {"layout": BOTH if label and split else LABELLED if label else SPLIT, "split": split}
    row |= LABELS.get(label, {})
    if label and CHANNEL.search(file.stem):
        row["recording"] = CHANNEL.sub("", file.stem)
    depth = 2 if SECTION.fullmatch("".join(place.below[1:2])) else 1
    return row, place.below[:depth] if below else place.above


def _joined(places: dict[Path, Place], names: dict[Path, str]) -> list[str]:
    """Say which folders were read as one machine, though they have names of their own below what says something."""
    inside: dict[str, set[str]] = {}
    for file, place in places.items():
        inside.setdefault(names[file], set()).update(place.below[:1])
    return [
        f"one machine, {machine}: the folders {', '.join(map(shown, sorted(some)[:5]))}{' ...' * (len(some) > 5)}"
        for machine, some in sorted(inside.items())
        if len(some) > 1
    ]


def _owner(key: Words, row: Row) -> Words:
    """Leave a section's folder out of those that name its machine."""
    return key[:-1] if row["layout"] != "DCASE" and key and SECTION.fullmatch(key[-1]) else key


def _section(key: Words) -> str:
    match = SECTION.fullmatch(key[-1]) if key else None
    return match["section"].zfill(2) if match else ""


def _renamed(names: dict[Words, str], last: set[Words], root: str) -> list[str]:
    """Say which machines are not called as their folders are."""
    notes = []
    for key, name in sorted(names.items()):
        plain = (key[-1] if key in last else "_".join(key)) if key else root
        if name != plain:
            notes.append(f"machine {shown('/'.join(key) or root)} is called {name}")
    return notes


def _taken(rows: dict[Path, Row], places: dict[Path, Place], folder: Path) -> list[str]:
    """Say what was taken for what, by the names of folders."""
    counts: Counter[tuple[str, str]] = Counter()
    for file in rows:
        if file in places:
            names = [mark[-1] for mark in places[file].marks] or ["names of files"]
            counts["/".join(names), meaning(places[file].said)] += 1
        else:
            dcase_name = rows[file]["layout"] == "DCASE"
            counts["DCASE names" if dcase_name else shown(folder), "what they say" if dcase_name else "normal"] += 1
    return [f"{shown(name)}: taken for {what}, {count} recordings" for (name, what), count in sorted(counts.items())]


def _timed(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Read times off file names, for machines all of whose recordings have one, by one reading."""
    times, notes = dict.fromkeys(table.index, ""), list[str]()
    for machine, rows in table.groupby("machine"):
        names = [Path(path).stem for path in rows["path"]]
        try:
            read = stamps.read_column(names, stamps.stamp_of_name)
        except stamps.StampError as error:
            if re.search(r"\d{6}|\d[-._]\d\d?[-._]\d", " ".join(names)):
                some = f"{shown(names[error.place])} {error.why.split(':')[0]}"
                notes.append(f"no times of {machine}: {some}; the order is that of the names")
            continue
        if len({stamp.moment for stamp in read}) == 1 < len(read) and stamps.SECONDS.search(names[0]):
            continue  # a serial number, not seconds since 1970
        if len({stamp.zoned for stamp in read}) > 1:
            notes.append(f"times of {machine}: some have a zone; those without are taken for UTC")
            read = [stamp._replace(zoned=True) for stamp in read]
        written = stamps.written(read)
        times |= dict(zip(rows.index, written, strict=True))
        notes.append(f"times of {machine}, from the names: {min(written)} to {max(written)}")
    return table.assign(time=pd.Series(times, dtype=object)), notes


def split_normals(table: pd.DataFrame, test_fraction: float, folder: Path) -> pd.DataFrame:
    """Split the normal recordings that the layout leaves open: the earlier train, the later test.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`read_layout`; its times are written alike for each machine, so that their order as text is theirs.
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
        faulty = int(((table["machine"] == machine) & (table["anomaly"] == "1")).sum())
        taken = f" ({faulty} were taken for faulty)" if faulty else ""
        raise UserError(f"{folder}: {where} has no normal recording{taken}: there is nothing to train on")
    return table
