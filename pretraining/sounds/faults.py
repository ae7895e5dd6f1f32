"""Machines near a machine: one or two things change, as by a fault, by wear or by another part."""

import math
from collections.abc import Callable

import numpy as np

from asd.simulation.acoustics import response
from pretraining.sounds.catalogue import SOURCES
from pretraining.sounds.machines import Machine, Part, draw_part
from pretraining.sounds.parts import Modes, floats, moved
from pretraining.sounds.sources import HARMONICS

ADDED = {"impacts": 2.0, "whine": 1.0, "rattle": 1.0, "rolling": 1.0, "strokes": 1.0, "belt": 0.5, "flow": 0.5}


def near(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Change one or two things of a machine, as a fault, a wear or another part of it does.

    Parameters
    ----------
    machine : Machine
    rng : np.random.Generator
    amount : float
        How much, between 0 (not at all) and 1.

    Returns
    -------
    Machine
    """
    changes = rng.choice(len(CHANGES), size=int(rng.integers(1, 3)), replace=False, p=WEIGHTS)
    for change in changes:
        machine = CHANGES[change][1](machine, rng, amount) if amount > 0 else machine
    return machine


def _replaced(machine: Machine, index: int, part: Part) -> Machine:
    parts = machine.parts
    return machine._replace(parts=(*parts[:index], part, *parts[index + 1 :]))


def _chosen(machine: Machine, rng: np.random.Generator) -> tuple[int, Part]:
    """Choose a part, rather a loud one."""
    loud = 10 ** (np.array([part.level for part in machine.parts]) / 20)
    index = int(rng.choice(len(loud), p=loud / loud.sum()))
    return index, machine.parts[index]


def add_part(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Add a source, about as loud as the loudest one at the full amount."""
    chances = np.array(list(ADDED.values()))
    name = str(rng.choice(list(ADDED), p=chances / chances.sum()))
    loudest = max(part.level for part in machine.parts)
    part = draw_part(rng, name)._replace(level=loudest + float(rng.uniform(-8, 2)) + 20 * math.log10(amount))
    return machine._replace(parts=(*machine.parts, part))


def change_level(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Let a source become louder or softer, by up to 15 dB."""
    index, part = _chosen(machine, rng)
    step = float(rng.choice([-1, 1]) * rng.uniform(5, 15)) * amount
    return _replaced(machine, index, part._replace(level=part.level + step))


def remove_part(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Let a source fall silent; the amount is the share of its amplitude that goes."""
    index, part = _chosen(machine, rng)
    return _replaced(machine, index, part._replace(level=part.level + 20 * math.log10(max(1 - amount, 0.03))))


def change_setting(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Change the settings and the harmonics of a source."""
    index, part = _chosen(machine, rng)
    partials = np.array(part.partials) + amount * rng.standard_normal(HARMONICS)
    shares = moved(rng, part.shares, 0.25 * amount)
    return _replaced(machine, index, part._replace(shares=shares, partials=floats(partials)))


def deepen(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Deepen the modulation of a source that is modulated; change its settings where it is none."""
    index, part = _chosen(machine, rng)
    names = list(SOURCES[part.name].ranges)
    if "depth" not in names:
        return change_setting(machine, rng, amount)
    shares = list(part.shares)
    place = names.index("depth")
    shares[place] += amount * (1 - shares[place])
    return _replaced(machine, index, part._replace(shares=tuple(shares)))


def move_resonances(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Move the natural frequencies of the casing, damp it, and change how it radiates."""
    count, casing = len(machine.casing.hz), machine.casing
    common = rng.standard_normal()
    hz = np.array(casing.hz) * np.exp(amount * (0.1 * common + 0.1 * rng.standard_normal(count)))
    damping = np.array(casing.damping) * np.exp(0.7 * amount * rng.standard_normal())
    moved_casing = Modes(floats(np.clip(hz, 100, 7600)), floats(np.clip(damping, 0.002, 0.2)), casing.weight)
    colour = np.array(machine.colour) + response(rng, 4.0 * amount)
    return machine._replace(casing=moved_casing, colour=floats(colour))


def hunt(machine: Machine, rng: np.random.Generator, amount: float) -> Machine:
    """Let the speed rise and fall, or wander."""
    rate, depth = machine.hunting
    added = float(rng.uniform(0.02, 0.08)) * amount
    wander = machine.wander * (1 + 2 * amount * float(rng.uniform()))
    return machine._replace(hunting=(rate, depth + added), wander=wander)


CHANGES: tuple[tuple[float, Callable[[Machine, np.random.Generator, float], Machine]], ...] = (
    (0.3, add_part),
    (0.15, change_level),
    (0.1, remove_part),
    (0.15, change_setting),
    (0.1, deepen),
    (0.12, move_resonances),
    (0.08, hunt),
)
WEIGHTS = [weight for weight, _ in CHANGES]
