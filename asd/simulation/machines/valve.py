"""A solenoid valve that opens and closes by a pattern: the armature's impacts, the coil's hum, the hiss of the flow.

At each opening and each closing the armature strikes a stop and the body rings, with a small rebound; in between the
flow hisses and the coil hums at twice the mains frequency. A sticking valve opens late, with a scrape and a second
stroke; a leaking one splutters while it is closed; a worn spring lets the armature bounce.

E. J. Richards, M. E. Westcott and R. K. Jeyapalan, "On the prediction of impact noise, II: ringing noise", J. Sound
Vib. 65, 1979; IEC 60534-8-3 (noise of the flow).
"""

from typing import NamedTuple

import numpy as np

from asd.simulation.acoustics import Body, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import RATE, band_noise, bump, crossings, harmonics, impulses, mean_speed, turns

# pattern: openings a second, fraction of the time open
PATTERNS = {"00": (1.6, 0.30), "01": (2.2, 0.45), "02": (2.9, 0.25), "10": (1.9, 0.60), "11": (3.4, 0.40)}
FORCE = 28.0  # of an opening
REBOUND = 0.012  # [s]
SPLUTTER = 9.0  # [Hz] of a leak, about


class Strokes(NamedTuple):
    """When the valve moves, and how far it is open."""

    cycles: np.ndarray
    opening: np.ndarray  # [s]
    closing: np.ndarray  # [s]
    gate: np.ndarray


def sound(run: Operation) -> Sound:
    """Sound of a valve that opens by the pattern ``pat`` at the pressure ``pres`` [bar]."""
    rate, opened = PATTERNS[run.attributes["pat"]]
    cycles = turns(run.rng, run.frames, rate, 0.01)
    gate = 1 / (1 + np.exp(-(opened / 2 - np.abs(cycles % 1 - opened / 2)) * 200))
    strokes = Strokes(
        cycles,
        crossings(cycles, run.rng, jitter=0.005),
        crossings(cycles - opened, run.rng, jitter=0.005),
        gate.astype(np.float32),
    )
    body = run.body("armature", 900, 6500)
    clicks = _strike(run.rng, strokes.opening, FORCE, run.frames) + _strike(
        run.rng, strokes.closing, 0.7 * FORCE, run.frames
    )
    flow = strokes.gate * band_noise(run.rng, run.frames, 800, 7200, -1) * np.float32(run.number("pres") ** 0.5)
    coil = strokes.gate * harmonics(run.rng, 100 * np.arange(run.frames) / RATE, [0.2, 0.1, 0.1, 0.05])
    healthy = ring(clicks, body) + 0.4 * flow + coil + 0.3 * band_noise(run.rng, run.frames, 100, 5000, -3)
    fault = FAULTS[run.fault].sound(run, strokes, flow, body) if run.fault else np.zeros_like(healthy)
    return Sound(healthy, fault, {"cycle": mean_speed(cycles)})


def _strike(rng: np.random.Generator, times: np.ndarray, force: float, frames: int) -> np.ndarray:
    """Strike a stop and rebound once."""
    forces = force * rng.uniform(0.75, 1.25, len(times))
    return impulses(times, forces, frames) + impulses(times + REBOUND, 0.2 * forces, frames)


def sticking(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Scrape, and strike a second time later."""
    late = run.fault_rng.uniform(0.03, 0.06, len(strokes.opening))
    knock = _strike(run.fault_rng, strokes.opening + late, 1.2 * FORCE, run.frames)
    scrape = band_noise(run.fault_rng, run.frames, 500, 4500) * bump(strokes.cycles - 0.04, 0.04)
    return ring(knock, body) + 2.4 * ring(scrape, body)


def leak(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Let the fluid splutter through a narrow gap while closed."""
    bursts = bump(turns(run.fault_rng, run.frames, SPLUTTER, 0.4), 0.12)
    return 1.5 * (1 - strokes.gate) * bursts * band_noise(run.fault_rng, run.frames, 500, 5500, -3)


def worn_spring(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Bounce several times after closing, each time less and sooner."""
    bounces = np.cumsum([0.022, 0.018, 0.014, 0.011])
    times = strokes.closing[:, None] + bounces * run.fault_rng.uniform(0.9, 1.1, (len(strokes.closing), 1))
    forces = 1.1 * FORCE * np.array([1, 0.8, 0.6, 0.5]) * run.fault_rng.uniform(0.8, 1.2, times.shape)
    return ring(impulses(times.ravel(), forces.ravel(), run.frames), body)


def loose_coil(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Hum louder and sharper while the coil is on: loose sheets rattle at twice the mains frequency."""
    orders = np.arange(1, 26)
    return strokes.gate * harmonics(run.fault_rng, 100 * np.arange(run.frames) / RATE, 0.3 / np.sqrt(orders))


def clogged(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Pass less: the flow's hiss gets weaker and darker."""
    return strokes.gate * band_noise(run.fault_rng, run.frames, 300, 2500, -3) - 0.5 * flow


def worn_seat(run: Operation, strokes: Strokes, flow: np.ndarray, body: Body) -> np.ndarray:
    """Hiss all the time: the seat does not close tightly."""
    return band_noise(run.fault_rng, run.frames, 2000, 7200)


FAULTS = {
    "sticking": Fault(sticking, "transient", 0.32, "cycle"),
    "leak": Fault(leak, "transient", 0.59, "cycle"),
    "worn_spring": Fault(worn_spring, "transient", 0.26, "cycle"),
    "loose_coil": Fault(loose_coil, "stationary", 1.7),
    "clogged": Fault(clogged, "stationary", 0.38),
    "worn_seat": Fault(worn_seat, "stationary", 0.28),
}

MACHINE = Machine(
    name="valve",
    seconds=(4.0,),
    source={"pat": ("00", "01", "02"), "pres": ("2",)},
    target={"pat": ("10", "11"), "pres": ("3",)},
    listed="paths",
    supplement="noise",
    faults=FAULTS,
    sound=sound,
)
