"""The factory around a machine: broadband noise, mains hum, another machine, clatter; drawn anew for every clip."""

import numpy as np

from asd.datasets.simulated.signals import NYQUIST, RATE, band_noise, harmonics, response, ring, strikes


def factory_noise(rng: np.random.Generator, frames: int, hall: np.random.Generator) -> np.ndarray:
    """Draw a clip's surroundings.

    Parameters
    ----------
    rng : np.random.Generator
        Of this clip.
    frames : int
    hall : np.random.Generator
        Of the place: what is the same in all clips of a domain.

    Returns
    -------
    np.ndarray [shape=(frames,)]
        Of unit power.
    """
    slope, hum, other, clatter = hall.uniform([-5, 0.1, 40, 0.3], [-2, 0.5, 160, 2.0])
    time = np.arange(frames) / RATE
    broad = band_noise(rng, frames, 60, 7000, slope, response(hall, 4) + response(rng, 1.5))
    mains = hum * rng.uniform(0.5, 1.5) * harmonics(rng, 50 * time, [0.3, 1, 0.2, 0.5])
    machine = rng.uniform(0, 0.6) * harmonics(rng, rng.normal(other, 0.05 * other) * time, 0.8 ** np.arange(8))
    times = rng.uniform(0, frames / RATE, rng.poisson(clatter * frames / RATE))
    impulses = strikes(times, rng.exponential(2.0, len(times)), frames)
    noise = broad + mains + machine + ring(impulses, rng.uniform(0.05, 0.4) * NYQUIST, rng.uniform(0.005, 0.03))
    return noise / np.sqrt(np.mean(noise**2))
