"""What a tree of recordings says by its folders and names: machine, section, split, label."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from asd.base.errors import UserError
from asd.datasets import dcase
from asd.datasets.attributes import attributes_of_name, read_attributes, stem

SUFFIXES = {
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aif",
    ".aiff",
    ".aifc",
    ".au",
    ".snd",
    ".caf",
    ".rf64",
    ".w64",
}
COLUMNS = [
    "path",
    "machine",
    "section",
    "split",
    "domain",
    "attributes",
    "kind",
    "recording",
    "time",
    "anomaly",
    "layout",
]
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


def understand(folder: Path, machine: str | None = None) -> tuple[pd.DataFrame, list[Path]]:
    """Find the recordings of a folder and what they are.

    Layouts are tried in this order on each recording: DCASE names; folders ``normal`` and ``abnormal`` (MIMII:
    ``<machine>/<id>/normal``, ToyADMOS: ``<machine>/<case>/NormalSound_IND``); folders ``train`` and ``test``. Where
    none fits any recording the tree is flat: all are normal, of machines named after their folders.

    Parameters
    ----------
    folder : Path
    machine : str, optional
        The name of all; else the names of the folders.

    Returns
    -------
    table : pd.DataFrame
        The columns :data:`COLUMNS`, all of it text; ``split`` is empty where the tree does not tell.
    unplaced : list of Path
        Files that are no audio, or fit no layout while others do.
    """
    audio = recordings_below(folder)
    rows = [(file, _placed(file, folder)) for file in audio]
    if not any(row for _, row in rows):
        rows = [(file, _flat(file, folder)) for file in audio]
    known = [{"path": file.as_posix(), **row} for file, row in rows if row]
    table = pd.DataFrame(known, columns=COLUMNS, dtype=object).fillna("")
    table["machine"] = machine or table["machine"].map(sanitised)
    placed = set(table["path"])
    return _timed(table), [file for file in files_below(folder) if file.as_posix() not in placed]


def _placed(file: Path, folder: Path) -> Row | None:
    layouts: list[Callable[[Path, Path], Row | None]] = [_dcase, _labelled, _by_split]
    return next((row for layout in layouts if (row := layout(file, folder))), None)


def _dcase(file: Path, folder: Path) -> Row | None:
    place = file.parent.name
    try:
        name = dcase.parse_name(file.name)
    except UserError:
        return None
    split = dcase.FOLDERS.get(place, name.split if name.anomaly is not None else "")
    if not split or name.split not in ("", split):
        return None
    home = file.resolve().parent
    home = home.parent if place in dcase.FOLDERS else home
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
    """Go by the deepest folder on the way that says whether a recording is normal."""
    words = file.relative_to(folder).parts[:-1]
    for depth in range(len(words) - 1, -1, -1):
        for pattern, row in (
            (NORMAL, {"anomaly": "0"}),
            (ANOMALOUS, {"anomaly": "1", "split": "test"}),
            (NOISE, {"anomaly": "0", "split": "supplemental", "kind": "noise"}),
        ):
            if pattern.fullmatch(words[depth]):
                own = _machine(words[:depth], folder) | row | {"layout": "normal / abnormal"}
                return own | {"recording": CHANNEL.sub("", file.stem) if CHANNEL.search(file.stem) else ""}
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
    """Take times from names, for machines all of whose recordings bear one."""
    found = table["path"].map(lambda path: _time(Path(path).stem))
    whole = (found != "").groupby(table["machine"]).transform("all")
    return table.assign(time=found.where(whole, ""))


def _time(name: str) -> str:
    match = TIME.search(name)
    return "{}-{}-{}T{}:{}:{}".format(*match.groups("00")) if match else ""


def sanitised(name: str) -> str:
    """Make a machine's name fit for paths and keys."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name) or "machine"
