"""Simulated machines beside one's own recordings, for those who have a single machine: a classifier needs others.

They are supplements like those of a challenge's further years: for training alone, never reference or test clips.
"""

from functools import partial
from pathlib import Path

import pandas as pd

from asd.core.compute import ComputeParams, parallel
from asd.core.progress import progress
from asd.datasets import dcase
from asd.datasets.dataset_params import SimulatedParams
from asd.simulation.factory import make
from asd.simulation.plan import Cell, Order, orders
from asd.simulation.simulation import MACHINES

FOLDER = "auxiliary"  # below the folder of recordings
CLIPS = 24  # of each machine
FACTORY = SimulatedParams(size="default", seed=2**31, severity=0.0)  # no one's data set


def download(raw: Path, compute: ComputeParams | None = None) -> None:
    """Simulate normal clips of all machines, always the same ones.

    Parameters
    ----------
    raw : Path
        Folder of recordings.
    compute : ComputeParams, optional
        Its number of workers; those of :func:`asd.core.compute.configure` by default.
    """
    plans = [order for name in MACHINES for order in _plan(name)]
    for order in plans:
        (raw / FOLDER / order.file).parent.mkdir(parents=True, exist_ok=True)
    made = parallel(partial(make, raw / FOLDER), plans, compute)
    list(progress("simulate", "clip", len(plans), made))


def recordings(raw: Path) -> pd.DataFrame:
    """List them, as :meth:`asd.datasets.dataset.Dataset.recordings` does; machines are named ``simulated_fan``."""
    table = dcase.recordings(raw / FOLDER, raw / FOLDER)
    return table.assign(machine="simulated_" + table["machine"], split="supplemental")


def _plan(name: str) -> list[Order]:
    return list(orders(MACHINES[name], FACTORY, Cell("train", "source"), CLIPS))
