"""The clips of a data set: sizes, cells, settings, names. Nothing here makes a sound.

A clip is named by (seed, machine, cell, index), so a larger size only adds clips to a smaller one of the same lengths.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from asd.core.compute import rng
from asd.datasets import dcase
from asd.datasets.dataset_params import SimulatedParams
from asd.simulation.machine import Machine

SECTION = "00"


class Size(NamedTuple):
    """Clips a machine; ``seconds`` None: each machine's own lengths."""

    source: int
    target: int
    supplemental: int
    test: int  # in each of four cells
    seconds: float | None


SIZES = {
    "tiny": Size(16, 4, 6, 8, 2.0),
    "default": Size(120, 10, 30, 50, None),
    "study": Size(120, 10, 30, 200, None),
    "full": Size(990, 10, 100, 50, 10.0),
}


class Cell(NamedTuple):
    """Clips that are numbered together."""

    split: str
    domain: str
    anomaly: int | None = 0
    kind: str = "machine"


TESTS = [(domain, anomaly) for domain in ("source", "target") for anomaly in (0, 1)]


class Order(NamedTuple):
    """One clip to make; ``severity`` multiplies the sampled severity (0: a factory without faults)."""

    seed: int
    machine: str
    name: dcase.Name
    seconds: float
    setting: Mapping[str, str]
    severity: float = 1.0
    channels: int = 1

    @property
    def file(self) -> str:
        """Path below the data set's folder."""
        return f"{self.machine}/{self.name.split}/{self.name}"

    @property
    def key(self) -> tuple[str | int, ...]:
        """The key of the clip's random generator."""
        name = self.name
        return "simulated", self.seed, self.machine, name.split, name.domain, name.kind, str(name.anomaly), name.index


def plan(machine: Machine, params: SimulatedParams) -> Iterator[Order]:
    """List a machine's clips, cell by cell.

    Parameters
    ----------
    machine : Machine
    params : SimulatedParams
    """
    size = SIZES[params.size]
    yield from orders(machine, params, Cell("train", "source"), size.source)
    yield from orders(machine, params, Cell("train", "target"), size.target)
    yield from orders(machine, params, Cell("supplemental", "source", None, machine.supplement), size.supplemental)
    for domain, anomaly in TESTS:
        yield from orders(machine, params, Cell("test", domain, anomaly), size.test)


def orders(machine: Machine, params: SimulatedParams, cell: Cell, count: int) -> Iterator[Order]:
    """List the first clips of a cell.

    Parameters
    ----------
    machine : Machine
    params : SimulatedParams
    cell : Cell
    count : int
        Of the cell's clips.
    """
    length = SIZES[params.size].seconds
    for index in range(count):
        setting = setting_of(machine, cell.domain, index)
        shown = dcase.HIDDEN if machine.hidden or cell.kind == "noise" else as_text(setting, "_", "_")
        name = dcase.Name(SECTION, cell.split, cell.domain, cell.kind, cell.anomaly, index, shown)
        order = Order(params.seed, machine.name, name, length or 0.0, setting, params.severity, params.channels)
        seconds = length or float(rng(*order.key, "length").choice(machine.seconds))
        yield order._replace(seconds=seconds)


def setting_of(machine: Machine, domain: str, index: int) -> dict[str, str]:
    """Give the settings of a domain in turn, so that normal and anomalous clips have the same ones.

    Parameters
    ----------
    machine : Machine
    domain : str
    index : int
        Of the clip within its cell.

    Returns
    -------
    dict of str
        Value by attribute.
    """
    settings = machine.settings(domain)
    return settings[index % len(settings)]


def as_text(setting: Mapping[str, object], between: str, joint: str) -> str:
    """Write ``speed=3;mic=1`` or ``speed_3_mic_1``.

    Parameters
    ----------
    setting : mapping
        Value by attribute.
    between : str
        Between pairs.
    joint : str
        Between attribute and value.

    Returns
    -------
    str
    """
    return between.join(f"{key}{joint}{value}" for key, value in setting.items())
