"""A toy car on a stand: a brushed motor, its commutation, plastic gears and wheels."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import (
    band_noise,
    crossings,
    filtered,
    harmonics,
    response,
    ring,
    strikes,
    swing,
    turns,
)

SEGMENTS, GEAR = 6, 9  # commutations and teeth of the pinion, both a turn of the motor
REDUCTION = 4.2


def sound(run: Operation) -> Sound:
    """Sound of ``car`` at the voltage ``spd``, through ``mic``; ``noise`` names the surroundings."""
    hz = 1.6 * float(run.attributes["spd"].removesuffix("V"))
    motor = turns(run.rng, run.frames, hz, 0.008)
    body = response(run.trait(f"car {run.attributes['car']}"), 4) + response(
        run.trait(f"mic {run.attributes['mic']}"), 3
    )
    brushes = harmonics(run.rng, SEGMENTS * motor, [0.3, 0.25, 0.2, 0.15, 0.1])
    gears = harmonics(run.rng, GEAR * motor, [0.4, 0.3, 0.2, 0.1]) * swing(motor / REDUCTION, 0.2)
    noise = band_noise(run.rng, run.frames, 300, 6000, -2) * swing(motor, 0.2)
    healthy = filtered(brushes + gears + 0.6 * noise, body)
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), hz, GEAR * hz)
    added, order = FAULTS[run.fault](run, motor, gears)
    return Sound(healthy, run.severity * filtered(added, body), hz, order * hz)


def worn_brush(run: Operation, motor: np.ndarray, gears: np.ndarray) -> tuple[np.ndarray, float]:
    """Spark: noise at high frequencies in time with the commutation."""
    return band_noise(run.fault_rng, run.frames, 2000, 6500) * swing(SEGMENTS * motor, 0.8) * 0.55, SEGMENTS


def bent_shaft(run: Operation, motor: np.ndarray, gears: np.ndarray) -> tuple[np.ndarray, float]:
    """Press the gears together once a turn: side bands and shaft tones."""
    return 1.2 * gears * (swing(motor, 1) - 1) + harmonics(run.fault_rng, motor, [0.3, 0.3, 0.2, 0.2]), 1


def broken_tooth(run: Operation, motor: np.ndarray, gears: np.ndarray) -> tuple[np.ndarray, float]:
    """Knock once a turn of the driven wheel."""
    times = crossings(motor / REDUCTION, run.fault_rng, 0.003)
    knocks = strikes(times, run.fault_rng.uniform(0.7, 1.3, len(times)), run.frames)
    return 5 * ring(knocks, 1900, 0.004) + 4 * ring(knocks, 4300, 0.002), 1 / REDUCTION


FAULTS = {"worn_brush": worn_brush, "bent_shaft": bent_shaft, "broken_tooth": broken_tooth}

MACHINE = Machine(
    name="ToyCar",
    seconds=6,
    source={"car": ("A1", "A2"), "spd": ("28V", "31V"), "mic": ("1",), "noise": ("1",)},
    target={"car": ("B1",), "spd": ("34V", "40V"), "mic": ("2",), "noise": ("2",)},
    listed="stems",
    supplement="clean",
    faults=tuple(FAULTS),
    sound=sound,
)
