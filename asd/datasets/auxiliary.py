"""Simulated machines beside one's own recordings, for those who have one machine and nothing to tell it from.

They are supplements like those of a challenge's further years: material to train on, never to remember or to judge.
"""

from functools import partial
from pathlib import Path

import pandas as pd

from asd.base.compute import parallel
from asd.datasets import dcase
from asd.datasets.params import SimulatedParams
from asd.datasets.simulated.factory import make
from asd.datasets.simulated.plan import Cell, Order, orders
from asd.datasets.simulated.simulation import MACHINES

PLACE = "auxiliary"  # below the folder of recordings
CLIPS = 24  # of each machine
FACTORY = SimulatedParams(size="default", seed=2**31, severity=0.0)  # no one's data set


def download(raw: Path) -> None:
    """Simulate normal clips of all machines, always the same ones."""
    plans = [order for name in MACHINES for order in _plan(name)]
    for order in plans:
        (raw / PLACE / order.file).parent.mkdir(parents=True, exist_ok=True)
    list(parallel(partial(make, raw / PLACE), plans))


def recordings(raw: Path) -> pd.DataFrame:
    """List them, as :meth:`asd.datasets.registry.Dataset.recordings` does; machines are named ``simulated_fan``."""
    table = dcase.recordings(raw / PLACE, raw / PLACE)
    return table.assign(machine="simulated_" + table["machine"], split="supplemental")


def _plan(name: str) -> list[Order]:
    return list(orders(MACHINES[name], FACTORY, Cell("train", "source"), CLIPS))
