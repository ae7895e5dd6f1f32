"""An axial fan: blade-pass tones over turbulent air that the blades modulate.

Tones at multiples of blades x speed from blade forces, weak shaft orders between them because no two blades are equal;
broadband noise of turbulent boundary layers and inflow with a hump that moves with the tip speed; hum of an induction
motor at twice the mains frequency. A blocked inlet brings rotating stall, broadband noise in cells that travel at
about half the speed.

W. Neise, "Review of fan noise generation mechanisms and control methods", Proc. Fan Noise Symposium, 1992.
"""

import numpy as np

from asd.core.kinematics import blade_pass
from asd.simulation.acoustics import Body, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import RATE, band_noise, bump, harmonics, hunt, mean_speed, swing, turns

BLADES = {"A": 7, "B": 5, "C": 6}  # by model
STALL = 0.45  # speed of a stall cell over that of the shaft
NOMINAL = 20.0  # [Hz]


def sound(run: Operation) -> Sound:
    """Sound of model ``m`` at ``rpm``; ``noise`` names the surroundings."""
    shaft, blades = turns(run.rng, run.frames, run.number("rpm") / 60), BLADES[run.attributes["m"]]
    hz = mean_speed(shaft)
    casing = run.body(run.named("m"), 250, 4500)
    unequal = run.copy(f"blades {run.named('m')}").uniform(0.01, 0.05, 3 * blades)
    tones = harmonics(run.rng, blades * shaft, [0.4, 0.25, 0.15, 0.1, 0.06, 0.04]) + harmonics(run.rng, shaft, unequal)
    hump = 600 * hz / NOMINAL
    air = band_noise(run.rng, run.frames, hump / 4, 6000, -4) * swing(blades * shaft, 0.25)
    shell = ring(band_noise(run.rng, run.frames, 200, 5000, -2) * swing(shaft, 0.1), casing)
    mains = harmonics(run.rng, 100 * np.arange(run.frames) / RATE, [0.15, 0.08, 0.05])
    healthy = tones + 0.7 * air + 0.3 * shell + mains
    fault = FAULTS[run.fault].sound(run, shaft, tones, casing) if run.fault else np.zeros_like(healthy)
    return Sound(healthy, fault, {"shaft": hz, "blade_pass": blade_pass(blades, hz), "stall": STALL * hz})


def imbalance(run: Operation, shaft: np.ndarray, tones: np.ndarray, casing: Body) -> np.ndarray:
    """Shake the casing once a turn, as the square of the speed: low orders, and a rattle when the force is largest."""
    force = (run.number("rpm") / 60 / NOMINAL) ** 2
    rattle = band_noise(run.fault_rng, run.frames, 300, 6000) * bump(shaft + run.fault_rng.uniform(), 0.15)
    return force * (harmonics(run.fault_rng, shaft, [0.5, 0.3, 0.2]) + 0.7 * ring(rattle, casing))


def bent_blade(run: Operation, shaft: np.ndarray, tones: np.ndarray, casing: Body) -> np.ndarray:
    """Let one blade beat the air by itself: a pulse and a rough wake once a turn, orders between the blade tones."""
    blades = BLADES[run.attributes["m"]]
    orders = np.arange(1, 4 * blades + 1)
    pulse = harmonics(run.fault_rng, shaft, 0.15 * np.exp(-(((orders - 1.5 * blades) / (1.2 * blades)) ** 2)))
    wake = band_noise(run.fault_rng, run.frames, 700, 5000, -2) * bump(shaft + run.fault_rng.uniform(), 0.4 / blades)
    return 1.5 * pulse + 2.3 * wake


def blocked_inlet(run: Operation, shaft: np.ndarray, tones: np.ndarray, casing: Body) -> np.ndarray:
    """Stall: rough air in cells that travel round, and inflow that loads the blades unevenly."""
    cells = turns(run.fault_rng, run.frames, STALL * run.number("rpm") / 60, 0.01)
    rough = band_noise(run.fault_rng, run.frames, 250, 3500, -3) * bump(cells, 0.3)
    return 1.2 * rough + harmonics(run.fault_rng, BLADES[run.attributes["m"]] * shaft, [0.0, 0.15, 0.15, 0.12, 0.08])


def slit(run: Operation, shaft: np.ndarray, tones: np.ndarray, casing: Body) -> np.ndarray:
    """Whistle: air that leaves by a slit adds a narrow band of noise, higher the faster the fan."""
    hz = run.copy("slit").uniform(1300, 2200) * run.number("rpm") / 60 / NOMINAL
    return ring(band_noise(run.fault_rng, run.frames, 500, 5000), Body((hz,), (0.012,), (1.0,)))


def hunting(run: Operation, shaft: np.ndarray, tones: np.ndarray, casing: Body) -> np.ndarray:
    """Let the speed rise and fall: the tones broaden, the more the severer, and stay as loud as they are."""
    return (hunt(run.fault_rng, tones, 0.7, 0.06 * run.severity) - tones) / run.severity


FAULTS = {
    "imbalance": Fault(imbalance, "both", 0.74, "shaft"),
    "bent_blade": Fault(bent_blade, "transient", 0.62, "shaft"),
    "blocked_inlet": Fault(blocked_inlet, "both", 0.78, "stall"),
    "slit": Fault(slit, "stationary", 0.13),
    "hunting": Fault(hunting, "stationary", 1.0),
}

MACHINE = Machine(
    name="fan",
    seconds=(5.0,),
    source={"m": ("A", "B"), "rpm": ("1200", "1450"), "noise": ("1",)},
    target={"m": ("C",), "rpm": ("1000", "1700"), "noise": ("2",)},
    listed="paths",
    supplement="noise",
    faults=FAULTS,
    sound=sound,
)
