"""What the tests of the simulated factory share: its params, its clips, its bytes."""

import hashlib
from pathlib import Path
from typing import Any

from asd.datasets.dataset_params import DatasetParams, FolderParams, SimulatedParams
from asd.simulation.plan import Cell, Order, orders
from asd.simulation.simulation import MACHINES

SEED = 1000


def simulated(size: str = "tiny", seed: int = SEED, **others: Any) -> SimulatedParams:
    return SimulatedParams.model_validate({"size": size, "seed": seed} | others)


def dataset(machines: str = "all", **others: Any) -> DatasetParams:
    folder = FolderParams(manifest="data/manifest.csv")
    return DatasetParams(name="simulated", machines=machines, simulated=simulated(**others), folder=folder)


def clips(machine: str, count: int, anomaly: int = 0, domain: str = "source", **others: Any) -> list[Order]:
    """The first test clips of a cell."""
    return list(orders(MACHINES[machine], simulated(**others), Cell("test", domain, anomaly), count))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
