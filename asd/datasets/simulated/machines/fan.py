"""An axial fan: blade-pass tones over turbulent air, which the blades modulate."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import band_noise, harmonics, swing, turns

BLADES = 7


def sound(run: Operation) -> Sound:
    """Sound of a fan at ``rpm`` with blades of form ``m``; see :class:`Machine`."""
    hz = run.number("rpm") / 60
    shaft = turns(run.rng, run.frames, hz)
    form = run.trait(f"m {run.attributes['m']}").uniform(0.6, 1.4, 4)
    blades = harmonics(run.rng, BLADES * shaft, form * [0.5, 0.3, 0.2, 0.1])
    air = band_noise(run.rng, run.frames, 100, 4000, -3) * swing(BLADES * shaft, 0.3)
    healthy = blades + harmonics(run.rng, shaft, [0.1, 0.05]) + 0.7 * air
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), hz, BLADES * hz)
    added, order = FAULTS[run.fault](run, shaft, blades, air)
    return Sound(healthy, run.severity * added, hz, order * hz)


def imbalance(run: Operation, shaft: np.ndarray, blades: np.ndarray, air: np.ndarray) -> tuple[np.ndarray, int]:
    """Shake once a turn: shaft tones, and air that comes in gusts."""
    return harmonics(run.fault_rng, shaft, [0.6, 0.35, 0.2]) + 0.6 * air * (swing(shaft, 1) - 1), 1


def bent_blade(run: Operation, shaft: np.ndarray, blades: np.ndarray, air: np.ndarray) -> tuple[np.ndarray, int]:
    """Let one blade beat the air once a turn: shaft side bands of the blade-pass tones and tones between them."""
    between = harmonics(run.fault_rng, shaft, [0, 0, 0.2, 0.2, 0.3, 0.4, 0, 0.4, 0.3, 0.3, 0.2, 0.2])
    return 1.2 * blades * (swing(shaft, 1) - 1) + 1.2 * between, 1


def blocked(run: Operation, shaft: np.ndarray, blades: np.ndarray, air: np.ndarray) -> tuple[np.ndarray, int]:
    """Stall: rough noise at higher frequencies, and louder blades."""
    return 0.7 * band_noise(run.fault_rng, run.frames, 700, 5000, -3) + 0.4 * blades, BLADES


FAULTS = {"imbalance": imbalance, "bent_blade": bent_blade, "blocked": blocked}

MACHINE = Machine(
    name="fan",
    seconds=5,
    source={"m": ("A", "B"), "rpm": ("1200", "1450")},
    target={"m": ("C",), "rpm": ("1000", "1700")},
    listed="paths",
    supplement="noise",
    faults=tuple(FAULTS),
    sound=sound,
)
