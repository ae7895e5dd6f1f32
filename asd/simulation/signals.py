"""Components of machine sounds: turning shafts, tones, band noise and impacts, all of them band-limited.

Signals are arrays [shape=(frames,), dtype=float32] at :data:`RATE`; phases are kept in double precision.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.fft import irfft, rfft

RATE = 16000  # [Hz]
CEILING = 7600.0  # [Hz] nothing is made above
STEP = 0.01  # [s] in which a speed hardly changes
UPSAMPLED = 4  # times, before a signal is read between samples
TAPS = np.arange(-15, 17)  # of a band-limited impulse


def turns(rng: np.random.Generator, frames: int, hz: float, wander: float = 0.004) -> np.ndarray:
    """Turn a shaft whose speed wanders slowly around its set value.

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
    np.ndarray [shape=(frames,), dtype=float64]
        Revolutions so far, from a random angle.
    """
    knots = rng.standard_normal(frames // RATE + 3)
    grid = np.arange(0, frames / RATE + STEP, STEP)
    drift = np.interp(grid + rng.uniform(), np.arange(len(knots)), knots)
    advance = STEP * np.concatenate([[0.0], np.cumsum(1 + wander * drift[:-1])])
    return rng.uniform() + hz * np.interp(np.arange(frames) / RATE, grid, advance)


def mean_speed(cycles: np.ndarray) -> float:
    """Give the mean speed [Hz] of what :func:`turns` turned."""
    return float((cycles[-1] - cycles[0]) * RATE / (len(cycles) - 1))


def harmonics(rng: np.random.Generator, cycles: np.ndarray, amplitudes: Sequence[float] | np.ndarray) -> np.ndarray:
    """Add a tone and its harmonics, each at a random phase; ``cycles`` counts periods of the first.

    Harmonics that would pass :data:`CEILING` are left out.

    Parameters
    ----------
    rng : np.random.Generator
    cycles : np.ndarray [shape=(frames,)]
        Of the first tone.
    amplitudes : sequence of float
        Of the first tone and its harmonics.

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    base = _circle(cycles)
    highest = CEILING / (float(np.max(np.diff(cycles))) * RATE + 1e-9)
    coefficients = np.exp(2j * np.pi * rng.uniform(size=len(amplitudes))) * amplitudes
    total = np.zeros(len(cycles), dtype=np.complex64)
    for coefficient in coefficients[: max(0, int(highest))][::-1].astype(np.complex64):  # Horner's scheme
        total += coefficient
        total *= base
    return total.real


def swing(cycles: np.ndarray, depth: float) -> np.ndarray:
    """Modulate sinusoidally around one, once a cycle.

    Parameters
    ----------
    cycles : np.ndarray [shape=(frames,)]
        See :func:`turns`.
    depth : float
        0: none, 1: down to silence.

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    wave: np.ndarray = 1 + np.float32(depth) * _circle(cycles).imag
    return wave


def hunt(rng: np.random.Generator, signal: np.ndarray, hz: float, depth: float) -> np.ndarray:
    """Let the speed of what sounds rise and fall about its mean.

    Parameters
    ----------
    rng : np.random.Generator
    signal : np.ndarray [shape=(frames,)]
    hz : float
        How often the speed rises and falls [Hz], about.
    depth : float
        Largest deviation of the speed, relative, at that rate; the rate wanders by a fifth, and the deviation with it.

    Returns
    -------
    np.ndarray [shape=(frames,)]
        The signal read ahead and behind in turn: a tone of f Hz sweeps between about ``f (1 - depth)`` and
        ``f (1 + depth)``.
    """
    frames = len(signal)
    lag = depth / (2 * np.pi * hz) * _circle(turns(rng, frames, hz, 0.2)).imag * RATE
    fine = irfft(rfft(signal), UPSAMPLED * frames) * UPSAMPLED
    read: np.ndarray = np.interp(
        UPSAMPLED * (np.arange(frames) - lag), np.arange(len(fine)), fine, period=len(fine)
    ).astype(np.float32)
    return read


def bump(cycles: np.ndarray, width: float) -> np.ndarray:
    """Rise smoothly from 0 to 1 and back once a cycle, during about ``width`` of it (von Mises shape).

    Parameters
    ----------
    cycles : np.ndarray [shape=(frames,)]
        See :func:`turns`.
    width : float
        [cycles]

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    sharpness = np.float32(1 / (2.5 * width) ** 2)
    rise: np.ndarray = np.exp(sharpness * (_circle(cycles).real - 1))
    return rise


def _circle(cycles: np.ndarray) -> np.ndarray:
    """Point at the angle within a cycle; single precision, far below 16 bits, makes sines several times faster."""
    angle = (cycles - np.floor(cycles)).astype(np.float32)
    angle *= np.float32(2 * np.pi)
    point = np.empty(len(cycles), dtype=np.complex64)
    point.real, point.imag = np.cos(angle), np.sin(angle)
    return point


@lru_cache(maxsize=256)
def _band(frames: int, low: float, high: float, slope: float) -> np.ndarray:
    hz = np.fft.rfftfreq(frames, 1 / RATE)
    hz[0] = hz[1]
    gain = (hz / low) ** (slope / 6.02) / np.sqrt(1 + (low / hz) ** 8) / np.sqrt(1 + (hz / high) ** 8)
    gain[(hz > CEILING) | (hz == hz[0])] = 0
    return (gain * frames / np.sqrt(4 * np.sum(gain**2))).astype(np.float32)


def band_noise(
    rng: np.random.Generator, frames: int, low: float, high: float, slope: float = 0, gain: np.ndarray | float = 1.0
) -> np.ndarray:
    """Sample Gaussian noise of unit power between two frequencies.

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
    low, high : float
        Edges [Hz] of fourth order.
    slope : float
        [dB/octave] within the band.
    gain : np.ndarray [shape=(1 + frames // 2,)], optional
        A spectrum to multiply it by.
    """
    return irfft(_band(frames, low, high, slope) * gain * white(rng, frames), frames)


def white(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample the spectrum [shape=(1 + frames // 2,), dtype=complex64] of white noise, real parts of unit variance.

    Parameters
    ----------
    rng : np.random.Generator
    frames : int
        [samples]
    """
    return rng.standard_normal((1 + frames // 2, 2), dtype=np.float32).view(np.complex64)[:, 0]


def crossings(
    cycles: np.ndarray, rng: np.random.Generator | None = None, slip: float = 0.0, jitter: float = 0.0
) -> np.ndarray:
    """Find the times [s] at which cycles are full.

    Parameters
    ----------
    cycles : np.ndarray
        See :func:`turns`.
    rng : np.random.Generator, optional
    slip : float
        Standard deviation of every interval, relative and independent, so that the phase walks at random: what
        rolling elements do (Antoni and Randall, "A stochastic model for simulation and diagnostics of rolling element
        bearings with localized faults", J. Vib. Acoust. 125, 2003).
    jitter : float
        Standard deviation of every time itself [cycles], about a phase that does not walk.
    """
    margin = 3
    whole = np.arange(np.ceil(cycles[0]) - margin, cycles[-1] + margin)
    if rng is not None:
        whole = whole + slip * np.cumsum(rng.standard_normal(len(whole))) + jitter * rng.standard_normal(len(whole))
    whole = whole[(whole > cycles[0]) & (whole < cycles[-1])]
    return np.interp(whole, cycles, np.arange(len(cycles)) / RATE)


def at(times: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Read a signal at times [s].

    Parameters
    ----------
    times : np.ndarray [shape=(n,)]
        [s]
    signal : np.ndarray [shape=(frames,)]

    Returns
    -------
    np.ndarray [shape=(n,)]
    """
    return np.asarray(signal[(times * RATE).astype(int)])


def impulses(times: np.ndarray, strengths: np.ndarray | float, frames: int) -> np.ndarray:
    """Put band-limited impulses (windowed sinc, below :data:`CEILING`) of these heights at times [s].

    What reaches over one end of the clip comes in at the other, as do all filters here: a clip is cut out of a
    machine that has been running.

    Parameters
    ----------
    times : np.ndarray [shape=(n,)]
        [s]
    strengths : np.ndarray [shape=(n,)] or float
        Heights.
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(frames,)]
    """
    position = np.asarray(times) * RATE
    whole = np.floor(position).astype(int)
    distance = TAPS - (position - whole)[:, None]
    cutoff = 2 * CEILING / RATE  # of the Nyquist frequency
    kernel = cutoff * np.sinc(cutoff * distance) * np.cos(np.pi * distance / 34) ** 2
    weights = kernel * np.broadcast_to(strengths, position.shape)[:, None]
    train = np.bincount(((whole[:, None] + TAPS) % frames).ravel(), weights.ravel(), minlength=frames)
    return train.astype(np.float32)
