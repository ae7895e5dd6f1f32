"""What machine sounds are made of: turning shafts, tones, band noise, impacts that ring, smooth responses.

All signals are float64 arrays [shape=(frames,)] at :data:`RATE`; nothing reaches half of it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft
from scipy.signal import lfilter

RATE = 16000  # [Hz]
NYQUIST = RATE / 2


def turns(rng: np.random.Generator, frames: int, hz: float, wander: float = 0.004) -> np.ndarray:
    """Turn a shaft whose speed drifts slowly around its set value.

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
    hz : float
        Set speed [Hz].
    wander : float
        Standard deviation of the speed, relative, at knots one second apart.

    Returns
    -------
    np.ndarray
        Revolutions so far, from a random angle.
    """
    seconds = frames / RATE
    knots = rng.standard_normal(int(seconds) + 2)
    drift = np.interp(np.arange(frames) / RATE, np.arange(len(knots)), knots)
    return rng.uniform() + np.cumsum(hz * (1 + wander * drift)) / RATE


def harmonics(rng: np.random.Generator, cycles: np.ndarray, amplitudes: Sequence[float] | np.ndarray) -> np.ndarray:
    """Add a tone and its harmonics, each at a random phase; ``cycles`` counts periods of the first."""
    base = np.empty(len(cycles), dtype=np.complex64)
    base.real, base.imag = np.cos(angle := _angle(cycles)), np.sin(angle)
    phases = np.exp(2j * np.pi * rng.uniform(size=len(amplitudes)))
    total = np.zeros(len(cycles), dtype=np.complex64)
    for coefficient in (phases * amplitudes)[::-1].astype(np.complex64):  # Horner's scheme
        total += coefficient
        total *= base
    return total.real.astype(float)


def swing(cycles: np.ndarray, depth: float) -> np.ndarray:
    """Modulate sinusoidally around one, once a cycle."""
    return 1 + depth * np.sin(_angle(cycles)).astype(float)


def _angle(cycles: np.ndarray) -> np.ndarray:
    """Angle within a cycle; single precision, far below 16 bits, makes sines several times faster."""
    return (2 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)


@lru_cache(maxsize=64)
def _band(frames: int, low: float, high: float, slope: float) -> np.ndarray:
    hz = np.fft.rfftfreq(frames, 1 / RATE)
    hz[0] = hz[1]
    gain = (hz / low) ** (slope / 6.02)
    gain /= np.sqrt(1 + (low / hz) ** 8) * np.sqrt(1 + (hz / high) ** 8)
    gain[0] = gain[-1] = 0
    return gain * frames / np.sqrt(4 * np.sum(gain**2))


def band_noise(
    rng: np.random.Generator, frames: int, low: float, high: float, slope: float = 0, gains: np.ndarray | None = None
) -> np.ndarray:
    """Draw Gaussian noise of unit power between two frequencies.

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
    low, high : float
        Edges [Hz] of fourth order.
    slope : float
        [dB/octave] within the band.
    gains : np.ndarray, optional
        A :func:`response` to colour it with.
    """
    shape = _band(frames, low, high, slope) * (1 if gains is None else _gain(frames, gains))
    spectrum = rng.standard_normal((len(shape), 2)).view(complex)[:, 0]
    return irfft(shape * spectrum, frames)


def strikes(times: np.ndarray, strengths: np.ndarray | float, frames: int) -> np.ndarray:
    """Put unit impulses at times [s], between two samples in proportion; those outside are left out."""
    position = np.asarray(times) * RATE
    strengths = np.broadcast_to(strengths, position.shape)
    inside = (position >= 0) & (position < frames - 1)
    whole = position[inside].astype(int)
    part = position[inside] - whole
    impulses = np.zeros(frames)
    np.add.at(impulses, whole, strengths[inside] * (1 - part))
    np.add.at(impulses, whole + 1, strengths[inside] * part)
    return impulses


def ring(impulses: np.ndarray, hz: float, decay: float) -> np.ndarray:
    """Let impulses excite a resonance: a decaying sine of unit height.

    Parameters
    ----------
    impulses : np.ndarray
    hz : float
        Resonance [Hz].
    decay : float
        Time constant [s].
    """
    radius, angle = np.exp(-1 / (decay * RATE)), 2 * np.pi * hz / RATE
    return lfilter([0, radius * np.sin(angle)], [1, -2 * radius * np.cos(angle), radius**2], impulses)


def crossings(cycles: np.ndarray, rng: np.random.Generator, jitter: float = 0.0) -> np.ndarray:
    """Find the times [s] at which cycles are full.

    ``jitter`` is the relative standard deviation of each interval, so that the phase walks at random as it does
    under slip (Antoni & Randall 2003).
    """
    whole = np.arange(np.ceil(cycles[0]), cycles[-1])
    slip = np.cumsum(jitter * rng.standard_normal(len(whole)))
    return np.interp(whole + slip, cycles, np.arange(len(cycles)) / RATE)


@lru_cache(maxsize=16)
def _octaves(frames: int) -> np.ndarray:
    return np.log2(np.maximum(np.fft.rfftfreq(frames, 1 / RATE), 50) / 50)


def response(rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Draw a smooth frequency response: knots [dB] of that standard deviation at every half octave."""
    return deviation * rng.standard_normal(16)


def _gain(frames: int, gains: np.ndarray) -> np.ndarray:
    return np.exp(np.interp(_octaves(frames), np.arange(len(gains)) / 2, gains) * (np.log(10) / 20))


def filtered(signal: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Apply a :func:`response` (or a sum of them) without delay."""
    return irfft(rfft(signal) * _gain(len(signal), gains), len(signal))
