"""Envelope spectrum: the rhythm of a machine - strokes, blades, bearing faults - freed of its carrier."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.signal import hilbert
from scipy.signal.windows import hann

from asd.features.bands import Band, kurtogram, kurtosis_band
from asd.features.filters import band_pass
from asd.features.params import EnvelopeSpectrumParams
from asd.features.prewhitening import autoregressive, cepstral

CHOICES: dict[str, Callable[[np.ndarray, int, float, float], Band]] = {
    "kurtogram": kurtogram,
    "spectral_kurtosis": kurtosis_band,
}


def envelope_spectrum(waveform: np.ndarray, params: EnvelopeSpectrumParams) -> np.ndarray:
    """Compute the amplitude spectrum of the envelope of a band.

    Pre-whitening if any, band-pass, magnitude of the analytic signal or its square, less the mean, Hann window,
    Fourier transform (Randall and Antoni, "Rolling element bearing diagnostics - a tutorial", MSSP 25, 2011). A clip
    shorter than 1 / ``resolution`` is padded with zeros; of a longer one, which resolves more, the largest value
    within each band is taken.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : EnvelopeSpectrumParams
        With the band ``given``, or chosen clip by clip within ``band_low`` ... ``band_high``.

    Returns
    -------
    np.ndarray [shape=(1, f_max / resolution + 1), dtype=float32]
        Amplitude of the envelope's oscillation at 0, ``resolution``, ... ``f_max`` [Hz], re full scale 1; of the
        squared envelope re its square. After pre-whitening no longer re full scale.
    """
    envelope = _envelope(_prewhitened(waveform, params), params)
    window = _window(len(envelope))
    points = round(params.sample_rate / params.resolution)
    finer = -(-len(envelope) // points)  # times the resolution asked for
    spectrum = np.abs(fft.rfft((envelope - envelope.mean()) * window, finer * points)) * (2 / window.sum())
    return _coarse(spectrum, finer, params.bands)[None].astype(np.float32)


def _prewhitened(waveform: np.ndarray, params: EnvelopeSpectrumParams) -> np.ndarray:
    if params.prewhitening == "cepstral":
        return cepstral(waveform)
    if params.prewhitening == "autoregressive":
        return autoregressive(waveform, min(params.order, len(waveform) - 1))
    return waveform


def _envelope(waveform: np.ndarray, params: EnvelopeSpectrumParams) -> np.ndarray:
    low, high = params.band_low, params.band_high
    if params.band == "contrast":
        raise ValueError("band is contrast: fit the front end to the machine's clips and the noise first")
    if params.band in CHOICES:
        low, high = CHOICES[params.band](waveform, params.sample_rate, low, high)
    if params.envelope == "squared":
        return squared_envelope(waveform, params.sample_rate, low, high)
    band = band_pass(waveform, low, high, params.sample_rate)
    magnitude: np.ndarray = np.abs(hilbert(band, fft.next_fast_len(len(band))))[: len(band)]
    return magnitude


def squared_envelope(waveform: np.ndarray, sample_rate: int, low: float, high: float) -> np.ndarray:
    """Compute the squared envelope of a band through its analytic signal.

    The one-sided spectrum is cut to the band, an ideal filter without delay (Randall and Antoni, MSSP 25, 2011).

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
    sample_rate : int
        [Hz]
    low, high : float
        [Hz] Edges of the band.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=float64]
        ``|z|^2`` of the analytic signal z.
    """
    points = fft.next_fast_len(len(waveform), real=True)
    spectrum = fft.rfft(np.asarray(waveform, np.float64), points)
    frequency = fft.rfftfreq(points, 1 / sample_rate)
    one_sided = np.zeros(points, np.complex128)
    one_sided[: len(spectrum)] = np.where((frequency >= low) & (frequency <= high), 2 * spectrum, 0)
    analytic = fft.ifft(one_sided, overwrite_x=True)[: len(waveform)]
    squared: np.ndarray = analytic.real**2 + analytic.imag**2
    return squared


def periodogram(signal: np.ndarray, sample_rate: int, highest: float) -> np.ndarray:
    """Compute the power spectrum of a signal less its mean, with a Hann window, up to a frequency [Hz].

    Returns
    -------
    np.ndarray [shape=(cells,)]
        At 0, 1 / T, 2 / T ... for a signal of T seconds.
    """
    spectrum = fft.rfft((signal - signal.mean()) * _window(len(signal)))
    part = spectrum[: int(highest * len(signal) / sample_rate) + 1]
    power: np.ndarray = part.real**2 + part.imag**2
    return power


def _coarse(spectrum: np.ndarray, finer: int, bands: int) -> np.ndarray:
    """Take the maximum of the ``finer`` lines about each band's centre."""
    cells = np.zeros(bands * finer)
    part = spectrum[: len(cells) - finer // 2]
    cells[finer // 2 : finer // 2 + len(part)] = part
    largest: np.ndarray = cells.reshape(bands, finer).max(axis=1)
    return largest


@lru_cache(maxsize=4)
def _window(length: int) -> np.ndarray:
    window: np.ndarray = hann(length, sym=False)
    window.setflags(write=False)
    return window
