"""Transfer functions from source to microphone: resonant bodies, frequency responses, rooms.

All of them are spectra [shape=(1 + frames // 2,)] by which that of a clip is multiplied: convolutions whose end comes
in at the beginning, since a clip is cut out of a machine that has been running.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from asd.simulation.signals import CEILING, RATE

KNOTS = 16  # of a response, every half octave from 50 Hz on
CRITICAL = 1.0  # [m] distance at which the reverberant sound is as loud as the direct one
REFERENCE = 0.5  # [m] distance at which a machine has its nominal level


class Body(NamedTuple):
    """A resonant structure: natural frequencies [Hz], damping ratios, weights, and a smooth response [dB].

    An impulse makes it ring with unit energy; plain tuples, so that spectra are computed once for each body.
    """

    hz: tuple[float, ...]
    damping: tuple[float, ...]
    weight: tuple[float, ...]
    knots: tuple[float, ...] = ()


def response(rng: np.random.Generator, std: float) -> np.ndarray:
    """Make a random smooth frequency response: knots [dB] of that standard deviation at every half octave.

    Parameters
    ----------
    rng : np.random.Generator
    std : float
        [dB]

    Returns
    -------
    np.ndarray [shape=(KNOTS,)]
        [dB]
    """
    return std * rng.standard_normal(KNOTS)


@lru_cache(maxsize=16)
def _half_octaves(frames: int) -> np.ndarray:
    return 2 * np.log2(np.maximum(np.fft.rfftfreq(frames, 1 / RATE), 50) / 50)


def gain(frames: int, knots: np.ndarray) -> np.ndarray:
    """Turn a :func:`response` (or a sum of them) into a spectrum.

    Parameters
    ----------
    frames : int
        Of the clip [samples].
    knots : np.ndarray
        [dB]

    Returns
    -------
    np.ndarray [shape=(1 + frames // 2,)]
        Factors of the amplitude.
    """
    decibel = np.interp(_half_octaves(frames), np.arange(len(knots)), knots)
    return np.exp(decibel.astype(np.float32) * np.float32(np.log(10) / 20))


def spectrum_of(body: Body, frames: int) -> np.ndarray:
    """Superpose the modes of a body: velocity over force of oscillators with viscous damping.

    Parameters
    ----------
    body : Body
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(1 + frames // 2,), dtype=complex64]
    """
    hz = np.fft.rfftfreq(frames, 1 / RATE).astype(np.float32)
    total = np.zeros(len(hz), dtype=np.complex64)
    for natural, damping, weight in zip(body.hz, body.damping, body.weight, strict=True):
        ratio = hz / np.float32(natural)
        loss = np.complex64(2j * damping) * ratio
        total += np.float32(weight) * loss / (1 - ratio**2 + loss)
    total[hz > CEILING] = 0
    # an impulse starts an energy of 1
    total *= np.float32(np.sqrt(len(hz) / np.sum(np.abs(total) ** 2, dtype=float)))
    return total * gain(frames, np.array(body.knots)) if body.knots else total


_kept_spectrum = lru_cache(maxsize=128)(spectrum_of)  # of bodies that sound in many clips


def ring(signal: np.ndarray, body: Body) -> np.ndarray:
    """Let a force sound through a body.

    Parameters
    ----------
    signal : np.ndarray [shape=(frames,)]
        The force.
    body : Body

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    return irfft(rfft(signal) * _kept_spectrum(body, len(signal)), len(signal))


def filtered(signal: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Apply a :func:`response` without delay.

    Parameters
    ----------
    signal : np.ndarray [shape=(frames,)]
    knots : np.ndarray
        [dB]

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    return irfft(rfft(signal) * gain(len(signal), knots), len(signal))


def room(rng: np.random.Generator, frames: int, distance: float) -> np.ndarray:
    """Make the random response of a room between a source and a microphone.

    Direct sound that falls with the distance and a diffuse tail that does not: Gaussian noise that decays
    exponentially, after the first reflections (Kuttruff, "Room acoustics", 2009, ch. 3 and 5).

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
    distance : float
        [m]

    Returns
    -------
    np.ndarray [shape=(1 + frames // 2,), dtype=complex64]
        The direct sound is 1 at :data:`REFERENCE`.
    """
    reverberation = rng.uniform(0.15, 0.4)  # [s]
    time = np.arange(min(frames, int(reverberation * RATE))) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.91 * time / reverberation) * (time > rng.uniform(0.002, 0.006))
    tail *= REFERENCE / CRITICAL / np.sqrt(np.sum(tail**2))
    tail[0] = REFERENCE / distance
    return rfft(tail.astype(np.float32), frames)
