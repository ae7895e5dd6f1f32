"""A single-stage spur gearbox driven by a motor, loaded by a weight.

Tones at multiples of the mesh frequency, louder under load, with side bands at the speeds of both shafts because no
gear is perfect; rattle that the meshing modulates; motor and bearings as broadband noise. A chipped tooth: once a turn
of the pinion a knock, and a mesh that is weaker for the length of a tooth.

P. D. McFadden, "Detecting fatigue cracks in gears by amplitude and phase demodulation of the meshing vibration",
J. Vib. Acoust. 108, 1986; R. B. Randall, "A new method of modeling gear faults", J. Mech. Des. 104, 1982.
"""

import numpy as np

from asd.core.kinematics import mesh
from asd.simulation.acoustics import Body, filtered, ring
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

PINION, WHEEL = 23, 41  # teeth
WEAR = np.array([-30.0] * 7 + [-6.0, 0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0])  # [dB] a half octave, from 50 Hz on
HZ_PER_VOLT, SAG = 2.2, 0.08  # speed of the unloaded motor; relative loss of speed per 100 g


def sound(run: Operation) -> Sound:
    """Sound at ``volt`` [V] with the weight ``wt`` [g]."""
    load = run.number("wt") / 100
    shaft = turns(run.rng, run.frames, HZ_PER_VOLT * run.number("volt") * (1 - SAG * load))
    hz, wheel = mean_speed(shaft), PINION / WHEEL * shaft
    housing = run.body("housing", 500, 5500, modes=8)
    errors = run.copy("errors").uniform(0.05, 0.2, 2)
    force = harmonics(run.rng, PINION * shaft, [1, 0.7, 0.5, 0.35, 0.25, 0.2, 0.15, 0.1, 0.1, 0.1])
    teeth = force * swing(shaft, errors[0]) * swing(wheel, errors[1]) * np.float32(0.5 + 0.5 * load)
    rattle = band_noise(run.rng, run.frames, 300, 7000, -1) * swing(PINION * shaft, 0.3) * swing(shaft, 0.1)
    motor = band_noise(run.rng, run.frames, 100, 6000, -4) + harmonics(run.rng, 10 * shaft, [0.2, 0.15, 0.1])
    healthy = 0.45 * teeth + 0.5 * ring(rattle + 0.5 * teeth, housing) + 0.5 * motor
    fault = FAULTS[run.fault].sound(run, shaft, teeth, housing) if run.fault else np.zeros_like(healthy)
    return Sound(healthy, fault, {"shaft": hz, "wheel": PINION / WHEEL * hz, "mesh": mesh(PINION, hz)})


def chipped_tooth(run: Operation, shaft: np.ndarray, teeth: np.ndarray, housing: Body) -> np.ndarray:
    """Knock once a turn of the pinion, and mesh more weakly there."""
    turned = shaft + run.fault_rng.uniform()
    times = crossings(turned, run.fault_rng, jitter=0.002)
    force = 14 * run.number("volt") / 8 * run.fault_rng.uniform(0.8, 1.2, len(times))
    return ring(impulses(times, force, run.frames), housing) - 0.35 * teeth * bump(turned, 1.5 / PINION)


def worn_teeth(run: Operation, shaft: np.ndarray, teeth: np.ndarray, housing: Body) -> np.ndarray:
    """Slide instead of roll: higher harmonics of the mesh, and friction in time with it."""
    friction = band_noise(run.fault_rng, run.frames, 800, 6500, -2) * bump(PINION * shaft, 0.2)
    return 0.5 * filtered(teeth, WEAR) * swing(shaft, 0.5) + 0.8 * ring(friction, housing)


def eccentric_wheel(run: Operation, shaft: np.ndarray, teeth: np.ndarray, housing: Body) -> np.ndarray:
    """Press the teeth together once a turn of the wheel: side bands, and rattle where they are loose."""
    turned = PINION / WHEEL * shaft + run.fault_rng.uniform()
    loose = band_noise(run.fault_rng, run.frames, 400, 6000, -1) * bump(turned + 0.5, 0.25)
    return 0.85 * teeth * (swing(turned, 1) - 1) + 0.7 * ring(loose, housing)


def low_oil(run: Operation, shaft: np.ndarray, teeth: np.ndarray, housing: Body) -> np.ndarray:
    """Slide without a film: steady friction noise of the housing."""
    return ring(band_noise(run.fault_rng, run.frames, 1200, 7000, -1), housing)


def misaligned_shafts(run: Operation, shaft: np.ndarray, teeth: np.ndarray, housing: Body) -> np.ndarray:
    """Bear at the teeth's edges: the second and third harmonic of the mesh grow."""
    return harmonics(run.fault_rng, PINION * shaft, [0.0, 0.9, 0.7, 0.4, 0.2])


FAULTS = {
    "chipped_tooth": Fault(chipped_tooth, "transient", 0.72, "shaft"),
    "eccentric_wheel": Fault(eccentric_wheel, "transient", 0.33, "wheel"),
    "worn_teeth": Fault(worn_teeth, "both", 0.44, "mesh"),
    "low_oil": Fault(low_oil, "stationary", 0.66),
    "misaligned_shafts": Fault(misaligned_shafts, "stationary", 0.4, "mesh"),
}

MACHINE = Machine(
    name="gearbox",
    seconds=(4.5,),
    source={"volt": ("6", "8"), "wt": ("50", "100")},
    target={"volt": ("7", "10"), "wt": ("0",)},
    listed="paths",
    supplement="clean",
    faults=FAULTS,
    sound=sound,
)
