"""The data of DCASE Challenge Task 2, 2020-2026: the chosen year, parts and machines, and further years to adapt to.

``raw/dcase<year>/<machine>/<folder>/<file>``, as published; the files are hard links to the store of archives. Of
further years only training clips are there: they become supplements of machines named ``<year>_<machine>``.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from asd.base.artifacts import Metrics
from asd.datasets import dcase, truth
from asd.datasets.archives import folder_of, provide
from asd.datasets.attributes import SUFFIX
from asd.datasets.params import DatasetParams
from asd.datasets.years import Archive, PartName, Year, archives, others, years

TRAINING = ("train", "supplemental")  # folders


def download(params: DatasetParams, raw: Path, hidden: Path) -> Metrics:
    """Provide recordings and published labels; see :class:`asd.datasets.registry.Dataset`.

    Raises
    ------
    UserError
        Where something can't be had, is not what was promised, or the year's rules do not allow it.
    """
    year, further = years()[params.year], others(params.year, params.pretrain)
    parts = [part for part in year.parts if part in params.train_on or part == params.split]
    wanted = {params.year: archives(year, parts, params.machines)}
    wanted |= {number: archives(years()[number], ["dev", "additional"], "all") for number in further}
    digests = provide([archive for some in wanted.values() for archive in some], params.mirror)
    for number, some in wanted.items():
        for archive in some:
            tested = number == params.year and archive.part == params.split
            _place(archive, raw / f"dcase{number}" / archive.machine, tuple(dcase.FOLDERS) if tested else TRAINING)
    truth.download(params.year, params.split, params.mirror, hidden)
    table = recordings(params, raw, hidden)
    _say_missing_sections(table, year, parts)
    metrics: dict[str, Any] = {"name": params.name, "machines": _counts(table), "archives": digests}
    labels = truth.cross_check(table, params.year, params.split, hidden)
    return metrics | ({"labels": labels} if labels else {})


def _place(archive: Archive, machine: Path, folders: tuple[str, ...]) -> None:
    """Link an archive's recordings of some folders, and its tables of attributes, to where they belong."""
    for file in sorted(folder_of(archive).rglob("*")):
        if file.suffix == SUFFIX and file.parent.name in folders:
            _link(file, machine / file.parent.name / file.name)
        elif file.name.startswith("attributes_"):
            _link(file, machine / file.name)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target)
    except OSError:  # .asd/ on another file system
        shutil.copyfile(file, target)


def _counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    return {str(machine): {"files": len(own)} for machine, own in table.groupby("machine")}


def _say_missing_sections(table: pd.DataFrame, year: Year, parts: list[PartName]) -> None:
    """Name the sections of the registry that the archives lack."""
    found = set(zip(table["machine"], table["section"], strict=True))
    for part in parts:
        for machine, sections in year.machines_of(part).items():
            lacking = [section for section in sections if (machine, section) not in found]
            if lacking and machine in set(table["machine"]):
                print(f"{machine}: {part} lacks section {', '.join(lacking)}", flush=True)


def recordings(params: DatasetParams, raw: Path, hidden: Path) -> pd.DataFrame:
    """List the recordings; see :class:`asd.datasets.registry.Dataset`."""
    own = dcase.recordings(raw / params.name, hidden)
    years_there = [folder for folder in sorted(raw.glob("dcase*")) if folder.name != params.name]
    further = [_supplements(folder, hidden) for folder in years_there]
    table = pd.concat([own, *further], ignore_index=True)
    return truth.joined(table, params.year, params.split, hidden)


def _supplements(folder: Path, hidden: Path) -> pd.DataFrame:
    table = dcase.recordings(folder, hidden)
    year = folder.name.removeprefix("dcase")
    return table.assign(machine=year + "_" + table["machine"], split="supplemental")
