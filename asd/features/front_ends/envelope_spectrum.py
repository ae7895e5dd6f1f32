"""Envelope spectrum: the rhythm of a machine - strokes, blades, bearing faults - freed of its carrier."""

from collections.abc import Callable
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator
from scipy import fft
from scipy.signal import hilbert

from asd.features.band_selection import Band, contrast_band, kurtogram, kurtosis_band, power_ratio
from asd.features.envelope import periodic_hann, squared_envelope
from asd.features.filters import band_pass
from asd.features.front_end import FRONT_ENDS, FrontEndParams, above, at_most, below, nyquist
from asd.features.prewhitening import autoregressive, cepstral

CHOICES: dict[str, Callable[[np.ndarray, int, float, float], Band]] = {
    "given": lambda y, sr, low, high: (low, high),
    "kurtogram": kurtogram,
    "spectral_kurtosis": kurtosis_band,
}
PREWHITENING: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "none": lambda y, order: y,
    "cepstral": lambda y, order: cepstral(y),
    "autoregressive": lambda y, order: autoregressive(y, min(order, len(y) - 1)),
}


def envelope_spectrum(
    y: np.ndarray,
    sr: int = 16000,
    band_low: float = 500.0,
    band_high: float = 7600.0,
    resolution: float = 0.25,
    f_max: float = 200.0,
    *,
    band: str = "given",
    prewhitening: str = "none",
    order: int = 100,
    envelope: str = "magnitude",
) -> np.ndarray:
    """Compute the amplitude spectrum of the envelope of a band.

    Pre-whitening if any, band-pass, magnitude of the analytic signal or its square, less the mean, Hann window,
    Fourier transform (Randall and Antoni, "Rolling element bearing diagnostics - a tutorial", MSSP 25, 2011). A clip
    shorter than 1 / ``resolution`` is padded with zeros; of a longer one, which resolves more, the largest value
    within each cell is taken.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Waveform, full scale 1.
    sr : int
        [Hz] Sample rate.
    band_low, band_high : float
        [Hz] The band, or the limits within which it is chosen.
    resolution : float
        [Hz] Between cells of the spectrum; a whole fraction of ``sr`` and of ``f_max``.
    f_max : float
        [Hz] Highest frequency of modulation.
    band : str
        ``given``; or the most impulsive one of the clip: ``kurtogram``, ``spectral_kurtosis``.
    prewhitening : str
        ``none``, ``cepstral`` or ``autoregressive``; see :mod:`asd.features.prewhitening`.
    order : int
        Of the autoregressive prediction.
    envelope : str
        ``magnitude`` or ``squared``.

    Returns
    -------
    np.ndarray [shape=(1, f_max / resolution + 1), dtype=float32]
        Amplitude of the envelope's oscillation at 0, ``resolution``, ... ``f_max`` [Hz], re full scale 1; of the
        squared envelope re its square. After pre-whitening no longer re full scale.

    Examples
    --------
    >>> time = np.arange(64000) / 16000
    >>> y = np.sin(2 * np.pi * 3000 * time) * (1 + 0.5 * np.cos(2 * np.pi * 25 * time))
    >>> spectrum = envelope_spectrum(y)[0]
    >>> float(spectrum.argmax() * 0.25), round(float(spectrum.max()), 2)
    (25.0, 0.5)
    """
    if band not in CHOICES:
        raise ValueError(f"band is {band}: fit the front end to the machine's clips and the noise first")
    white = PREWHITENING[prewhitening](y, order)
    low, high = CHOICES[band](white, sr, band_low, band_high)
    signal = squared_envelope(white, sr, low, high) if envelope == "squared" else _magnitude(white, sr, low, high)
    window = periodic_hann(len(signal))
    finer = -(-len(signal) // round(sr / resolution))  # times the resolution asked for
    points = finer * round(sr / resolution)
    spectrum = np.abs(fft.rfft((signal - signal.mean()) * window, points)) * (2 / window.sum())
    return _coarse(spectrum, finer, round(f_max / resolution) + 1)[None].astype(np.float32)


def _magnitude(y: np.ndarray, sr: int, low: float, high: float) -> np.ndarray:
    band = band_pass(y, low, high, sr)
    magnitude: np.ndarray = np.abs(hilbert(band, fft.next_fast_len(len(band))))[: len(band)]
    return magnitude


def _coarse(spectrum: np.ndarray, finer: int, n_cells: int) -> np.ndarray:
    """Take the maximum of the ``finer`` lines about each cell's centre, ``(n_cells,)``."""
    lines = np.zeros(n_cells * finer)
    part = spectrum[: len(lines) - finer // 2]
    lines[finer // 2 : finer // 2 + len(part)] = part
    largest: np.ndarray = lines.reshape(n_cells, finer).max(axis=1)
    return largest


@FRONT_ENDS.register("envelope_spectrum")
class EnvelopeSpectrumParams(FrontEndParams):
    """Keywords of :func:`envelope_spectrum`."""

    function = envelope_spectrum
    encodable: ClassVar[bool] = False
    highest: ClassVar[str] = "band_high"

    band_low: FiniteFloat = Field(gt=0, description="[Hz]")
    band_high: FiniteFloat = Field(gt=0, description="[Hz]")
    resolution: FiniteFloat = Field(
        ge=1e-3, description="[Hz] between cells; a whole fraction of sample_rate and f_max"
    )
    f_max: FiniteFloat = Field(gt=0, description="[Hz] of modulation")
    band: Literal["given", "kurtogram", "spectral_kurtosis", "contrast"] = Field(
        "given",
        description="given; or within it the most impulsive one of a clip, or where the machine beats the noise",
    )
    prewhitening: Literal["none", "cepstral", "autoregressive"] = "none"
    order: int = Field(100, ge=1, description="of the autoregressive prediction")
    envelope: Literal["magnitude", "squared"] = "magnitude"

    @field_validator("band_high")
    @classmethod
    def _band_in_range(cls, value: float, info: ValidationInfo) -> float:
        return below(above(value, info.data.get("band_low"), "band_low"), nyquist(info), "half the sample_rate")

    @field_validator("resolution")
    @classmethod
    def _divides_rate(cls, value: float, info: ValidationInfo) -> float:
        if (rate := info.data.get("sample_rate")) and not _whole(rate / value):
            raise ValueError(f"must divide sample_rate ({rate}) without rest")
        return value

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        if (resolution := info.data.get("resolution")) and not _whole(value / resolution):
            raise ValueError(f"must be a multiple of resolution ({resolution:g})")
        return at_most(value, nyquist(info), "half the sample_rate")

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return round(self.f_max / self.resolution) + 1

    def lowered(self, sample_rate: int) -> Self:
        """See :meth:`FrontEndParams.lowered`; a band-pass ends a little below half the rate."""
        lowered = super().lowered(sample_rate)
        return lowered if lowered is self else self.model_copy(update={"band_high": sample_rate / 2 * 0.99})

    @property
    def fits_to_spectra(self) -> bool:
        """Whether the high-pass or the band is left open."""
        return super().fits_to_spectra or self.band == "contrast"

    def fitted_to_spectra(self, machine: np.ndarray, noise: np.ndarray) -> Self:
        """Choose the band in which the machine beats the noise; the kurtogram where there is none."""
        if self.band != "contrast":
            return self
        ratio = power_ratio(machine, noise)
        band = None if ratio is None else contrast_band(ratio, self.sample_rate, self.band_low, self.band_high)
        chosen = {"band": "given", "band_low": band[0], "band_high": band[1]} if band else {"band": "kurtogram"}
        return self.model_copy(update=chosen)


def _whole(value: float) -> bool:
    return abs(value - round(value)) <= 1e-9 * value and round(value) >= 1
