"""The file layout of DCASE Task 2 data: names, attributes, folders, as published for 2025.

Layout (one folder a machine): ``train/``, ``test/``, ``supplemental/``, ``attributes_00.csv``. Development names give
everything away (``section_00_target_test_anomaly_0000_vel_6_loc_A.wav``), evaluation names nothing
(``section_00_0000.wav``).
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from asd.errors import UserError

HIDDEN = "noAttribute"
SUFFIX = ".wav"
FOLDERS = ("train", "test", "supplemental")
KINDS = {"machine": "clean", "noise": "noise"}  # as supplemental names put it: as we do
GRAMMAR = tuple(
    re.compile(pattern + re.escape(SUFFIX))
    for pattern in (
        r"section_(?P<section>\d\d)_(?P<domain>source|target)_(?P<split>train|test)_(?P<label>normal|anomaly)"
        r"_(?P<index>\d{4})(?:_(?P<attributes>[^/\\]*))?",
        r"section_(?P<section>\d\d)_(?P<kind>machine|noise)(?:_(?P<domain>source|target))?"
        r"_(?P<index>\d{4})(?:_(?P<attributes>[^/\\]*))?",
        r"section_(?P<section>\d\d)_(?P<index>\d{4})",
    )
)


@dataclass(frozen=True)
class Name:
    """What a file name says; ``attributes`` is the text behind the index, None where the name ends there."""

    section: str
    split: str
    domain: str
    kind: str
    anomaly: int | None
    index: int
    attributes: str | None = None

    def __str__(self) -> str:
        """Write the name again."""
        words = ["section", self.section]
        if self.split == "supplemental":
            words += [said for said, kind in KINDS.items() if kind == self.kind]
            words += [] if self.domain == "unknown" else [self.domain]
        elif self.anomaly is not None:
            words += [self.domain, self.split, "anomaly" if self.anomaly else "normal"]
        words += [f"{self.index:04d}"]
        words += [] if self.attributes is None else [self.attributes]
        return "_".join(words) + SUFFIX


def parse_name(name: str) -> Name:
    """Take a file name apart.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    Name
        Evaluation names: split ``test``, domain ``unknown``, anomaly None.

    Raises
    ------
    UserError
        Where the name follows none of the grammars.
    """
    for pattern in GRAMMAR:
        if match := pattern.fullmatch(name):
            said: dict[str, Any] = match.groupdict()
            supplemental = "kind" in said
            return Name(
                section=said["section"],
                split="supplemental" if supplemental else said.get("split", "test"),
                domain=said.get("domain") or "unknown",
                kind=KINDS[said["kind"]] if supplemental else "machine",
                anomaly=int(said["label"] == "anomaly") if "label" in said else None,
                index=int(said["index"]),
                attributes=said.get("attributes"),
            )
    raise UserError(f"{name} is no DCASE file name: rename it or list it in a manifest (dataset.name=folder)")


def attributes_of_name(text: str | None) -> str:
    """Read the attributes behind the index: ``"vel_6_loc_A"`` -> ``"vel=6;loc=A"``; hidden or none -> empty."""
    if not text or text == HIDDEN:
        return ""
    words = text.split("_")
    if len(words) % 2:
        return f"attribute={text}"
    return ";".join(f"{key}={value}" for key, value in zip(words[::2], words[1::2], strict=True))


def stem(file: str) -> str:
    """Reduce a file name to what all tables agree on: no folder, no suffix (a value may hold a dot: ``volt_1.5``)."""
    return re.split(r"[/\\]", file.strip())[-1].removesuffix(SUFFIX)


def read_attributes(path: Path) -> dict[str, str]:
    """Read an ``attributes_00.csv`` of any of its three flavours.

    Parameters
    ----------
    path : Path
        Header ``file_name,d1p,d1v,d2p,d2v,...``; names with folders and suffix, or bare stems; or names alone, where
        the attributes are hidden.

    Returns
    -------
    dict
        Attributes (``vel=6;loc=A``) by :func:`stem`; files without any are left out.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row][1:]
    pairs = {stem(row[0]): zip(row[1::2], row[2::2], strict=False) for row in rows}
    told = {name: ";".join(f"{k.strip()}={v.strip()}" for k, v in row if k.strip()) for name, row in pairs.items()}
    return {name: text for name, text in told.items() if text and HIDDEN not in text}


def recordings(raw: Path, truth: Path) -> pd.DataFrame:
    """List the recordings of a data set in this layout; see :class:`asd.datasets.registry.Dataset`.

    Parameters
    ----------
    raw : Path
        With one folder a machine.
    truth : Path
        ``attributes.csv`` (``file, attributes``; file as below ``raw``), if there, tells the hidden attributes.
    """
    table = truth / "attributes.csv"
    hidden = dict(_rows(table)) if table.is_file() else {}
    machines = sorted(folder for folder in raw.iterdir() if folder.is_dir())
    return pd.DataFrame([row for machine in machines for row in _machine(machine, raw, hidden)])


def _rows(path: Path) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def _machine(folder: Path, raw: Path, hidden: dict[str, str]) -> list[dict[str, Any]]:
    listed: dict[str, str] = {}
    for table in sorted(folder.glob("attributes_*.csv")):
        listed |= read_attributes(table)
    files = [file for split in FOLDERS for file in sorted((folder / split).glob(f"*{SUFFIX}"))]
    return [_row(file, folder.name, listed, hidden.get(file.relative_to(raw).as_posix(), "")) for file in files]


def _row(file: Path, machine: str, listed: dict[str, str], hidden: str) -> dict[str, Any]:
    name = parse_name(file.name)
    attributes = listed.get(stem(file.name)) or attributes_of_name(name.attributes)
    normal = name.split != "test"
    domain = "source" if normal and name.domain == "unknown" else name.domain
    return {
        "path": file.as_posix(),
        "machine": machine,
        "section": name.section,
        "split": name.split,
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
