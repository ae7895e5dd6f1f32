"""A linear slider: a motor drives a carriage to and fro by a toothed belt.

Everything follows a trapezoidal velocity: motor and belt mesh sweep up and down, the carriage's friction grows with
the velocity, the reversals jolt. A pit in the rail is passed twice in every cycle at one position; a slipping belt
lets the motor run away while the carriage accelerates.

A. Akay, "Acoustics of friction", J. Acoust. Soc. Am. 111, 2002 (friction); H. Ohta, "Sound of linear guideway type
recirculating linear ball bearings", J. Tribol. 121, 1999 (balls that enter the loaded zone).
"""

from typing import NamedTuple

import numpy as np

from asd.simulation.acoustics import Body, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import RATE, band_noise, bump, crossings, harmonics, impulses, mean_speed, turns

TRAVEL = 0.25  # [m]
PULLEY = 0.04  # [m] of belt a turn of the motor
TEETH = 20  # of the pulley
BALL = 0.0125  # [m] between the balls that circulate in the carriage


class Motion(NamedTuple):
    """Motion of the carriage over a clip."""

    strokes: np.ndarray  # so far, one way each
    velocity: np.ndarray  # fraction of the largest
    position: np.ndarray  # ways so far, of one travel each
    ramp: float  # fraction of a stroke in which it accelerates


def sound(run: Operation) -> Sound:
    """Sound at ``vel`` [mm/s] with ramps ``ac`` (fraction of a stroke)."""
    metres, ramp = run.number("vel") / 1000, run.number("ac")
    strokes = turns(run.rng, run.frames, metres * (1 - ramp) / TRAVEL, 0.006)
    within = strokes % 1
    velocity = np.minimum(1, (0.5 - np.abs(within - 0.5)) / ramp)
    advance = np.cumsum(velocity) / RATE * metres / TRAVEL
    motion = Motion(strokes, velocity.astype(np.float32), advance, ramp)
    frame = run.body("frame", 300, 5000, modes=8)
    motor = harmonics(run.rng, advance * TRAVEL / PULLEY * TEETH, [0.5, 0.35, 0.2, 0.15, 0.1])
    friction = ring(motion.velocity**1.5 * band_noise(run.rng, run.frames, 250, 7000, -2), frame)
    ends = crossings(strokes, run.rng, jitter=0.003)
    jolts = ring(impulses(ends, 16 * metres / ramp**0.5 * run.rng.uniform(0.8, 1.2, len(ends)), run.frames), frame)
    idle = band_noise(run.rng, run.frames, 100, 4000, -4)
    healthy = motor * np.sqrt(motion.velocity) + 0.8 * friction + jolts + 0.3 * idle
    fault = FAULTS[run.fault].sound(run, motion, frame) if run.fault else np.zeros_like(healthy)
    stroke = mean_speed(strokes)
    return Sound(
        healthy,
        fault,
        {"stroke": stroke, "cycle": stroke / 2, "ball": metres / BALL, "belt_mesh": metres / PULLEY * TEETH},
    )


def rail_pit(run: Operation, motion: Motion, frame: Body) -> np.ndarray:
    """Jolt at one position of the rail, on the way to and on the way back: two wheels, one after the other."""
    position, metres = run.fault_rng.uniform(0.25, 0.75), run.number("vel") / 1000
    there = np.sort(np.concatenate([_passes(motion, position), _passes(motion, position + 0.08)]))
    force = 46 * metres**0.5 * run.fault_rng.uniform(0.8, 1.2, len(there))
    return ring(impulses(there, force, run.frames), frame)


def _passes(motion: Motion, position: float) -> np.ndarray:
    """Find when the carriage is at a position, on the way to (even strokes) and back (odd ones)."""
    odd = np.floor(motion.strokes).astype(int) % 2
    moved = _covered(motion.strokes % 1, motion.ramp)
    at = np.where(odd, 1 - moved, moved) > position
    return (np.flatnonzero(np.diff(at)) + 0.5) / RATE


def _covered(within: np.ndarray, ramp: float) -> np.ndarray:
    """Integrate the trapezoid: fraction of the travel after a fraction of the stroke's time."""
    near = np.minimum(within, 1 - within)
    way = np.where(near < ramp, near**2 / (2 * ramp), near - ramp / 2) / (1 - ramp)
    return np.where(within < 0.5, way, 1 - way)


def belt_slip(run: Operation, motion: Motion, frame: Body) -> np.ndarray:
    """Squeal and skip teeth while the carriage is accelerated."""
    pull = bump(motion.strokes - motion.ramp / 2, motion.ramp / 2)
    rough = band_noise(run.fault_rng, run.frames, 900, 4500) * pull
    squeal = harmonics(run.fault_rng, turns(run.fault_rng, run.frames, 740 * run.number("vel") / 500, 0.03), [0.5, 0.3])
    return 1.4 * rough + 0.9 * squeal * pull


def dry_carriage(run: Operation, motion: Motion, frame: Body) -> np.ndarray:
    """Rub whenever a ball enters the loaded zone without grease."""
    flutter = bump(motion.position * TRAVEL / BALL + run.fault_rng.uniform(), 0.15)
    return 2.8 * ring(motion.velocity * flutter * band_noise(run.fault_rng, run.frames, 400, 6000, -3), frame)


def worn_pulley(run: Operation, motion: Motion, frame: Body) -> np.ndarray:
    """Mesh badly: the higher harmonics of the belt's teeth grow."""
    teeth = harmonics(run.fault_rng, motion.position * TRAVEL / PULLEY * TEETH, [0.2, 0.5, 0.8, 0.8, 0.6, 0.4])
    return teeth * np.sqrt(motion.velocity)


def dry_rail(run: Operation, motion: Motion, frame: Body) -> np.ndarray:
    """Rub without grease, in time with the velocity as all friction here."""
    return ring(motion.velocity**1.5 * band_noise(run.fault_rng, run.frames, 1200, 7000, -1), frame)


FAULTS = {
    "rail_pit": Fault(rail_pit, "transient", 0.79, "cycle"),
    "belt_slip": Fault(belt_slip, "both", 0.4, "stroke"),
    "dry_carriage": Fault(dry_carriage, "transient", 0.68, "ball"),
    "worn_pulley": Fault(worn_pulley, "stationary", 0.67, "belt_mesh"),
    "dry_rail": Fault(dry_rail, "stationary", 1.3),
}

MACHINE = Machine(
    name="slider",
    seconds=(4.0, 4.5),
    source={"vel": ("350", "500", "700"), "ac": ("0.1", "0.3")},
    target={"vel": ("420", "850"), "ac": ("0.2",)},
    listed="hidden",
    supplement="noise",
    faults=FAULTS,
    sound=sound,
)
