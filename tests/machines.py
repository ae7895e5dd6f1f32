"""Machines of known frequencies, and noise without any: what the search for characteristic frequencies is tried on."""

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

RATIOS = (1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4)  # multiples and fractions of a true frequency that count as found

Rng = np.random.Generator
Machine = tuple[np.ndarray, list[float]]  # signal, true frequencies [Hz]


def turns(rng: Rng, rate: int, samples: int, hz: float, most: float) -> np.ndarray:
    """Revolutions of a shaft whose speed wanders by up to ``most`` (standard deviation, relative)."""
    knots = rng.uniform(0, most) * rng.standard_normal(samples // rate + 3)
    drift = np.interp(np.arange(samples) / rate, np.arange(len(knots)), knots)
    return rng.uniform() + np.cumsum(hz * (1 + drift)) / rate


def tones(rng: Rng, cycles: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    orders = np.arange(1, len(amplitudes) + 1)
    phases = rng.uniform(0, 2 * np.pi, len(amplitudes))
    return sum(a * np.sin(2 * np.pi * k * cycles + p) for a, k, p in zip(amplitudes, orders, phases, strict=True))


def band(rng: Rng, rate: int, samples: int, low: float, high: float) -> np.ndarray:
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / rate)
    noise = np.fft.irfft(spectrum * ((hz > low) & (hz < high)), samples)
    return noise / noise.std()


def hits(rng: Rng, cycles: np.ndarray, slip: float, strength: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Impulses once a cycle; the phase walks at random by ``slip`` of an interval."""
    whole = np.arange(np.ceil(cycles[0]), cycles[-1])
    places = np.interp(whole + np.cumsum(slip * rng.standard_normal(len(whole))), cycles, np.arange(len(cycles)))
    places = places[places < len(cycles) - 1]
    impulses = np.zeros(len(cycles))
    part = places - places.astype(int)
    np.add.at(impulses, places.astype(int), (1 - part) * strength(places))
    np.add.at(impulses, places.astype(int) + 1, part * strength(places))
    return impulses


def ring(impulses: np.ndarray, rate: int, hz: float, decay: float) -> np.ndarray:
    radius, angle = np.exp(-1 / (decay * rate)), 2 * np.pi * hz / rate
    return lfilter([0, radius * np.sin(angle)], [1, -2 * radius * np.cos(angle), radius**2], impulses)


def shaft(rng: Rng, rate: int, samples: int) -> Machine:
    hz = rng.uniform(8, 60)
    cycles = turns(rng, rate, samples, hz, 0.004)
    swing = 1 + rng.uniform(0.2, 0.8) * np.sin(2 * np.pi * cycles)
    amplitudes = rng.uniform(0.2, 1, 6) / np.sqrt(np.arange(1, 7))
    return tones(rng, cycles, amplitudes) + 0.7 * band(rng, rate, samples, 300, 0.4 * rate) * swing, [hz]


def hum(rng: Rng, rate: int, samples: int) -> Machine:
    hz = rng.uniform(8, 60)
    return tones(rng, turns(rng, rate, samples, hz, 0.004), rng.uniform(0.2, 1, 6)), [hz]


def blades(rng: Rng, rate: int, samples: int) -> Machine:
    hz, count = rng.uniform(8, 40), int(rng.integers(3, 10))
    cycles = count * turns(rng, rate, samples, hz, 0.004)
    swing = 1 + rng.uniform(0.2, 0.7) * np.sin(2 * np.pi * cycles)
    sound = tones(rng, cycles, rng.uniform(0.2, 1, 4) / np.arange(1, 5))
    return sound + band(rng, rate, samples, 200, 0.4 * rate) * swing, [hz, count * hz]


def gears(rng: Rng, rate: int, samples: int) -> Machine:
    hz, teeth = rng.uniform(8, 30), int(rng.integers(15, 40))
    cycles = turns(rng, rate, samples, hz, 0.003)
    swing = 1 + rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * cycles + 1)
    meshing = tones(rng, teeth * cycles, rng.uniform(0.3, 1, 4))
    return meshing * swing + 0.2 * tones(rng, cycles, np.array([1, 0.5])), [hz, teeth * hz]


def bearing(rng: Rng, rate: int, samples: int) -> Machine:
    hz, elements, ratio = rng.uniform(8, 40), int(rng.integers(7, 14)), rng.uniform(0.15, 0.3)
    cycles = turns(rng, rate, samples, hz, 0.003)
    cage = (1 - ratio) / 2
    order, modulator, depth = (
        (elements * cage, 0.0, 0.0),
        (elements * (1 - cage), 1.0, 0.8),
        ((1 - ratio**2) / ratio, cage, 0.6),
    )[int(rng.integers(3))]

    def load(places: np.ndarray) -> np.ndarray:
        return 1 + depth * np.cos(2 * np.pi * modulator * np.interp(places, np.arange(samples), cycles))

    impulses = hits(rng, order * cycles, rng.uniform(0.002, 0.02), load)
    sound = ring(impulses, rate, rng.uniform(0.12, 0.4) * rate, rng.uniform(0.0006, 0.003))
    return sound, [
        order * hz,
        *([modulator * hz] if modulator else []),
        *([order * hz / 2] if modulator == cage else []),
    ]


def strokes(rng: Rng, rate: int, samples: int) -> Machine:
    hz = rng.uniform(0.7, 6)
    cycles = turns(rng, rate, samples, hz, 0.003)
    impulses = hits(rng, cycles, rng.uniform(0, 0.005), lambda places: rng.uniform(0.8, 1.2))
    swell = lfilter([1], [1, -np.exp(-1 / (rng.uniform(0.01, 0.05) * rate))], impulses)
    return swell * band(rng, rate, samples, 300, 0.4 * rate), [hz]


MACHINES = {f.__name__: f for f in (shaft, hum, blades, gears, bearing, strokes)}


def coloured_noise(rng: Rng, rate: int, samples: int) -> np.ndarray:
    """Noise of a random slope, a random smooth response and at times resonances: no lines."""
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / rate), 20)
    spectrum = np.fft.rfft(rng.standard_normal(samples)) * (hz / 1000) ** (rng.uniform(-9, 3) / 6.02)
    knots = np.linspace(np.log2(20), np.log2(rate / 2), 14)
    spectrum *= 10 ** (np.interp(np.log2(hz), knots, rng.normal(0, 6, 14)) / 20)
    for _ in range(3 * (rng.uniform() < 0.4)):
        centre = rng.uniform(100, 0.4 * rate)
        spectrum *= 1 + rng.uniform(1, 10) / np.sqrt(1 + ((hz - centre) / (centre / rng.uniform(10, 60))) ** 2)
    noise = np.fft.irfft(spectrum, samples)
    return noise / noise.std()


def recording(number: int, name: str, snr: float = np.inf) -> tuple[np.ndarray, int, list[float]]:
    """Record a machine in noise: 16-bit samples as float32, their rate [Hz], the true frequencies [Hz]."""
    rng = np.random.default_rng([4, number])
    rate = int(rng.choice([16000, 16000, 48000]))
    samples = int(rng.uniform(4, 10) * rate)
    sound, truth = MACHINES[name](rng, rate, samples)
    sound = sound / sound.std() + 10 ** (-snr / 20) * coloured_noise(rng, rate, samples)
    return (np.round(3000 * sound / sound.std()).clip(-32768, 32767) / 32768).astype(np.float32), rate, truth


def is_found(frequency: float, truth: list[float], seconds: float) -> bool:
    """Say whether a frequency is a true one or a small multiple or fraction, within max(1 %, 0.3 / T)."""
    allowed = [ratio * hz for hz in truth for ratio in RATIOS]
    return any(abs(frequency - hz) <= max(0.01 * hz, 0.3 / seconds) for hz in allowed)
