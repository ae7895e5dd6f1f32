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


class Table(Section):
    """A file of the organisers' repository."""

    file: str
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
    hidden: list[Table] = Field(default_factory=list)

    def machines_of(self, part: str) -> dict[str, list[str]]:
        """Name the machines of a part and their sections."""
        return self.machines["dev" if part == "dev" else "eval"]


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


def address(table: Table) -> str:
    """Make the address of a file of the organisers' repository, at the pinned commit."""
    labels = _content()["labels"]
    return str(labels["raw"]).format(commit=labels["commit"], file=table.file)


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
