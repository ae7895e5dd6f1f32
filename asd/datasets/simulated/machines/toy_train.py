"""A toy train on an oval: motor hum, rolling noise, and the clack of wheels over rail joints."""

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

WHEEL, RAIL = 0.06, 0.17  # [m] circumference of a wheel, length of a rail
REDUCTION = 14


def sound(run: Operation) -> Sound:
    """Sound of ``car`` at the setting ``spd``, through ``mic``."""
    metres = 0.07 * run.number("spd")  # [m/s]
    way = turns(run.rng, run.frames, metres, 0.01)
    body = response(run.trait(f"car {run.attributes['car']}"), 4) + response(
        run.trait(f"mic {run.attributes['mic']}"), 3
    )
    hum = harmonics(run.rng, REDUCTION * way / WHEEL, [0.3, 0.25, 0.2, 0.2, 0.1, 0.1])
    rolling = band_noise(run.rng, run.frames, 200, 5000, -3) * swing(way / WHEEL, 0.15)
    joints = _clack(run, run.rng, crossings(way / RAIL, run.rng, 0.01))
    healthy = filtered(hum + 0.7 * rolling + 1.5 * joints, body)
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), metres / WHEEL, metres / RAIL)
    added, hz = FAULTS[run.fault](run, way)
    return Sound(healthy, run.severity * filtered(added, body), metres / WHEEL, hz * metres)


def _clack(run: Operation, rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Strike twice, once an axle."""
    both = np.concatenate([times, times + 0.03])
    impulses = strikes(both, rng.uniform(0.6, 1.4, len(both)), run.frames)
    return ring(impulses, 700, 0.008) + 0.6 * ring(impulses, 2300, 0.004)


def flat_wheel(run: Operation, way: np.ndarray) -> tuple[np.ndarray, float]:
    """Strike once a turn of a wheel."""
    times = crossings(way / WHEEL, run.fault_rng, 0.005)
    knocks = strikes(times, run.fault_rng.uniform(0.7, 1.3, len(times)), run.frames)
    return 4 * ring(knocks, 1300, 0.005) + 3 * ring(knocks, 3300, 0.003), 1 / WHEEL


def rail_pit(run: Operation, way: np.ndarray) -> tuple[np.ndarray, float]:
    """Jolt once every few rails."""
    return 9 * _clack(run, run.fault_rng, crossings(way / (3 * RAIL), run.fault_rng, 0.01)), 1 / (3 * RAIL)


def worn_gear(run: Operation, way: np.ndarray) -> tuple[np.ndarray, float]:
    """Whine: tones of the gear and noise in time with it."""
    whine = harmonics(run.fault_rng, 2.5 * REDUCTION * way / WHEEL, [0.5, 0.3, 0.2, 0.1])
    return whine + 0.6 * band_noise(run.fault_rng, run.frames, 1500, 5000) * swing(REDUCTION * way / WHEEL, 0.8), (
        2.5 * REDUCTION / WHEEL
    )


FAULTS = {"flat_wheel": flat_wheel, "rail_pit": rail_pit, "worn_gear": worn_gear}

MACHINE = Machine(
    name="ToyTrain",
    seconds=6,
    source={"car": ("A1", "A2", "B1"), "spd": ("5", "7"), "mic": ("1",)},
    target={"car": ("B2",), "spd": ("6", "9"), "mic": ("2",)},
    listed="hidden",
    supplement="clean",
    faults=tuple(FAULTS),
    sound=sound,
)
