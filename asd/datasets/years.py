"""The years of DCASE Challenge Task 2, read from ``years.yaml``: data, not code."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import Field

from asd.core.errors import UserError
from asd.core.section import Section
from asd.datasets.dataset_params import selected_machines

FILE = Path(__file__).with_name("years.yaml")
PartName = Literal["dev", "additional", "eval"]


class Part(Section):
    """The archives of one part of a year, one a machine."""

    record: int
    archive: str
    renamed: dict[str, str] = Field(default_factory=dict)
    md5: dict[str, str] = Field(default_factory=dict)


class Repository(Section):
    """A repository on GitHub, ``owner/name``, at one commit."""

    repository: str
    commit: str


class Table(Section):
    """A file of the organisers' baseline."""

    file: str
    sha256: str


class Evaluator(Repository):
    """The organisers' evaluator: patterns of the files of its ground truth, and their sha256 as far as known."""

    tables: list[str]
    sha256: dict[str, str] = Field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name the folder that a clone of it would have."""
        return self.repository.rpartition("/")[2]

    @property
    def page(self) -> str:
        """Give the address that people visit."""
        return f"https://github.com/{self.repository}"


class PublishedFile(NamedTuple):
    """A small published file: where it lies below a folder of such files, its address, its sha256 or an empty one."""

    place: str
    url: str
    sha256: str


class Year(Section):
    """One year; see the head of ``years.yaml``."""

    setting: str
    metric: int
    channels: int = Field(ge=1)
    others: list[int]
    parts: dict[PartName, Part]
    machines: dict[Literal["dev", "eval"], dict[str, list[str]]]
    labels: Table | None = None
    wrong: dict[str, int] = Field(default_factory=dict)
    evaluator: Evaluator | None = None
    hidden: list[Table] = Field(default_factory=list)

    def used(self, split: str, train_on: Sequence[str]) -> list[PartName]:
        """Name the parts of which a data set is made: that whose test clips are scored, and those trained on."""
        return [part for part in self.parts if part in train_on or part == split]

    def machines_of(self, part: str) -> dict[str, list[str]]:
        """Name the machines of a part and their sections."""
        return self.machines["dev" if part == "dev" else "eval"]

    def hidden_tables(self, split: str) -> list[Table]:
        """List the tables of hidden attributes that concern the ``dev`` or the ``eval`` set."""
        return [table for table in self.hidden if split == "eval" or "/dev_data/" in table.file]


class Archive(NamedTuple):
    """One archive: its part and machine, record and name, and its pinned md5 if there is one."""

    part: str
    machine: str
    record: int
    name: str
    md5: str


@cache
def _content() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


@cache
def years() -> dict[int, Year]:
    """Read all years."""
    return {number: Year.model_validate(year) for number, year in _content()["years"].items()}


def published_tables(year: Year, split: str, machines: str) -> list[PublishedFile]:
    """List the published files with labels and hidden attributes of a year's ``dev`` or ``eval`` set.

    Parameters
    ----------
    year : Year
    split : str
        ``dev`` or ``eval``.
    machines : str
        ``all``, or names joined by ``+``: those whose ground truth is taken of the evaluator.
    """
    tables, truth = year.hidden_tables(split), []
    if split == "eval" and year.evaluator:
        truth = _ground_truth(year, year.evaluator, machines)
    elif split == "eval" and year.labels:
        tables = [year.labels, *tables]
    baseline = Repository.model_validate(_content()["baseline"])
    return truth + [PublishedFile(table.file, _address(baseline, table.file), table.sha256) for table in tables]


def _ground_truth(year: Year, evaluator: Evaluator, machines: str) -> list[PublishedFile]:
    files = [
        pattern.format(machine=machine, section=section)
        for machine, sections in year.machines_of("eval").items()
        if machines == "all" or machine in machines.split("+")
        for section in sections
        for pattern in evaluator.tables
    ]
    return [
        PublishedFile(f"{evaluator.folder}/{file}", _address(evaluator, file), evaluator.sha256.get(file, ""))
        for file in files
    ]


def _address(repository: Repository, file: str) -> str:
    """Make the address of a repository's file at its pinned commit."""
    raw = str(_content()["raw"])
    return raw.format(repository=repository.repository, commit=repository.commit, file=file)


def archives(year: Year, parts: Sequence[PartName], machines: str) -> list[Archive]:
    """List the archives of some parts of a year.

    Parameters
    ----------
    year : Year
    parts : sequence of str
        Of ``dev``, ``additional``, ``eval``.
    machines : str
        ``all``, or names joined by ``+``; machines that a part does not have are left out of it.

    Raises
    ------
    UserError
        Where no part has such a machine.
    """
    chosen = selected_machines(machines, [machine for part in parts for machine in year.machines_of(part)])
    listed = []
    for name in parts:
        part = year.parts[name]
        for machine in (m for m in chosen if m in year.machines_of(name)):
            archive = part.renamed.get(machine, part.archive.format(machine=machine))
            listed.append(Archive(name, machine, part.record, archive, part.md5.get(archive, "")))
    return listed


def others(number: int, further: str) -> list[int]:
    """Choose the further years whose training clips are used too.

    Parameters
    ----------
    number : int
        The year under evaluation.
    further : str
        ``none``, or years joined by ``+``.

    Raises
    ------
    UserError
        Where that year's rules do not allow one.
    """
    chosen = [] if further == "none" else [int(year) for year in further.split("+")]
    allowed = years()[number].others
    if wrong := [year for year in chosen if year not in allowed]:
        choice = ", ".join(map(str, allowed)) or "none"
        raise UserError(
            f"dataset.pretrain names {wrong[0]}, which the rules of {number} do not allow: {choice} is allowed"
        )
    return chosen
