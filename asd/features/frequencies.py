"""Characteristic frequencies of a machine in a recording of its sound or vibration."""

from dataclasses import dataclass

import numpy as np

from asd.features.envelope import periodogram, squared_envelope
from asd.features.fault_kinds import Candidate, classify, distinct, merge_same, without_side_bands
from asd.features.harmonic_series import HarmonicSeries, harmonic_series
from asd.features.prewhitening import autoregressive, cepstral

FALSE_ALARMS = 0.01  # share of recordings of noise in which a frequency may be claimed
PERIODS = 4  # least number in a recording
SLOWEST = 0.5  # [Hz]
FASTEST = 1000.0  # [Hz] fundamental of an envelope
SLOWEST_TONE, FASTEST_TONE, HIGHEST_TONE = 5.0, 2000.0, 4000.0  # [Hz] fundamental, and its harmonics
TONE_PERIODS = 25
LOW_EDGE, HIGH_EDGE = 500.0, 0.95  # [Hz] and share of half the rate: the band that is demodulated when none is given
ORDER = 100  # of the autoregressive prediction


@dataclass(frozen=True)
class View:
    """A power spectrum in which harmonic series are sought."""

    name: str
    tonal: bool
    """Of the sound itself rather than of its envelope."""
    power: np.ndarray
    step: float
    """[Hz] between cells."""
    lowest: float
    """[Hz] of a fundamental."""
    highest: float
    """[Hz] of a fundamental."""
    least: int
    """Harmonics that must be seen."""
    window: int
    """Cells of the local noise floor."""


def characteristic_frequencies(
    y: np.ndarray,
    sr: int,
    band: tuple[float, float] | None = None,
    speed: float | None = None,
    false_alarms: float = FALSE_ALARMS,
    thorough: bool = True,
) -> list[Candidate]:
    """Find the characteristic frequencies of a recording, and separate those of faults from those of the speed.

    Harmonic series are sought in the spectrum of the squared envelope (Randall and Antoni, MSSP 25, 2011) - of
    the band that is given, or of the whole recording after pre-whitening: cepstral (Borghesani et al., MSSP 36,
    2013), which leaves nothing of tones, and autoregressive, which leaves more of impacts without slip - and in the
    spectrum itself, where tones stand; see :func:`asd.features.harmonic_series.harmonic_series`.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Recording, of any scale.
    sr : int
        [Hz] Sample rate.
    band : tuple of float, optional
        [Hz] Lower and upper edge of the band to demodulate; then its envelope alone is searched.
    speed : float, optional
        [Hz] of the shaft, where it is known.
    false_alarms : float
        Share of recordings of noise in which any frequency may be claimed.
    thorough : bool
        Leave the side bands of a series in the spectrum for the next search, since another series may stand there,
        name none twice - neither side bands nor near-equal frequencies - and count with what is unknown about the
        noise floor. False is the faster search by which the pipeline's front end tabulates frequencies.

    Returns
    -------
    list of Candidate
        Faults first, then by strength; empty where there is nothing but noise.

    Examples
    --------
    >>> time = np.arange(64000) / 16000
    >>> noise = np.random.default_rng(0).standard_normal(len(time))
    >>> found = characteristic_frequencies(noise * (1 + np.cos(2 * np.pi * 25 * time)), 16000)
    >>> round(found[0].frequency, 1)
    25.0
    """
    spectra = views(y, sr, band)
    enveloped: list[HarmonicSeries] = []
    tonal: list[HarmonicSeries] = []
    for view in spectra:
        # the stated share of false alarms is divided among the spectra
        limits = view.step, view.lowest, view.highest, false_alarms / len(spectra), view.least, view.window
        (tonal if view.tonal else enveloped).extend(harmonic_series(view.power, *limits, thorough))
    merged = merge_same(enveloped)
    if not thorough:
        return classify(merged, tonal, speed)
    return distinct(classify(without_side_bands(merged), tonal, speed, slowest=True), sr / len(y))


def views(y: np.ndarray, sr: int, band: tuple[float, float] | None = None) -> list[View]:
    """Compute the spectra in which series are sought: of envelopes, and where no band is given of the sound itself.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Sample rate.
    band : tuple of float, optional
        [Hz] The band to demodulate.

    Returns
    -------
    list of View
    """
    signal = y.astype(np.float64) - np.mean(y, dtype=np.float64)
    if band:
        return [_enveloped("squared envelope of the band", signal, sr, band)]
    half = sr / 2
    whole = min(LOW_EDGE, half / 10), HIGH_EDGE * half
    predicted = autoregressive(signal, min(ORDER, len(signal) - 1))
    return [
        _enveloped("squared envelope, cepstral pre-whitening", cepstral(signal), sr, whole),
        _enveloped("squared envelope, autoregressive pre-whitening", predicted, sr, whole),
        _sound(signal, sr),
    ]


def _enveloped(name: str, signal: np.ndarray, sr: int, band: tuple[float, float]) -> View:
    seconds, fastest = len(signal) / sr, min(FASTEST, sr / 16)
    power = periodogram(squared_envelope(signal, sr, *band), sr, 2 * fastest)
    return View(name, False, power, 1 / seconds, max(SLOWEST, PERIODS / seconds), fastest, least=2, window=121)


def _sound(signal: np.ndarray, sr: int) -> View:
    seconds, highest = len(signal) / sr, min(HIGHEST_TONE, HIGH_EDGE * sr / 2)
    power, slowest = periodogram(signal, sr, highest), max(SLOWEST_TONE, TONE_PERIODS / seconds)
    return View("sound", True, power, 1 / seconds, slowest, min(FASTEST_TONE, highest / 2), least=3, window=61)
