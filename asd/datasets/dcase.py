"""The file layout of DCASE Task 2 data: names, attributes, folders, as published from 2020 on.

Layout (one folder a machine): ``train/``, ``test/`` (2021: ``source_test/``, ``target_test/``), ``supplemental/``,
``attributes_00.csv``. Development names give everything away (``section_00_target_test_anomaly_0000_vel_6_loc_A.wav``,
in 2020 ``anomaly_id_01_00000000.wav``), evaluation names nothing (``section_00_0000.wav``, ``id_01_00000000.wav``) or,
in 2021, the domain (``section_03_source_test_0000.wav``).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asd.core.errors import UserError
from asd.datasets.attributes import HIDDEN, SUFFIX, attributes_of_name, read_attributes, stem, table_rows

__all__ = ["HIDDEN", "Name", "parse_name", "recordings", "stem"]

FOLDERS = {  # folder: split
    "train": "train",
    "test": "test",
    "source_test": "test",
    "target_test": "test",
    "supplemental": "supplemental",
}
KINDS = {"machine": "clean", "noise": "noise"}  # as supplemental names put it: as we do
TAIL = r"_(?P<index>\d{4})(?:_(?P<attributes>[^/\\]*))?"
GRAMMAR = tuple(
    re.compile(pattern + re.escape(SUFFIX))
    for pattern in (
        r"section_(?P<section>\d\d)_(?P<domain>source|target)(?:_(?P<split>train|test))?"
        rf"(?:_(?P<label>normal|anomaly))?{TAIL}",  # lists of 2024 leave out the split, names of 2021 the label
        rf"section_(?P<section>\d\d)_(?P<kind>machine|noise)(?:_(?P<domain>source|target))?{TAIL}",
        r"section_(?P<section>\d\d)_(?P<index>\d{4})",
        r"(?:(?P<label>normal|anomaly)_)?(?P<word>id)_(?P<section>\d\d)_(?P<index>\d{8})",
    )
)


@dataclass(frozen=True)
class Name:
    """The content of a file name.

    Attributes
    ----------
    section : str
        Two digits; in 2020 the machine's id.
    split : str
        ``train``, ``test``, ``supplemental``, or empty where the name does not have it.
    domain : str
        ``source``, ``target`` or ``unknown``.
    kind : str
        ``machine``, ``clean`` or ``noise``.
    anomaly : int or None
        0 or 1.
    index : int
    attributes : str or None
        The text behind the index; None where the name ends there.
    word : str
        ``section``, or ``id`` in 2020.
    """

    section: str
    split: str
    domain: str
    kind: str
    anomaly: int | None
    index: int
    attributes: str | None = None
    word: str = "section"

    def __str__(self) -> str:
        """Write the name again."""
        label = [] if self.anomaly is None else ["anomaly" if self.anomaly else "normal"]
        if self.word == "id":
            return "_".join([*label, "id", self.section, f"{self.index:08d}"]) + SUFFIX
        domain = [] if self.domain == "unknown" else [self.domain]
        if self.split == "supplemental":
            words = [*(word for word, kind in KINDS.items() if kind == self.kind), *domain]
        else:
            words = [*domain, *([self.split] if domain and self.split else []), *label]
        tail = [] if self.attributes is None else [self.attributes]
        return "_".join([self.word, self.section, *words, f"{self.index:04d}", *tail]) + SUFFIX


def parse_name(name: str) -> Name:
    """Take a file name apart.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    Name
        Evaluation names: split ``test``, anomaly None and, but for 2021, domain ``unknown``.

    Raises
    ------
    UserError
        Where the name follows none of the grammars.
    """
    for pattern in GRAMMAR:
        if match := pattern.fullmatch(name):
            parts: dict[str, Any] = match.groupdict()
            supplemental, label = "kind" in parts, parts.get("label")
            blank = "" if label else "test"  # a name without a label is one of an evaluation set
            return Name(
                section=parts["section"],
                split="supplemental" if supplemental else parts.get("split") or blank,
                domain=parts.get("domain") or "unknown",
                kind=KINDS[parts["kind"]] if supplemental else "machine",
                anomaly=int(label == "anomaly") if label else None,
                index=int(parts["index"]),
                attributes=parts.get("attributes"),
                word=parts.get("word", "section"),
            )
    raise UserError(f"{name} is no DCASE file name: rename it or list it in a manifest (dataset.name=folder)")


def recordings(raw: Path, truth: Path) -> pd.DataFrame:
    """List the recordings of a data set in this layout; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    raw : Path
        With one folder a machine.
    truth : Path
        ``attributes.csv`` (``file, attributes``; file as below ``raw``), if there, has the hidden attributes.
    """
    table = truth / "attributes.csv"
    hidden = dict(table_rows(table)) if table.is_file() else {}
    machines = sorted(folder for folder in raw.iterdir() if folder.is_dir())
    return pd.DataFrame([row for machine in machines for row in _machine(machine, raw, hidden)])


def _machine(folder: Path, raw: Path, hidden: dict[str, str]) -> list[dict[str, Any]]:
    listed: dict[str, str] = {}
    for table in sorted(folder.glob("attributes_*.csv")):
        listed |= read_attributes(table)
    files = [file for name in FOLDERS for file in sorted((folder / name).glob(f"*{SUFFIX}"))]
    return [_row(file, folder.name, listed, hidden.get(file.relative_to(raw).as_posix(), "")) for file in files]


def _row(file: Path, machine: str, listed: dict[str, str], hidden: str) -> dict[str, Any]:
    name = parse_name(file.name)
    split = FOLDERS[file.parent.name]
    if name.split not in ("", split) or (name.anomaly and split != "test"):
        raise UserError(f"{file} can't stand in {file.parent.name}/: move it")
    attributes = listed.get(stem(file.name)) or attributes_of_name(name.attributes)
    normal = split != "test"
    domain = "source" if normal and name.domain == "unknown" else name.domain
    return {
        "path": file.as_posix(),
        "machine": machine,
        "section": name.section,
        "split": split,
        "domain": domain,
        "kind": name.kind,
        "attributes": attributes,
        "recording": "",
        "time": "",
        "speed_hz": "",
        "anomaly": "0" if normal else "" if name.anomaly is None else str(name.anomaly),
        "true_domain": domain,
        "true_attributes": hidden or attributes,
    }
