"""What the kinds of synthetic sound share: ranges, coloured noise, resonances, clicks, names of parameters.

Like :mod:`asd.simulation.signals`, but for constants that are new in every sound: nothing is kept for a next time, and
all is cheap enough for some milliseconds a signal of 4 s.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from asd.encoders.architectures.machine import PARAMETERS
from asd.simulation.acoustics import KNOTS, gain
from asd.simulation.signals import RATE, white

QUIET = 30.0  # [dB] ratios of power are known up to
RINGING = 0.12  # [s] longest time constant of a resonance
RESPONSE = 128 * 64  # [samples] of resonances, and how it is factored
HALF_OCTAVES = np.arange(KNOTS) / 2  # [octaves] above 50 Hz of the knots of a response


class Range(NamedTuple):
    """Values that a setting may take, by its share of the way from the lowest to the highest."""

    low: float
    high: float
    log: bool = False

    def at(self, share: float) -> float:
        """Read it at a share between 0 and 1.

        Examples
        --------
        >>> round(Range(1.0, 100.0, log=True).at(0.5), 6)
        10.0
        """
        if self.log:
            return self.low * math.exp(share * math.log(self.high / self.low))
        return self.low + (self.high - self.low) * share


class Modes(NamedTuple):
    """Resonances: natural frequencies [Hz], damping ratios, weights."""

    hz: tuple[float, ...]
    damping: tuple[float, ...]
    weight: tuple[float, ...]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return Range(low, high, log=True).at(rng.uniform())


def floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """Make a plain tuple of numbers, which can be compared, hashed and pickled."""
    return tuple(map(float, values))


def moved(rng: np.random.Generator, shares: Sequence[float], std: float) -> tuple[float, ...]:
    """Move shares by a Gaussian step each, reflected at 0 and 1.

    Parameters
    ----------
    rng : np.random.Generator
    shares : sequence of float
        Between 0 and 1.
    std : float
        Of the steps.

    Returns
    -------
    tuple of float
    """
    folded = np.abs(np.asarray(shares) + std * rng.standard_normal(len(shares))) % 2
    return floats(np.minimum(folded, 2 - folded))


def unit(signal: np.ndarray) -> np.ndarray:
    """Scale a signal to a root mean square of 1; silence stays silent.

    Parameters
    ----------
    signal : np.ndarray [shape=(frames,)]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    signal = signal.astype(np.float32, copy=False)
    power = float(np.dot(signal, signal)) / len(signal)
    return signal * np.float32(1 / math.sqrt(power)) if power > 1e-20 else signal


def amplitude(decibel: float) -> np.float32:
    """Turn a level [dB] into a factor of the amplitude."""
    return np.float32(10 ** (decibel / 20))


def decibel(power: float, reference: float) -> float:
    """Give the level of a power above a reference [dB], at most :data:`QUIET` either way."""
    return 10 * math.log10(min(max((power + 1e-12) / (reference + 1e-12), 10 ** (-QUIET / 10)), 10 ** (QUIET / 10)))


def colour(slope: float, low: float = 50.0, high: float = 8000.0) -> np.ndarray:
    """Make a response that falls or rises steadily, and at 18 dB/octave outside of a band.

    Parameters
    ----------
    slope : float
        [dB/octave]
    low, high : float
        Edges of the band [Hz].

    Returns
    -------
    np.ndarray [shape=(KNOTS,)]
        Knots [dB] for :func:`asd.simulation.acoustics.gain`.
    """
    below, above = math.log2(low / 50) - HALF_OCTAVES, HALF_OCTAVES - math.log2(high / 50)
    return slope * (HALF_OCTAVES - 3) - 18 * (np.maximum(below, 0) + np.maximum(above, 0))


def coloured(rng: np.random.Generator, frames: int, knots: np.ndarray) -> np.ndarray:
    """Sample Gaussian noise of unit power with a smooth spectrum.

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
    knots : np.ndarray [shape=(KNOTS,)]
        [dB] every half octave from 50 Hz on.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    spectrum = white(rng, frames) * gain(frames, knots)
    spectrum[: 1 + frames * 20 // RATE] = 0  # rumble below 20 Hz is no sound
    return unit(irfft(spectrum, frames))


def spectrum_of(modes: Modes, frames: int) -> np.ndarray:
    """Compute the spectrum of resonances that one impulse starts with an energy of 1.

    Parameters
    ----------
    modes : Modes
    frames : int
        Of the clip [samples].

    Returns
    -------
    np.ndarray [shape=(1 + frames // 2,), dtype=complex64]
    """
    hz, damping = np.array(modes.hz), np.array(modes.damping)
    damping = np.maximum(damping, 1 / (2 * np.pi * hz * RINGING))
    pole = 2 * np.pi * hz / RATE * (-damping + 1j * np.sqrt(1 - damping**2))
    # powers of the poles as products of two short tables: one small matrix product instead of RESPONSE exponentials
    coarse, fine = np.exp(np.outer(128 * np.arange(64), pole)), np.exp(np.outer(pole, np.arange(128)))
    response = ((coarse * np.array(modes.weight)) @ fine).real.ravel()[: min(frames, RESPONSE)]
    spectrum: np.ndarray = rfft((response / np.sqrt(np.sum(response**2))).astype(np.float32), frames)
    return spectrum


def through(signal: np.ndarray, modes: Modes) -> np.ndarray:
    """Let a signal sound through resonances; what rings over the end comes in at the beginning."""
    sounding: np.ndarray = irfft(rfft(signal) * spectrum_of(modes, len(signal)), len(signal))
    return sounding


def clicks(times: np.ndarray, strengths: np.ndarray | float, frames: int) -> np.ndarray:
    """Put impulses at times [s], each shared by the two samples next to it.

    Cheaper and duller than :func:`asd.simulation.signals.impulses`; past the end they come in at the beginning.

    Parameters
    ----------
    times : np.ndarray [shape=(n,)]
        [s]
    strengths : np.ndarray [shape=(n,)] or float
        Heights.
    frames : int

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    position = np.asarray(times) * RATE
    whole = np.floor(position).astype(int)
    late = (position - whole) * strengths
    early = np.broadcast_to(strengths, position.shape) - late
    places = np.concatenate([whole, whole + 1]) % frames
    return np.bincount(places, np.concatenate([early, late]), minlength=frames).astype(np.float32)


def wave(cycles: np.ndarray) -> np.ndarray:
    """Sound a sine, in single precision from phases in double precision.

    Parameters
    ----------
    cycles : np.ndarray [shape=(frames,)]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    sine: np.ndarray = np.sin((cycles - np.floor(cycles)).astype(np.float32) * np.float32(2 * np.pi))
    return sine


def named(**known: float) -> dict[str, float]:
    """Fill in nan for the parameters that a sound does not have."""
    return {name: float(known.get(name, math.nan)) for name in PARAMETERS}


def swing(cycles: np.ndarray, depth: float) -> np.ndarray:
    """Modulate around one, once a cycle, as :func:`asd.simulation.signals.swing` at half the cost.

    Parameters
    ----------
    cycles : np.ndarray [shape=(frames,)]
    depth : float
        0: none, 1: down to silence.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    return 1 + np.float32(depth) * wave(cycles)


def saw(phase: np.ndarray, step: float) -> np.ndarray:
    """Sound a sawtooth, its jump smoothed over two samples against aliases (by a polynomial).

    Parameters
    ----------
    phase : np.ndarray [shape=(frames,), dtype=float32]
        Within a cycle, 0 to 1.
    step : float
        By which it advances in a sample.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
    """
    start, end = np.maximum(1 - phase / step, 0), np.maximum(1 - (1 - phase) / step, 0)
    smooth: np.ndarray = 2 * phase - 1 + start**2 - end**2
    return smooth


def slope_of(decibels: np.ndarray, hz: np.ndarray) -> float:
    """Fit a straight line to levels [dB] over octaves; its slope [dB/octave]."""
    octaves = np.log2(hz)
    return float(np.polyfit(octaves, decibels, 1)[0])
