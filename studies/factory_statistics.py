"""Describe one clip of the simulated factory: log-mel, variogram, spectrum, envelopes, lines at known frequencies."""

from functools import cache
from typing import Any

import numpy as np
from scipy.fft import ifft, irfft, rfft

from asd.base.section import load
from asd.datasets.simulated.plan import Order
from asd.datasets.simulated.signals import RATE
from asd.datasets.simulated.simulation import Stems, quantised, simulate
from asd.features.mel import log_mel
from asd.features.params import FrontEnd, FrontEndParams
from studies.factory import PARAMS

BANDS = ((200, 1000), (1000, 2000), (2000, 4000), (4000, 7600))  # [Hz] of envelopes
HARMONICS = np.arange(1, 13)
WINDOW, CELL = 1024, 4  # [samples], [bins] of 15.6 Hz
BLOCK = 16  # [samples] over which an envelope is averaged
LAGS = np.unique(np.geomspace(3, 200, 24).astype(int))  # [blocks, 1 ms each] of its autocorrelation
QUANTILES = (0.02, 0.1, 0.5, 0.9, 0.98, 0.998)
MELS = 32


def recording(stems: Stems) -> np.ndarray:
    """Give the first channel as a file would hold it, full scale 1."""
    return quantised(stems.healthy + stems.fault + stems.noise)[:, 0].astype(np.float32) / 32768


def squared_envelope(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Compute the squared envelope of a band by its one-sided spectrum."""
    spectrum = np.zeros(len(samples), dtype=np.complex64)
    band = slice(*(round(hz / RATE * len(samples)) for hz in (low, high)))
    spectrum[band] = 2 * rfft(samples)[band]
    analytic = ifft(spectrum)
    return analytic.real**2 + analytic.imag**2


def listening(order: Order) -> tuple[np.ndarray, dict[str, Any]]:
    """Describe a clip to a supervised classifier that knows the machine's characteristic frequencies.

    Returns
    -------
    np.ndarray [shape=(features,)]
        Of the log-mel spectrogram: mean, deviation, skewness and high and low percentiles over time in every band, and
        the variogram; mean and median power in cells of 62.5 Hz; of the envelope in :data:`BANDS`: kurtosis, crest,
        and how far its spectrum stands out at multiples of every frequency; the same of the sound's own spectrum.
    dict
        The clip's facts.
    """
    stems = simulate(order)
    samples = recording(stems)
    hz = [float(pair.split("=")[1]) for pair in stems.facts["frequencies_hz"].split(";")]
    envelopes = [envelope_statistics(samples, *band, hz) for band in BANDS]
    parts = [
        mel_statistics(samples),
        variograms(samples),
        power_spectrum(samples),
        *envelopes,
        spectral_lines(samples, hz),
    ]
    return np.concatenate(parts), stems.facts


def mel_statistics(samples: np.ndarray) -> np.ndarray:
    """Describe the log-mel spectrogram, neighbouring bands averaged."""
    rows = log_mel(samples, _front_end("log_mel"))
    rows = rows.reshape(len(rows), MELS, -1).mean(axis=2)
    low, middle, high = np.percentile(rows, [5, 50, 95], axis=0)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    skewness = (((rows - mean) / deviation) ** 3).mean(axis=0)
    return np.concatenate([mean - mean.mean(), deviation, high - middle, middle - low, skewness])


def variograms(samples: np.ndarray) -> np.ndarray:
    """Compute the log mean squared difference of frames of 4 ms at lags of 4 to 256 ms, in 32 mel bands."""
    rows = log_mel(samples, _front_end("log_mel_fine"))
    return np.concatenate(
        [np.log(np.mean((rows[lag:] - rows[:-lag]) ** 2, axis=0) + 1e-3) for lag in 2 ** np.arange(7)]
    )


def power_spectrum(samples: np.ndarray) -> np.ndarray:
    """Compute the logarithms of mean and median power over time in cells of 62.5 Hz, each less its mean."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[:: WINDOW // 2] * np.hanning(WINDOW)
    power = np.abs(rfft(frames, axis=1)[:, :-1]) ** 2
    cells = [np.log(p + 1e-12).reshape(-1, CELL).mean(axis=1) for p in (power.mean(axis=0), np.median(power, axis=0))]
    return np.concatenate([each - each.mean() for each in cells])


def spectral_lines(samples: np.ndarray, frequencies: list[float]) -> np.ndarray:
    """Say by how much the sound's spectrum stands out at multiples of frequencies [Hz] (natural logarithm of power)."""
    power = np.abs(rfft(samples * np.hanning(len(samples)))) ** 2
    places = [k * f * len(samples) / RATE for f in frequencies for k in HARMONICS]
    return np.array([_prominence(power, place) for place in places])


@cache
def _front_end(name: str) -> FrontEndParams:
    """Read a front end's block of the shipped params once: a clip takes a fifth longer otherwise."""
    return load(FrontEnd, "features", name, path=PARAMS).root


def _prominence(power: np.ndarray, place: float) -> float:
    """Compare the mean power about a place [bins] with the median of what surrounds it; 0 beyond the spectrum."""
    width, around = max(0.006 * place, 2), max(0.08 * place, 60)
    if place + width >= len(power):
        return 0.0
    near, far = (power[max(0, round(place - w)) : round(place + w) + 1] for w in (width, around))
    return float(np.log(near.mean() / np.median(far)))


def envelope_statistics(samples: np.ndarray, low: float, high: float, frequencies: list[float]) -> np.ndarray:
    """Describe the squared envelope of a band, averaged over milliseconds."""
    fine = squared_envelope(samples, low, high)
    envelope = fine[: len(fine) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(axis=1) / fine.mean()
    varying = envelope - envelope.mean()
    spectrum = np.abs(rfft(varying * np.hanning(len(varying)), 2 * len(varying)))
    autocorrelation = irfft(np.abs(rfft(varying, 2 * len(varying))) ** 2)
    step = RATE / BLOCK / 2 / len(varying)
    lines = [_line(spectrum, step, k * f) for f in frequencies for k in HARMONICS]
    values = [np.log(np.mean(envelope**2)), *np.log(np.quantile(envelope, QUANTILES) + 1e-3)]
    return np.concatenate([values, autocorrelation[LAGS] / autocorrelation[0], lines])


def _line(spectrum: np.ndarray, step: float, hz: float) -> float:
    """Say by how much (natural logarithm) a line stands above what surrounds it; 0 beyond the spectrum."""
    place, width, around = hz / step, max(0.01 * hz / step, 1.5), max(0.15 * hz / step, 40)
    if place + width >= len(spectrum):
        return 0.0
    near, far = (spectrum[max(0, round(place - w)) : round(place + w) + 1] for w in (width, around))
    return float(np.log(near.max() / np.median(far)))
