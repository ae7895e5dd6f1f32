"""A simulated factory in the layout of the DCASE 2025 development set, with truth that real data never give.

Every clip is drawn from a generator keyed by (seed, machine, cell, index): the same bytes in any order, by any
number of workers, and in every size that has the clip.
"""

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import soundfile

from asd.artifacts import Metrics, atomic, significant, write_csv
from asd.compute import parallel, rng
from asd.datasets import dcase
from asd.datasets.params import DatasetParams
from asd.datasets.selection import selected
from asd.datasets.simulated.machine import Machine, Operation
from asd.datasets.simulated.machines import bearing, fan, gearbox, slider, toy_car, toy_train, valve
from asd.datasets.simulated.signals import RATE, filtered, response
from asd.datasets.simulated.surroundings import factory_noise

MACHINES = {m.MACHINE.name: m.MACHINE for m in (toy_car, toy_train, bearing, fan, gearbox, slider, valve)}
SECTION = "00"
LEVEL = 0.015  # RMS of a healthy machine at the microphone, full scale 1: faults never clip
LEVEL_SPREAD = 1.5  # [dB]
ROOM_SPREAD = 1.5  # [dB] of the response between machine and microphone, drawn anew for every clip
SNR = (0.0, 6.0)  # [dB]
FLOOR = 1e-4  # of a microphone without surroundings
SEVERITY = (0.15, 1.0)


class Size(NamedTuple):
    """Clips a machine; ``seconds`` None: each machine's own length."""

    source: int
    target: int
    supplemental: int
    test: int  # in each of four cells
    seconds: float | None


SIZES = {"default": Size(120, 10, 30, 50, None), "tiny": Size(16, 4, 6, 8, 2.0)}


class Order(NamedTuple):
    """One clip to make."""

    seed: int
    machine: str
    name: dcase.Name
    seconds: float

    @property
    def file(self) -> str:
        """Path below the data set's folder."""
        return f"{self.machine}/{self.name.split}/{self.name}"

    @property
    def cell(self) -> str:
        """The part of the data set whose clips are numbered together."""
        return f"{self.name.domain} {self.name.split} {self.name.kind} {self.name.anomaly}"


class Stems(NamedTuple):
    """The parts of a recording [shape=(frames,)] at the microphone, and the truth about it.

    The facts: frequencies in Hz, ratios in dB of the energies (machine to surroundings, fault to both; empty where
    there is none), severity 0 for normal clips.
    """

    healthy: np.ndarray
    fault: np.ndarray
    noise: np.ndarray
    facts: dict[str, Any]


def download(params: DatasetParams, raw: Path, truth: Path) -> Metrics:
    """Simulate the factory; see :class:`asd.datasets.registry.Dataset`."""
    wanted = [MACHINES[name] for name in selected(params.machines, MACHINES)]
    size = SIZES[params.simulated.size]
    orders = [order for machine in wanted for order in plan(machine, size, params.simulated.seed)]
    for folder in sorted({(raw / order.file).parent for order in orders}):
        folder.mkdir(parents=True)
    facts = pd.DataFrame(list(parallel(partial(make, raw), orders))).sort_values("file")
    for machine in wanted:
        _write_attributes(raw, machine, facts[facts["machine"] == machine.name])
    hidden = facts["machine"].isin([machine.name for machine in wanted if machine.hidden])
    write_csv(truth / "attributes.csv", facts.loc[hidden & (facts["attributes"] != ""), ["file", "attributes"]])
    write_csv(truth / "simulated.csv", facts)
    made = facts.groupby("machine")["seconds"].agg(["size", "sum"])
    machines = {name: {"files": int(files), "seconds": float(seconds)} for name, files, seconds in made.itertuples()}
    return {"name": "simulated", **params.simulated.model_dump(), "machines": machines}


def recordings(params: DatasetParams, raw: Path, truth: Path) -> pd.DataFrame:
    """List the recordings; see :class:`asd.datasets.registry.Dataset`."""
    return dcase.recordings(raw, truth)


def plan(machine: Machine, size: Size, seed: int) -> Iterator[Order]:
    """List a machine's clips, cell by cell."""
    cells: Sequence[tuple[str, str, str, int | None, int]] = (
        ("train", "source", "machine", 0, size.source),
        ("train", "target", "machine", 0, size.target),
        ("supplemental", "source", machine.supplement, None, size.supplemental),
        *(("test", domain, "machine", anomaly, size.test) for domain in ("source", "target") for anomaly in (0, 1)),
    )
    for split, domain, kind, anomaly, count in cells:
        for index in range(count):
            shown = dcase.HIDDEN if machine.hidden else _as_text(_setting(machine, domain, kind, index))
            name = dcase.Name(SECTION, split, domain, kind, anomaly, index, shown or dcase.HIDDEN)
            yield Order(seed, machine.name, name, size.seconds or machine.seconds)


def _setting(machine: Machine, domain: str, kind: str, index: int) -> dict[str, str]:
    """Give the settings of a domain in turn, so that normal and anomalous clips have the same."""
    settings = machine.settings(domain)
    return {} if kind == "noise" else settings[index % len(settings)]


def _as_text(setting: dict[str, str]) -> str:
    return "_".join(f"{key}_{value}" for key, value in setting.items())


def make(raw: Path, order: Order) -> dict[str, Any]:
    """Simulate and write one clip; returns its facts, a row of ``data/truth/simulated.csv``."""
    stems = simulate(order)
    samples = np.round((stems.healthy + stems.fault + stems.noise) * 32768).astype(np.int16)
    soundfile.write(raw / order.file, samples, RATE, subtype="PCM_16")
    return stems.facts


def simulate(order: Order, severity: float | None = None) -> Stems:
    """Simulate one clip.

    Parameters
    ----------
    order : Order
    severity : float, optional
        Replaces the one drawn for an anomalous clip; 0 gives the same clip without its fault.

    Returns
    -------
    Stems
        Their sum is the recording. No level is set after the fault is added.
    """
    name, machine, frames = order.name, MACHINES[order.machine], round(order.seconds * RATE)
    trait = partial(rng, "simulated", order.seed, order.machine)
    of_clip, of_machine, of_fault, of_noise = trait(order.cell, name.index).spawn(4)
    fault = machine.faults[of_clip.integers(len(machine.faults))] if name.anomaly else ""
    drawn = of_clip.uniform(*SEVERITY)
    strength = 0.0 if not fault else drawn if severity is None else severity
    setting = _setting(machine, name.domain, "machine", name.index)
    sound = machine.sound(Operation(setting, fault, strength, frames, of_machine, of_fault, trait))

    snr = of_clip.uniform(*SNR)
    gain = _gain(sound.healthy, of_clip) * (name.kind != "noise")
    room = response(of_clip, ROOM_SPREAD)
    healthy = gain * filtered(sound.healthy, room)
    added = gain * (filtered(sound.fault, room) if strength else sound.fault)
    noise = LEVEL * 10 ** (-snr / 20) * factory_noise(of_noise, frames, trait(f"hall {name.domain}"))
    noise = FLOOR * of_noise.standard_normal(frames) if name.kind == "clean" else noise
    facts = {
        "file": order.file,
        "machine": order.machine,
        "seconds": order.seconds,
        "attributes": ";".join(f"{k}={v}" for k, v in _setting(machine, name.domain, name.kind, name.index).items()),
        "fault": fault,
        "severity": strength,
        "speed_hz": sound.speed_hz if name.kind != "noise" else "",
        "characteristic_hz": sound.characteristic_hz if name.kind != "noise" else "",
        "snr_db": _decibels(healthy, noise) if name.kind == "machine" else "",
        "fault_db": _decibels(added, healthy + noise) if strength else "",
    }
    return Stems(healthy, added, noise, facts)


def _gain(healthy: np.ndarray, generator: np.random.Generator) -> float:
    """Set the level of a machine by what it is without a fault."""
    level: float = generator.normal(0, LEVEL_SPREAD)
    return LEVEL * 10 ** (level / 20) / float(np.sqrt(np.mean(healthy**2)))


def _decibels(signal: np.ndarray, reference: np.ndarray) -> float:
    return significant(10 * float(np.log10(np.mean(signal**2) / np.mean(reference**2))))


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
