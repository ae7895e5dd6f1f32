"""A solenoid valve: opens and closes by a pattern, with clicks of the armature and the hiss of the air between."""

import numpy as np

from asd.datasets.simulated.machine import Machine, Operation, Sound
from asd.datasets.simulated.signals import RATE, band_noise, crossings, response, ring, strikes, turns

# pattern: openings a second, share of the time open
PATTERNS = {"00": (1.6, 0.30), "01": (2.2, 0.45), "02": (2.9, 0.25), "10": (1.9, 0.60), "11": (3.4, 0.40)}


def sound(run: Operation) -> Sound:
    """Sound of a valve that opens by the pattern ``pat``; the severity of its faults is not always an amplitude."""
    hz, share = PATTERNS[run.attributes["pat"]]
    cycles = turns(run.rng, run.frames, hz, 0.01)
    opening = crossings(cycles, run.rng, 0.01)
    closing = crossings(cycles - share, run.rng, 0.01)
    opened = _clicks(run, run.rng, opening, 1.0)
    closed = _clicks(run, run.rng, closing, 0.7)
    flow = _gate(cycles, share) * band_noise(run.rng, run.frames, 900, 6000, -1)
    healthy = 5 * (opened + closed) + 0.35 * flow + 0.1 * band_noise(run.rng, run.frames, 100, 2000, -3)
    if not run.fault:
        return Sound(healthy, np.zeros(run.frames), hz, hz)
    return Sound(healthy, FAULTS[run.fault](run, cycles, opening, flow), hz, hz)


def _clicks(run: Operation, rng: np.random.Generator, times: np.ndarray, strength: float) -> np.ndarray:
    impulses = strikes(times, strength * rng.uniform(0.7, 1.3, len(times)), run.frames)
    pitch = 1 + 0.05 * response(run.trait("armature"), 1)[:2]
    return ring(impulses, 1700 * pitch[0], 0.006) + 0.7 * ring(impulses, 3900 * pitch[1], 0.003)


def _gate(cycles: np.ndarray, share: float) -> np.ndarray:
    """Open and shut smoothly, within some milliseconds."""
    return 1 / (1 + np.exp(-(share / 2 - np.abs(cycles % 1 - share / 2)) * 200))


def sticking(run: Operation, cycles: np.ndarray, opening: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Scrape before it opens, and knock a second time."""
    late = _clicks(run, run.fault_rng, opening + run.fault_rng.uniform(0.03, 0.06, len(opening)), 1.0)
    scrape = _gate(cycles + 0.1, 0.12) * band_noise(run.fault_rng, run.frames, 400, 2500)
    return run.severity * (5 * late + 1.2 * scrape)


def leak(run: Operation, cycles: np.ndarray, opening: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Let air through all the time."""
    return 0.15 * run.severity * band_noise(run.fault_rng, run.frames, 1500, 6500)


def skipped(run: Operation, cycles: np.ndarray, opening: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Fail to open in so many of the strokes: less air, and a rattle instead."""
    strokes = int(cycles[-1])
    missed = np.zeros(strokes + 2, dtype=bool)
    missed[1 : strokes + 1] = run.fault_rng.permutation(strokes) < run.severity * strokes
    stroke = np.round(np.interp(opening, np.arange(run.frames) / RATE, cycles)).astype(int)
    rattle = opening[missed[stroke], None] + 0.02 * np.arange(1, 5)
    return 4 * _clicks(run, run.fault_rng, rattle.ravel(), 0.5) - 0.3 * missed[np.floor(cycles).astype(int)] * flow


FAULTS = {"sticking": sticking, "leak": leak, "skipped": skipped}

MACHINE = Machine(
    name="valve",
    seconds=4,
    source={"pat": ("00", "01", "02")},
    target={"pat": ("10", "11")},
    listed="paths",
    supplement="noise",
    faults=tuple(FAULTS),
    sound=sound,
)
