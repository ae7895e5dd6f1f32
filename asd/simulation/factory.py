"""A simulated factory in the layout of the DCASE 2025 development set, with truth that real data never give.

Every clip is made by a random generator keyed by (seed, machine, cell, index): the same bytes in any order, by any
number of workers, and in every size that has the clip. Faults, machines and calibration: docs/simulated_factory.md.
"""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

from asd.core.artifacts import Metrics, atomic, write_csv
from asd.core.compute import ComputeParams, parallel
from asd.core.progress import progress
from asd.datasets import dcase
from asd.datasets.dataset_params import DatasetParams, selected_machines
from asd.simulation.machine import Machine
from asd.simulation.plan import SECTION, Order, plan
from asd.simulation.signals import RATE
from asd.simulation.simulation import MACHINES, VERSION, record

LOCKED = 0.003  # [s] for a second of sound, in many small steps of Python


def download(params: DatasetParams, raw: Path, truth: Path, compute: ComputeParams | None = None) -> Metrics:
    """Simulate the factory; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    params, raw, truth, compute
        As for :meth:`asd.datasets.dataset.Dataset.download`.
    """
    wanted = [MACHINES[name] for name in selected_machines(params.machines, MACHINES)]
    orders = [order for machine in wanted for order in plan(machine, params.simulated)]
    for folder in sorted({(raw / order.file).parent for order in orders}):
        folder.mkdir(parents=True)
    made = parallel(partial(make, raw), orders, compute, locked=LOCKED * sum(order.seconds for order in orders))
    facts = pd.DataFrame(list(progress("simulate", "clip", len(orders), made))).sort_values("file")
    for machine in wanted:
        _write_attributes(raw, machine, facts[facts["machine"] == machine.name])
    hidden = facts["machine"].isin([machine.name for machine in wanted if machine.hidden])
    write_csv(truth / "attributes.csv", facts.loc[hidden & (facts["attributes"] != ""), ["file", "attributes"]])
    write_csv(truth / "simulated.csv", facts)
    sums = facts.groupby("machine")["seconds"].agg(["size", "sum"])
    machines = {name: {"files": int(files), "seconds": float(seconds)} for name, files, seconds in sums.itertuples()}
    return {"name": "simulated", "version": VERSION, **params.simulated.model_dump(), "machines": machines}


def recordings(params: DatasetParams, raw: Path, truth: Path) -> pd.DataFrame:
    """List the recordings; see :class:`asd.datasets.dataset.Dataset`.

    Parameters
    ----------
    params, raw, truth
        As for :meth:`asd.datasets.dataset.Dataset.recordings`.
    """
    return dcase.recordings(raw, truth)


def make(raw: Path, order: Order) -> dict[str, Any]:
    """Simulate and write one clip; returns its facts, a row of ``data/truth/simulated.csv``.

    Parameters
    ----------
    raw : Path
        Folder of the recordings.
    order : Order
        The clip.
    """
    samples, facts = record(order)
    soundfile.write(raw / order.file, samples, RATE, subtype="PCM_16")
    return facts


def _write_attributes(raw: Path, machine: Machine, facts: pd.DataFrame) -> None:
    """Write ``attributes_00.csv`` as the organisers do: with folders, as bare stems, or without attributes."""
    width = max(len(machine.settings(domain)[0]) for domain in ("source", "target"))
    header = ["file_name", *(f"d{n}{part}" for n in range(1, width + 1) for part in "pv")]
    with atomic(raw / machine.name / f"attributes_{SECTION}.csv", "w") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header[:1] if machine.hidden else header)
        for path, text in facts[["file", "attributes"]].itertuples(index=False):
            pairs = [] if machine.hidden else [word for pair in text.split(";") for word in pair.split("=") if word]
            table.writerow([dcase.stem(path) if machine.listed == "stems" else path, *pairs])
