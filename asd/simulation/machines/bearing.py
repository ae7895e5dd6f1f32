"""A test rig of a ball bearing: a motor turns a loaded shaft, and the pedestal of the bearing sounds.

Healthy: balls roll over rough races, broadband noise that the load modulates with the shaft, and no defect line.
A spall: impacts whose intervals vary independently by slip, so that their phase walks at random; of one shape at all
speeds; unmodulated on the outer race, by the shaft on the inner race (it passes the load zone once a turn), by the
cage on a rolling element (which hits the races at twice its spin).

R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech. Syst. Signal Process. 25, 2011.
J. Antoni and R. B. Randall, "A stochastic model for simulation and diagnostics of rolling element bearings with
localized faults", J. Vib. Acoust. 125, 2003. Geometry: SKF 6205.
"""

import numpy as np

from asd.core.kinematics import Bearing, bearing_frequencies, bearing_orders
from asd.simulation.acoustics import Body, filtered, ring
from asd.simulation.machine import Fault, Machine, Operation, Sound
from asd.simulation.signals import at, band_noise, crossings, harmonics, impulses, mean_speed, swing, turns

GEOMETRY = Bearing(elements=9, diameter=7.94, pitch=39.04)
ORDERS = bearing_orders(GEOMETRY)
SLIP = 0.015
NOMINAL = 10.0  # [Hz] of the shaft
FILM = 2.0  # [dB] by which the rolling noise varies with the lubricant's film from clip to clip
LOADED = 1.3  # load in its zone, against the mean round the race
FORCE = 11.5  # of an impact at that speed, severity 1; rolling noise, to which levels refer, grows faster with it


def sound(run: Operation) -> Sound:
    """Sound at ``vel`` [Hz], of the product ``pro``, recorded at ``loc``: only ``vel`` shows as a frequency."""
    shaft = turns(run.rng, run.frames, run.number("vel"))
    hz = mean_speed(shaft)
    pedestal = run.body(run.named("pro"), 2000, 7000, modes=10, loss=0.045)
    place = run.response(run.named("loc"), 3)
    rolling = ring(band_noise(run.rng, run.frames, 300, 7000) * swing(shaft, 0.3), pedestal)
    film = np.float32(10 ** (run.rng.normal(0, FILM) / 20))
    rumble = band_noise(run.rng, run.frames, 80, 3000, -4) * swing(shaft, 0.2)
    motor = harmonics(run.rng, shaft, 0.15 / np.sqrt(np.arange(1, 31)))
    healthy = filtered(0.8 * film * rolling + 0.5 * rumble + motor, place)
    fault = filtered(FAULTS[run.fault].sound(run, shaft, pedestal), place) if run.fault else np.zeros_like(healthy)
    return Sound(healthy, fault, {"shaft": hz, **bearing_frequencies(GEOMETRY, hz)})


def spall(run: Operation, cycles: np.ndarray, load: np.ndarray | float, pedestal: Body) -> np.ndarray:
    """Hit the pedestal once a cycle, as hard as the load (along the clip) allows."""
    times = crossings(cycles + run.fault_rng.uniform(), run.fault_rng, slip=SLIP)
    force = FORCE * (NOMINAL / run.number("vel")) ** 0.5 * run.fault_rng.uniform(0.85, 1.15, len(times))
    weight = at(times, load) if isinstance(load, np.ndarray) else load
    return ring(impulses(times, force * weight, run.frames), pedestal)


def outer_race(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Let every ball hit a spall that stays in the load zone."""
    return spall(run, ORDERS["BPFO"] * shaft, LOADED, pedestal)


def inner_race(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Let every ball hit a spall that turns with the shaft through the load zone."""
    return spall(run, ORDERS["BPFI"] * shaft, swing(shaft + run.fault_rng.uniform(), 0.6), pedestal)


def rolling_element(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Let a spall on a ball hit both races in turn, while the cage carries it through the load zone."""
    return spall(run, 2 * ORDERS["BSF"] * shaft, swing(ORDERS["FTF"] * shaft + run.fault_rng.uniform(), 0.4), pedestal)


def lost_lubricant(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Rub where the film breaks: steady friction noise in the pedestal's resonances."""
    return ring(band_noise(run.fault_rng, run.frames, 1500, 7000), pedestal)


def misalignment(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Bend the shaft twice a turn: its orders grow, the even ones most."""
    orders = np.arange(1, 41)
    return harmonics(run.fault_rng, shaft, np.where(orders % 2, 0.4, 1.0) / np.sqrt(orders))


def loose_mount(run: Operation, shaft: np.ndarray, pedestal: Body) -> np.ndarray:
    """Let the pedestal sway on its bolts: a resonance comes where none was."""
    hz = run.copy("loose mount").uniform(700, 1100)
    return ring(band_noise(run.fault_rng, run.frames, 300, 4000), Body((hz,), (0.03,), (1.0,)))


FAULTS = {
    "outer_race": Fault(outer_race, "transient", 0.9, "BPFO"),
    "inner_race": Fault(inner_race, "transient", 0.92, "BPFI"),
    "rolling_element": Fault(rolling_element, "transient", 1.0, "BSF"),
    "lost_lubricant": Fault(lost_lubricant, "stationary", 1),
    "misalignment": Fault(misalignment, "stationary", 1.4, "shaft"),
    "loose_mount": Fault(loose_mount, "stationary", 0.12),
}

MACHINE = Machine(
    name="bearing",
    seconds=(5.0,),
    source={"pro": ("A", "B"), "vel": ("6", "10", "14"), "loc": ("A", "B")},
    target={"pro": ("C",), "vel": ("8", "12"), "loc": ("C", "D")},
    listed="hidden",
    supplement="clean",
    faults=FAULTS,
    sound=sound,
)
