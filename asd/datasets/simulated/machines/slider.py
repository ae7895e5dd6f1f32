"""A belt-driven slider: strokes to and fro, with a motor tone and friction that follow its velocity."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import RATE, band_noise, crossings, harmonics, ring, strikes, turns

TRAVEL = 0.25  # [m]
PITCH = 0.04  # [m] of belt a turn of the motor
POLES = 12


def sound(run: Operation) -> Sound:
    """Sound of a slider at ``vel`` [mm/s] with ramps of ``ac`` (share of a stroke)."""
    metres = run.number("vel") / 1000
    rate = metres / TRAVEL / (1 + run.number("ac"))
    strokes = turns(run.rng, run.frames, rate)
    velocity = np.minimum(1, (0.5 - np.abs(strokes % 1 - 0.5)) / run.number("ac"))
    motor = harmonics(run.rng, POLES * np.cumsum(velocity) * metres / PITCH / RATE, [0.4, 0.3, 0.3, 0.15, 0.1])
    friction = velocity * band_noise(run.rng, run.frames, 300, 5000, -2)
    ends = strikes(crossings(strokes, run.rng, 0.005), 1.0, run.frames)
    stops = ring(ends, 350, 0.02) + 0.5 * ring(ends, 1100, 0.01)
    healthy = motor * np.sqrt(velocity) + 0.7 * friction + 1.5 * stops
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), rate, POLES * metres / PITCH)
    return Sound(healthy, run.severity * FAULTS[run.fault](run, strokes, velocity), rate, rate)


def rail_pit(run: Operation, strokes: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Jolt at one place of every stroke."""
    place = run.fault_rng.uniform(0.3, 0.7)
    jolts = strikes(crossings(strokes + place, run.fault_rng, 0.005), 1.0, run.frames)
    return 7 * ring(jolts, 900, 0.012) + 7 * ring(jolts, 2600, 0.006)


def dry_rail(run: Operation, strokes: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Squeal: rough friction at high frequencies, proportional to the velocity."""
    return 0.5 * velocity * band_noise(run.fault_rng, run.frames, 1800, 6000)


def loose_belt(run: Operation, strokes: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """Flap: low noise in the middle of a stroke and slaps at its ends."""
    ends = strikes(crossings(strokes + 0.03, run.fault_rng, 0.01), 1.0, run.frames)
    return 0.8 * velocity**2 * band_noise(run.fault_rng, run.frames, 80, 500) + 3 * ring(ends, 500, 0.03)


FAULTS = {"rail_pit": rail_pit, "dry_rail": dry_rail, "loose_belt": loose_belt}

MACHINE = Machine(
    name="slider",
    seconds=4,
    source={"vel": ("350", "500", "700"), "ac": ("0.1", "0.3")},
    target={"vel": ("420", "850"), "ac": ("0.2",)},
    listed="hidden",
    supplement="noise",
    faults=tuple(FAULTS),
    sound=sound,
)
