"""A spur gearbox: mesh tones with shaft side bands, louder under load."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import band_noise, crossings, harmonics, ring, strikes, swing, turns

TEETH = 23


def sound(run: Operation) -> Sound:
    """Sound of a gearbox driven at ``volt`` [V] with the weight ``wt`` [g]."""
    load = run.number("wt") / 100
    hz = 2.2 * run.number("volt") * (1 - 0.08 * load)
    shaft = turns(run.rng, run.frames, hz)
    mesh = harmonics(run.rng, TEETH * shaft, [0.5, 0.35, 0.3, 0.15, 0.1, 0.05]) * swing(shaft, 0.1) * (0.6 + 0.6 * load)
    motor = harmonics(run.rng, 7 * shaft, [0.15, 0.1, 0.1, 0.05])
    noise = band_noise(run.rng, run.frames, 150, 5000, -3) * swing(shaft, 0.15)
    healthy = mesh + motor + 0.5 * noise
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), hz, TEETH * hz)
    added, order = FAULTS[run.fault](run, shaft, mesh)
    return Sound(healthy, run.severity * added, hz, order * hz)


def chipped_tooth(run: Operation, shaft: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, int]:
    """Knock once a turn."""
    times = crossings(shaft, run.fault_rng, 0.002)
    knocks = strikes(times, run.fault_rng.uniform(0.7, 1.3, len(times)), run.frames)
    return 2 * ring(knocks, 1400, 0.004) + 1.5 * ring(knocks, 3100, 0.003), 1


def worn_teeth(run: Operation, shaft: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, int]:
    """Mesh unevenly: strong side bands, more of the higher harmonics."""
    high = harmonics(run.fault_rng, TEETH * shaft, [0, 0.1, 0.2, 0.25, 0.25, 0.2])
    return 0.7 * mesh * (swing(shaft, 1) - 1) + high, 1


def misalignment(run: Operation, shaft: np.ndarray, mesh: np.ndarray) -> tuple[np.ndarray, int]:
    """Double the mesh: the second harmonic grows, and what the shaft shakes."""
    return harmonics(run.fault_rng, TEETH * shaft, [0, 0.35]) + harmonics(run.fault_rng, shaft, [0, 0.2, 0.15, 0.1]), 2


FAULTS = {"chipped_tooth": chipped_tooth, "worn_teeth": worn_teeth, "misalignment": misalignment}

MACHINE = Machine(
    name="gearbox",
    seconds=4.5,
    source={"volt": ("6", "8"), "wt": ("50", "100")},
    target={"volt": ("7.5", "10"), "wt": ("0",)},
    listed="paths",
    supplement="clean",
    faults=tuple(FAULTS),
    sound=sound,
)
