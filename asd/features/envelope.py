"""Envelope spectrum: the rhythm of a machine - strokes, blades, bearing faults - freed of its carrier."""

import numpy as np
from scipy import fft
from scipy.signal import hilbert
from scipy.signal.windows import hann

from asd.features.filters import band_pass
from asd.features.params import EnvelopeSpectrumParams


def envelope_spectrum(waveform: np.ndarray, params: EnvelopeSpectrumParams) -> np.ndarray:
    """Compute the amplitude spectrum of the envelope of a band.

    Band-pass, magnitude of the analytic signal, less its mean, Hann window, Fourier transform (Randall and Antoni,
    "Rolling element bearing diagnostics - a tutorial", MSSP 25, 2011). A clip shorter than 1 / ``resolution`` is
    padded with zeros; of a longer one, which resolves more, the largest value within each band is taken.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        Full scale 1, at ``params.sample_rate``.
    params : EnvelopeSpectrumParams

    Returns
    -------
    np.ndarray [shape=(1, f_max / resolution + 1), dtype=float32]
        Amplitude of the envelope's oscillation at 0, ``resolution``, ... ``f_max`` [Hz], re full scale 1.
    """
    envelope = _envelope(band_pass(waveform, params.band_low, params.band_high, params.sample_rate))
    window = hann(len(envelope), sym=False)
    points = round(params.sample_rate / params.resolution)
    finer = -(-len(envelope) // points)  # times the resolution asked for
    spectrum = np.abs(fft.rfft((envelope - envelope.mean()) * window, finer * points)) * (2 / window.sum())
    return _coarse(spectrum, finer, params.bands)[None].astype(np.float32)


def _envelope(band: np.ndarray) -> np.ndarray:
    envelope: np.ndarray = np.abs(hilbert(band, fft.next_fast_len(len(band))))[: len(band)]
    return envelope


def _coarse(spectrum: np.ndarray, finer: int, bands: int) -> np.ndarray:
    """Take the maximum of the ``finer`` lines about each band's centre."""
    cells = np.zeros(bands * finer)
    part = spectrum[: len(cells) - finer // 2]
    cells[finer // 2 : finer // 2 + len(part)] = part
    largest: np.ndarray = cells.reshape(bands, finer).max(axis=1)
    return largest
