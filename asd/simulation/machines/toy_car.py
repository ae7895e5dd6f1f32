"""A toy car on a roller stand: a brushed motor, its commutation, plastic gears and an axle.

A permanent-magnet motor turns as fast as its voltage allows; each pass of a brush over a commutator bar switches a
current, which sounds at 2 x bars x speed for an odd number of bars; brushes rub; two plastic gears mesh with large
errors. A worn brush sparks: broadband bursts in time with the commutation, more of them at some bars.

A. Hughes and B. Drury, "Electric motors and drives", 2013 (speed and commutation of brushed motors); N. Harada et al.,
"ToyADMOS2", DCASE Workshop 2021 (the toy, its attributes and faults).
"""

import numpy as np

from asd.core.kinematics import mesh
from asd.simulation.acoustics import Body, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import (
    band_noise,
    bump,
    crossings,
    harmonics,
    hunt,
    impulses,
    mean_speed,
    swing,
    turns,
)

COMMUTATIONS = 6  # a turn: twice three bars
PINION, WHEEL = 9, 38  # teeth
HZ_PER_VOLT = 1.6


def sound(run: Operation) -> Sound:
    """Sound of ``car`` at the voltage ``spd``, through ``mic``; ``noise`` names the surroundings."""
    motor = turns(run.rng, run.frames, HZ_PER_VOLT * run.number("spd"), 0.008)
    hz, axle = mean_speed(motor), PINION / WHEEL * motor
    chassis = run.body(run.named("car"), 400, 6000, modes=8)
    bars = run.copy(f"bars {run.named('car')}").uniform(0.02, 0.08, 18)
    brushes = harmonics(run.rng, COMMUTATIONS * motor, [0.35, 0.3, 0.2, 0.15, 0.1, 0.1]) + harmonics(
        run.rng, motor, bars
    )
    gears = harmonics(run.rng, PINION * motor, [0.4, 0.3, 0.2, 0.15, 0.1]) * swing(axle, 0.3) * swing(motor, 0.15)
    rub = band_noise(run.rng, run.frames, 300, 7000, -1) * swing(COMMUTATIONS * motor, 0.3) * swing(axle, 0.15)
    healthy = 0.5 * (brushes + gears) + ring(0.8 * rub + 0.6 * gears, chassis)
    fault = FAULTS[run.fault].sound(run, motor, gears, chassis) if run.fault else np.zeros_like(healthy)
    frequencies = {
        "shaft": hz,
        "axle": PINION / WHEEL * hz,
        "commutation": COMMUTATIONS * hz,
        "mesh": mesh(PINION, hz),
    }
    return Sound(healthy, fault, frequencies)


def worn_brush(run: Operation, motor: np.ndarray, gears: np.ndarray, chassis: Body) -> np.ndarray:
    """Spark in time with the commutation, most at one bar."""
    bursts = bump(COMMUTATIONS * motor, 0.12) * swing(motor + run.fault_rng.uniform(), 0.7)
    return 0.75 * band_noise(run.fault_rng, run.frames, 700, 6500, -5) * bursts


def bent_axle(run: Operation, motor: np.ndarray, gears: np.ndarray, chassis: Body) -> np.ndarray:
    """Press the gears together and rub once a turn of the axle."""
    axle = PINION / WHEEL * motor + run.fault_rng.uniform()
    rub = band_noise(run.fault_rng, run.frames, 500, 6500, -1) * bump(axle, 0.2)
    return 0.9 * gears * (swing(axle, 1) - 1) + 1.6 * ring(rub, chassis)


def chipped_tooth(run: Operation, motor: np.ndarray, gears: np.ndarray, chassis: Body) -> np.ndarray:
    """Knock once a turn of the driven wheel, where the mesh is lost for a moment."""
    axle = PINION / WHEEL * motor + run.fault_rng.uniform()
    times = crossings(axle, run.fault_rng, jitter=0.003)
    force = 26 * run.fault_rng.uniform(0.7, 1.3, len(times))
    return ring(impulses(times, force, run.frames), chassis) - 0.35 * gears * bump(axle, 2 / WHEEL)


def dry_gears(run: Operation, motor: np.ndarray, gears: np.ndarray, chassis: Body) -> np.ndarray:
    """Rub without grease: steady friction noise through the chassis."""
    return ring(band_noise(run.fault_rng, run.frames, 1200, 6500, -1), chassis)


def uneven_supply(run: Operation, motor: np.ndarray, gears: np.ndarray, chassis: Body) -> np.ndarray:
    """Let the motor hunt: the tones of the gears broaden, the more the severer, and stay as loud as they are."""
    tones = 0.5 * gears + ring(0.6 * gears, chassis)  # as they sound
    return (hunt(run.fault_rng, tones, 1.2, 0.06 * run.severity) - tones) / run.severity


FAULTS = {
    "worn_brush": Fault(worn_brush, "both", 2, "commutation"),
    "bent_axle": Fault(bent_axle, "transient", 0.4, "axle"),
    "chipped_tooth": Fault(chipped_tooth, "transient", 0.53, "axle"),
    "dry_gears": Fault(dry_gears, "stationary", 1.3),
    "uneven_supply": Fault(uneven_supply, "stationary", 1.0),
}

MACHINE = Machine(
    name="ToyCar",
    seconds=(6.0,),
    source={"car": ("A1", "A2"), "spd": ("28V", "31V"), "mic": ("1",), "noise": ("1",)},
    target={"car": ("B1",), "spd": ("34V", "25V"), "mic": ("2",), "noise": ("2",)},
    listed="stems",
    supplement="clean",
    faults=FAULTS,
    sound=sound,
)
