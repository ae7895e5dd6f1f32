"""The data of DCASE Challenge Task 2, 2020-2026: the chosen year, parts and machines, and further years to adapt to.

``raw/dcase<year>/<machine>/<folder>/<file>``, as published; the files are hard links to the store of archives. Of
further years only training clips are there: they become supplements of machines named ``<year>_<machine>``.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from asd.core.artifacts import Metrics
from asd.core.compute import ComputeParams
from asd.datasets import dcase
from asd.datasets.archives import folder_of, provide
from asd.datasets.attributes import SUFFIX
from asd.datasets.dataset_params import DatasetParams
from asd.datasets.published_labels import check_labels, download_labels, fill_in_labels
from asd.datasets.years import Archive, PartName, Year, archives, others, years

log = logging.getLogger(__name__)
TRAINING = ("train", "supplemental")  # folders


def download(params: DatasetParams, raw: Path, hidden: Path, compute: ComputeParams | None = None) -> Metrics:
    """Provide recordings and published labels; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    params, raw, hidden, compute
        As for :meth:`asd.datasets.dataset.Dataset.download`.

    Raises
    ------
    UserError
        Where something can't be had, is not what was promised, or the year's rules do not allow it.
    """
    year, further = years()[params.year], others(params.year, params.pretrain)
    parts = year.used(params.split, params.train_on)
    wanted = {params.year: archives(year, parts, params.machines)}
    wanted |= {number: archives(years()[number], ["dev", "additional"], "all") for number in further}
    digests = provide([archive for some in wanted.values() for archive in some], params.mirror)
    for number, some in wanted.items():
        for archive in some:
            folders = tuple(dcase.FOLDERS) if number == params.year and archive.part == params.split else TRAINING
            _link_recordings(archive, raw / f"dcase{number}" / archive.machine, folders)
    tables = download_labels(params.year, params.split, params.machines, params.mirror, hidden)
    table = recordings(params, raw, hidden)
    _warn_of_missing_sections(table, year, parts)
    metrics: dict[str, Any] = {"name": params.name, "machines": _counts(table), "archives": digests}
    labels = check_labels(table, params.year, params.split, hidden)
    return metrics | ({"labels": labels} if labels else {}) | ({"tables": tables} if tables else {})


def _link_recordings(archive: Archive, machine: Path, folders: tuple[str, ...]) -> None:
    """Link an archive's recordings of some folders, and its tables of attributes, into a machine's folder."""
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
    return {str(machine): {"files": len(files)} for machine, files in table.groupby("machine")}


def _warn_of_missing_sections(table: pd.DataFrame, year: Year, parts: list[PartName]) -> None:
    """Log the sections of ``years.yaml`` that the archives lack."""
    there = set(zip(table["machine"], table["section"], strict=True))
    for part in parts:
        for machine, sections in year.machines_of(part).items():
            lacking = [section for section in sections if (machine, section) not in there]
            if lacking and machine in set(table["machine"]):
                log.warning("%s: %s lacks section %s", machine, part, ", ".join(lacking))


def recordings(params: DatasetParams, raw: Path, hidden: Path) -> pd.DataFrame:
    """List the recordings; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    params, raw, hidden
        As for :meth:`asd.datasets.dataset.Dataset.recordings`.
    """
    listed = dcase.recordings(raw / params.name, hidden)
    further = [folder for folder in sorted(raw.glob("dcase*")) if folder.name != params.name]
    table = pd.concat([listed, *(_supplements(folder, hidden) for folder in further)], ignore_index=True)
    return fill_in_labels(table, params.year, params.split, hidden)


def _supplements(folder: Path, hidden: Path) -> pd.DataFrame:
    table = dcase.recordings(folder, hidden)
    year = folder.name.removeprefix("dcase")
    return table.assign(machine=year + "_" + table["machine"], split="supplemental")
