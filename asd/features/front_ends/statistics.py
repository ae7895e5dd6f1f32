"""Hand-crafted statistics: level, shape of the distribution, band energies, lines of envelope and sound.

Nothing is learnt, and nothing known of other clips, hence also not a machine's usual frequencies: the characteristic
frequency is that of the clip itself, the strongest harmonic series of its spectrum. Faults strengthen harmonics or add
side bands whatever the speed; the search of :mod:`asd.features.harmonic_series`, with a significance for every
candidate, costs ten times as much.
"""

from typing import ClassVar

import numpy as np
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator
from scipy import fft

from asd.features.envelope import periodogram, squared_envelope
from asd.features.front_end import FRONT_ENDS, FrontEndParams, above, at_most, nyquist
from asd.features.noise_floor import noise_floor
from asd.features.spectral_lines import at

HARMONICS = 5  # of a series; the first of them by themselves as well
CARRIERS = 3  # harmonics that side bands are sought about
FINENESS = 4  # candidates per cell of a spectrum
WINDOW = 61  # [cells] of the local noise floor, at least
SILENT = 1e-12  # of power: -120 dB
VALUES = 2 + CARRIERS  # of a series: all harmonics, side bands, the first ones


def statistics(
    y: np.ndarray,
    sr: int = 16000,
    f_min: float = 50.0,
    f_max: float = 8000.0,
    cells: int = 16,
    *,
    lowest: float = 4.0,
    modulation_max: float = 120.0,
    tone_max: float = 400.0,
) -> np.ndarray:
    """Describe a clip by one row of statistics.

    Level [dB], crest factor [dB], skewness, logarithm of the kurtosis; the energies [dB] of ``cells`` bands of equal
    width on a logarithmic scale from ``f_min`` to ``f_max``, re the whole; then for the spectrum of the squared
    envelope of that range, and for that of the sound itself, of the strongest harmonic series: the mean log level
    [nats] over the noise floor of its harmonics, of the side bands about them, and of the first harmonics each.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Waveform, full scale 1.
    sr : int
        [Hz] Sample rate.
    f_min, f_max : float
        [Hz] Range of the bands, and of the envelope.
    cells : int
        Number of bands.
    lowest : float
        [Hz] Of a fundamental.
    modulation_max, tone_max : float
        [Hz] Highest fundamental of the envelope, and of the sound itself.

    Returns
    -------
    np.ndarray [shape=(1, 4 + cells + 10), dtype=float32]
        Finite for silence, too.

    References
    ----------
    Randall, "Vibration-based condition monitoring", Wiley 2011, for the features; the selection is ours.

    Examples
    --------
    >>> statistics(np.random.default_rng(0).standard_normal(16000)).shape
    (1, 30)
    """
    x = y.astype(np.float64) - y.mean(dtype=np.float64)
    rows = [_shape(x), _band_energies(x, sr, np.geomspace(f_min, f_max, cells + 1))]
    envelope = squared_envelope(x, sr, f_min, f_max)
    for signal, highest in ((envelope, modulation_max), (x, tone_max)):
        power = periodogram(signal, sr, (HARMONICS + 1) * highest)
        rows.append(_strongest_harmonics(power, sr / len(signal), lowest, highest))
    return np.concatenate(rows)[None].astype(np.float32)


def _shape(x: np.ndarray) -> np.ndarray:
    """Compute level [dB], crest factor [dB], skewness and log kurtosis of samples without mean."""
    squares = x * x
    power, largest = squares.mean() + SILENT, squares.max() + SILENT
    if power <= 2 * SILENT:
        return np.array([10 * np.log10(power), 0.0, 0.0, 0.0])
    skewness, kurtosis = squares @ x / len(x) / power**1.5, squares @ squares / len(x) / power**2
    return np.array([10 * np.log10(power), 10 * np.log10(largest / power), skewness, np.log(kurtosis)])


def _band_energies(x: np.ndarray, sr: int, edges: np.ndarray) -> np.ndarray:
    """Compute the energies [dB] between edges [Hz], re their sum."""
    power = np.abs(fft.rfft(x)) ** 2
    frequencies = fft.rfftfreq(len(x), 1 / sr)
    summed = np.r_[0.0, np.cumsum(power)][np.searchsorted(frequencies, edges)]
    energies = np.diff(summed)
    least = SILENT * max(float(power.sum()), 1.0)
    decibel: np.ndarray = 10 * np.log10((energies + least) / (energies.sum() + least))
    return decibel


def _strongest_harmonics(power: np.ndarray, step: float, lowest: float, highest: float) -> np.ndarray:
    """Measure the strongest harmonic series of a power spectrum, with its side bands.

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
        return np.zeros(VALUES)
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


@FRONT_ENDS.register("statistics")
class StatisticsParams(FrontEndParams):
    """Keywords of :func:`statistics`."""

    function = statistics
    seconds_in_python: ClassVar[float] = 0.02

    f_min: FiniteFloat = Field(50, gt=0, description="[Hz]")
    f_max: FiniteFloat = Field(8000, gt=0, description="[Hz]")
    cells: int = Field(16, ge=1, description="bands of equal width on a logarithmic scale from f_min to f_max")
    lowest: FiniteFloat = Field(4, gt=0, description="[Hz] of a fundamental")
    modulation_max: FiniteFloat = Field(120, gt=0, description="[Hz] highest fundamental of the envelope")
    tone_max: FiniteFloat = Field(400, gt=0, description="[Hz] highest fundamental of the sound itself")

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return at_most(above(value, info.data.get("f_min"), "f_min"), nyquist(info), "half the sample_rate")

    @property
    def n_features(self) -> int:
        """Width of a row: the shape of the distribution, band energies, two harmonic series."""
        return 4 + self.cells + 2 * VALUES

    @property
    def n_rows(self) -> int:
        """Rows of every clip."""
        return 1
