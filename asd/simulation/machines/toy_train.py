"""A toy train on a track: motor hum, wheels that roll on rough rails, and the clack of axles over rail joints.

Rolling noise is broadband, excited by the roughness of wheel and rail in contact and faintly modulated by the wheel's
turn; every axle strikes every joint. A flat strikes once a turn of the wheel; a pit in a rail once a lap for each axle.

D. J. Thompson, "Railway noise and vibration", 2009 (rolling and impact noise).
"""

import numpy as np

from asd.simulation.acoustics import Body, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import (
    band_noise,
    bump,
    crossings,
    harmonics,
    impulses,
    mean_speed,
    swing,
    turns,
)

WHEEL = {"A1": 0.060, "A2": 0.060, "B1": 0.052, "B2": 0.056}  # [m] circumference, by car
AXLES = (0.0, 0.021, 0.062, 0.083)  # [m] behind the first one
RAIL, LAP = 0.17, 0.68  # [m] between joints, of the whole track
WORM = 14  # turns of the motor a turn of the wheel
METRES_PER_STEP = 0.07  # [m/s] of the attribute spd


def sound(run: Operation) -> Sound:
    """Sound of ``car`` at the step ``spd``, through ``mic``; ``noise`` names the surroundings."""
    way = turns(run.rng, run.frames, METRES_PER_STEP * run.number("spd"), 0.01)  # [m], read as turns of one metre
    metres, wheel = mean_speed(way), way / WHEEL[run.attributes["car"]]
    car, track = run.body(run.named("car"), 500, 6500, modes=8), run.body("track", 300, 3500)
    hum = harmonics(run.rng, WORM * wheel, [0.35, 0.3, 0.2, 0.2, 0.15, 0.1, 0.1])
    rolling = ring(band_noise(run.rng, run.frames, 200, 7000, -2) * swing(wheel, 0.15), car)
    joints = _axles(way / RAIL + run.rng.uniform(), RAIL, run.rng, 0.004)
    clack = ring(impulses(joints, 5 * run.rng.uniform(0.6, 1.4, len(joints)), run.frames), track)
    healthy = hum + 0.8 * rolling + clack
    fault = FAULTS[run.fault].sound(run, way, wheel, track) if run.fault else np.zeros_like(healthy)
    turning = metres / WHEEL[run.attributes["car"]]
    frequencies = {"wheel": turning, "motor": WORM * turning, "joint": metres / RAIL, "lap": metres / LAP}
    return Sound(healthy, fault, frequencies)


def _axles(positions: np.ndarray, length: float, rng: np.random.Generator, jitter: float) -> np.ndarray:
    """Compute the times at which any axle passes one of the positions that repeat along the track."""
    return np.sort(np.concatenate([crossings(positions - axle / length, rng, jitter=jitter) for axle in AXLES]))


def flat_wheel(run: Operation, way: np.ndarray, wheel: np.ndarray, track: Body) -> np.ndarray:
    """Strike the rail once a turn of the wheel."""
    times = crossings(wheel + run.fault_rng.uniform(), run.fault_rng, jitter=0.005)
    force = 15 * run.fault_rng.uniform(0.7, 1.3, len(times))
    return ring(impulses(times, force, run.frames), track)


def rail_pit(run: Operation, way: np.ndarray, wheel: np.ndarray, track: Body) -> np.ndarray:
    """Strike a pit with every axle once a lap."""
    times = _axles(way / LAP + run.fault_rng.uniform(), LAP, run.fault_rng, 0.001)
    force = 28 * run.fault_rng.uniform(0.8, 1.2, len(times))
    return ring(impulses(times, force, run.frames), track)


def worn_brush(run: Operation, way: np.ndarray, wheel: np.ndarray, track: Body) -> np.ndarray:
    """Spark in time with the motor."""
    return 0.8 * band_noise(run.fault_rng, run.frames, 1200, 7200, -2) * bump(WORM * wheel, 0.15)


def axle_squeal(run: Operation, way: np.ndarray, wheel: np.ndarray, track: Body) -> np.ndarray:
    """Squeal: a dry axle adds a tone that is nearly steady."""
    pitch = turns(run.fault_rng, run.frames, 1900 * run.fault_rng.uniform(0.9, 1.1), 0.004)
    return harmonics(run.fault_rng, pitch, [1.0, 0.4, 0.2]) * swing(wheel, 0.3)


def dirty_track(run: Operation, way: np.ndarray, wheel: np.ndarray, track: Body) -> np.ndarray:
    """Roll over dust: more rolling noise, and of the track rather than of the car."""
    return ring(band_noise(run.fault_rng, run.frames, 400, 5000, -1), track)


FAULTS = {
    "flat_wheel": Fault(flat_wheel, "transient", 0.53, "wheel"),
    "rail_pit": Fault(rail_pit, "transient", 0.52, "lap"),
    "worn_brush": Fault(worn_brush, "both", 1.2, "motor"),
    "axle_squeal": Fault(axle_squeal, "stationary", 0.48),
    "dirty_track": Fault(dirty_track, "stationary", 0.4),
}

MACHINE = Machine(
    name="ToyTrain",
    seconds=(5.5, 6.0, 6.5),
    source={"car": ("A1", "A2", "B1"), "spd": ("5", "7"), "mic": ("1",), "noise": ("1",)},
    target={"car": ("B2",), "spd": ("6", "9"), "mic": ("2",), "noise": ("2",)},
    listed="hidden",
    supplement="clean",
    faults=FAULTS,
    sound=sound,
)
