"""The factory around a machine: air, mains hum, another machine, clatter; they differ from clip to clip."""

from typing import NamedTuple

import numpy as np
from scipy.fft import rfft

from asd.simulation.acoustics import Body, gain, response, spectrum_of
from asd.simulation.signals import RATE, band_noise, harmonics, impulses, swing, turns


class Hall(NamedTuple):
    """A type of noise, as the attribute ``noise`` names it."""

    slope: float  # [dB/octave] of the broadband noise
    hum: float  # amplitude of the mains hum
    neighbour: tuple[float, float]  # [Hz] lowest and highest speed of the machine next door
    orders: int  # of that machine
    clatter: float  # [1/s]


HALLS = {
    "1": Hall(-3.5, 0.25, (22, 27), 14, 0.6),
    "2": Hall(-2.0, 0.45, (38, 50), 10, 1.2),
}
MAINS = 50.0  # [Hz]
BROADBAND = 2.0  # [dB] by which the broadband noise varies from clip to clip


def factory_noise(rng: np.random.Generator, frames: int, hall: Hall, hall_rng: np.random.Generator) -> np.ndarray:
    """Sample a clip's surroundings.

    Parameters
    ----------
    rng : np.random.Generator
        Of this clip.
    frames : int
    hall : Hall
    hall_rng : np.random.Generator
        Of what is the same in all clips of the hall.

    Returns
    -------
    np.ndarray [shape=(1 + frames // 2,)]
        Its spectrum, in any unit.
    """
    spectrum = gain(frames, response(hall_rng, 3) + response(rng, BROADBAND))
    broad = band_noise(rng, frames, 60, 7000, hall.slope, spectrum)
    broad *= swing(turns(rng, frames, rng.uniform(0.1, 0.5), 0.5), rng.uniform(0, 0.7))
    time = np.arange(frames) / RATE
    hum = hall.hum * rng.uniform(0.5, 1.5) * harmonics(rng, MAINS * time, [0.3, 1, 0.2, 0.5, 0.1, 0.3])
    steady = broad + hum + rng.uniform(0, 1.0) * _neighbour(rng, frames, hall)
    return rfft(steady) + _clatter(rng, frames, hall.clatter * rng.exponential())


def _neighbour(rng: np.random.Generator, frames: int, hall: Hall) -> np.ndarray:
    """Let another machine turn."""
    shaft = turns(rng, frames, rng.uniform(*hall.neighbour), 0.006)
    orders = rng.uniform(0.1, 0.5, hall.orders) / np.sqrt(np.arange(1, hall.orders + 1))
    return harmonics(rng, shaft, orders) + 0.5 * band_noise(rng, frames, 200, 3000, -3) * swing(shaft, 0.3)


def _clatter(rng: np.random.Generator, frames: int, rate: float) -> np.ndarray:
    """Drop things, at random times, of random strength and size; their spectrum."""
    times = rng.uniform(0, frames / RATE, rng.poisson(rate * frames / RATE))
    hz = rng.uniform(500, 5000, 3)
    body = Body(tuple(hz), tuple(rng.uniform(0.01, 0.05, 3)), (1.0, 1.0, 1.0))
    return rfft(impulses(times, 12 * rng.exponential(1.0, len(times)), frames)) * spectrum_of(body, frames)
