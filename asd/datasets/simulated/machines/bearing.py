"""A rolling-element bearing: rolling noise that the load zone modulates, faults as impact trains with slip."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import (
    RATE,
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

ELEMENTS, RATIO = 8, 0.23  # rolling elements; their diameter over the pitch's, contact angle 0
ORDERS = {"outer_race": ELEMENTS * (1 - RATIO) / 2, "inner_race": ELEMENTS * (1 + RATIO) / 2}
SLIP = 0.015


def sound(run: Operation) -> Sound:
    """Sound of a bearing at ``vel`` [Hz], heard at ``loc``."""
    hz = run.number("vel")
    shaft = turns(run.rng, run.frames, hz)
    place = response(run.trait(f"loc {run.attributes['loc']}"), 6)
    rolling = band_noise(run.rng, run.frames, 200, 5000, -2) * swing(shaft, 0.35)
    hiss = band_noise(run.rng, run.frames, 20 * hz, 60 * hz)
    healthy = filtered(rolling + 0.5 * hiss, place) + harmonics(run.rng, 6 * shaft, [0.3, 0.3, 0.2, 0.1])
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), hz, hz)
    order = ORDERS.get(run.fault, 1)
    added = dry(run, shaft) if run.fault == "dry" else spall(run, shaft, order)
    return Sound(healthy, run.severity * filtered(added, place), hz, order * hz)


def spall(run: Operation, shaft: np.ndarray, order: float) -> np.ndarray:
    """Strike at the defect's frequency; a spall on the inner race passes the load zone once a turn."""
    times = crossings(order * shaft, run.fault_rng, SLIP)
    zone = np.interp(times * RATE, np.arange(run.frames), swing(shaft, 0.8))
    strength = zone if run.fault == "inner_race" else np.ones(len(times))
    strength = strength * run.fault_rng.uniform(0.8, 1.2, len(times))
    hz = run.trait("resonance").uniform(2200, 4200)
    return 6 * ring(strikes(times, strength, run.frames), hz, 0.0015)


def dry(run: Operation, shaft: np.ndarray) -> np.ndarray:
    """Run without grease: noise at high frequencies."""
    return 0.8 * band_noise(run.fault_rng, run.frames, 2500, 6500) * swing(shaft, 0.6)


MACHINE = Machine(
    name="bearing",
    seconds=5,
    source={"vel": ("6", "10", "14"), "loc": ("A", "B")},
    target={"vel": ("8", "12"), "loc": ("C",)},
    listed="hidden",
    supplement="clean",
    faults=(*ORDERS, "dry"),
    sound=sound,
)
