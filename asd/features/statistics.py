"""What an engineer computes first: level, shape of the distribution, band energies, lines of envelope and sound.

No learning and no memory of other clips, hence also nothing of a machine's usual frequencies: the characteristic
frequency is that of the clip itself, the strongest comb of its spectrum. Faults strengthen combs or add side bands
whatever the speed, and a search of every candidate's significance (asd/features/combs.py) costs ten times as much.
"""

import numpy as np
from scipy import fft

from asd.features.envelope import periodogram, squared_envelope
from asd.features.lines import at
from asd.features.noise_floor import noise_floor
from asd.features.params import StatisticsParams

HARMONICS = 5  # of a comb; the first of them by themselves as well
CARRIERS = 3  # harmonics that side bands are sought about
FINENESS = 4  # candidates per cell of a spectrum
WINDOW = 61  # [cells] of the local noise floor, at least
SILENT = 1e-12  # of power: -120 dB
COMB = 2 + CARRIERS  # values of a comb: all harmonics, side bands, the first ones


def statistics(waveform: np.ndarray, params: StatisticsParams) -> np.ndarray:
    """Describe a clip by one row of statistics.

    Level [dB], crest factor [dB], skewness, logarithm of the kurtosis; the energies [dB] of ``cells`` bands of equal
    width on a logarithmic scale from ``f_min`` to ``f_max``, re the whole; then for the spectrum of the squared
    envelope of that range, and for that of the sound itself, of the strongest comb of lines: the mean log level
    [nats] over the noise floor of its harmonics, of the side bands about them, and of the first harmonics each.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : StatisticsParams

    Returns
    -------
    np.ndarray [shape=(1, 4 + cells + 10), dtype=float32]
        Finite for silence, too.

    References
    ----------
    Randall, "Vibration-based condition monitoring", Wiley 2011, for what is looked at; the selection is ours.
    """
    x = waveform.astype(np.float64) - waveform.mean(dtype=np.float64)
    rate = params.sample_rate
    envelope = squared_envelope(x, rate, params.f_min, params.f_max)
    rows = [_shape(x), _band_energies(x, params)]
    for signal, highest in ((envelope, params.modulation_max), (x, params.tone_max)):
        power = periodogram(signal, rate, (HARMONICS + 1) * highest)
        rows.append(strongest_comb(power, rate / len(signal), params.lowest, highest))
    return np.concatenate(rows)[None].astype(np.float32)


def _shape(x: np.ndarray) -> np.ndarray:
    squares = x * x
    power, largest = squares.mean() + SILENT, squares.max() + SILENT
    if power <= 2 * SILENT:
        return np.array([10 * np.log10(power), 0.0, 0.0, 0.0])
    skewness, kurtosis = squares @ x / len(x) / power**1.5, squares @ squares / len(x) / power**2
    return np.array([10 * np.log10(power), 10 * np.log10(largest / power), skewness, np.log(kurtosis)])


def _band_energies(x: np.ndarray, params: StatisticsParams) -> np.ndarray:
    power = np.abs(fft.rfft(x)) ** 2
    frequencies = fft.rfftfreq(len(x), 1 / params.sample_rate)
    edges = np.geomspace(params.f_min, params.f_max, params.cells + 1)
    summed = np.r_[0.0, np.cumsum(power)][np.searchsorted(frequencies, edges)]
    energies = np.diff(summed)
    least = SILENT * max(float(power.sum()), 1.0)
    decibel: np.ndarray = 10 * np.log10((energies + least) / (energies.sum() + least))
    return decibel


def strongest_comb(power: np.ndarray, step: float, lowest: float, highest: float) -> np.ndarray:
    """Measure the strongest comb of a power spectrum, with its side bands.

    Parameters
    ----------
    power : np.ndarray [shape=(cells,)]
        The first cell at 0.
    step : float
        [Hz] between cells.
    lowest, highest : float
        [Hz] Limits of the fundamental.

    Returns
    -------
    np.ndarray [shape=(5,)]
        [nats] Mean log level over the floor of its five harmonics; of the strongest side bands about the first three;
        of each of the first three. Zeros where the spectrum holds nothing.
    """
    fundamentals = np.arange(lowest, highest, step / FINENESS)
    if not power.any() or not len(fundamentals):
        return np.zeros(COMB)
    level = np.log(
        np.maximum(power, np.finfo(float).tiny) / np.maximum(noise_floor(power, WINDOW), np.finfo(float).tiny)
    )
    level = np.clip(level, 0, None)
    orders = np.arange(1, HARMONICS + 1)[:, None]
    harmonics = at(level, orders * fundamentals, step)
    best = int(harmonics.mean(axis=0).argmax())
    frequency = fundamentals[best]
    apart = np.arange(max(lowest, 4 * step), 0.48 * frequency, step)
    carriers = (orders[:CARRIERS] * frequency)[..., None]
    sides = at(level, carriers + np.array([-1, 1])[:, None] * apart, step).mean(axis=(0, 1))
    return np.r_[harmonics[:, best].mean(), sides.max() if len(sides) else 0.0, harmonics[:CARRIERS, best]]
