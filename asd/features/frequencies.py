"""Characteristic frequencies of a machine in a recording of its sound or vibration."""

from dataclasses import dataclass

import numpy as np

from asd.features.combs import Family, families
from asd.features.envelope import periodogram, squared_envelope
from asd.features.kinds import KINDS, Candidate, classified, merged
from asd.features.params import FrequenciesParams
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
    """A power spectrum in which families are looked for."""

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
    waveform: np.ndarray,
    sample_rate: int,
    band: tuple[float, float] | None = None,
    speed: float | None = None,
    false_alarms: float = FALSE_ALARMS,
) -> list[Candidate]:
    """Find the characteristic frequencies of a recording, and tell those of faults from those of the speed.

    Families of lines are looked for in the spectrum of the squared envelope (Randall and Antoni, MSSP 25, 2011) - of
    the band that is given, or of the whole recording after pre-whitening: cepstral (Borghesani et al., MSSP 36,
    2013), which leaves nothing of tones, and autoregressive, which leaves more of impacts without slip - and in the
    spectrum itself, where tones stand; see :func:`asd.features.combs.families`.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
        Of any scale.
    sample_rate : int
        [Hz]
    band : tuple of float, optional
        [Hz] Lower and upper edge of the band to demodulate; then its envelope alone is looked at.
    speed : float, optional
        [Hz] of the shaft, where it is known.
    false_alarms : float
        Share of recordings of noise in which any frequency may be claimed.

    Returns
    -------
    list of Candidate
        Faults first, then by strength; empty where there is nothing but noise.
    """
    looked_at = views(waveform, sample_rate, band)
    found: dict[bool, list[Family]] = {False: [], True: []}
    for view in looked_at:
        found[view.tonal] += families(
            view.power, view.step, view.lowest, view.highest, false_alarms / len(looked_at), view.least, view.window
        )
    return classified(merged(found[False]), found[True], speed)


def frequency_table(waveform: np.ndarray, params: FrequenciesParams) -> np.ndarray:
    """Compute the front end of those who read characteristic frequencies: one row a candidate, faults first.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,), dtype=float32]
        At ``params.sample_rate``.
    params : FrequenciesParams

    Returns
    -------
    np.ndarray [shape=(candidates, 6), dtype=float32]
        Frequency [Hz], kind (1: fault, 2: speed, 3: unknown), number of harmonics, distance of side bands [Hz],
        strength [nat], confidence; zeros where there are fewer candidates.
    """
    rows = np.zeros((params.candidates, params.bands), np.float32)
    found = characteristic_frequencies(waveform, params.sample_rate, false_alarms=params.false_alarms)
    for row, c in zip(rows, found, strict=False):
        row[:] = c.frequency, 1 + KINDS.index(c.kind), len(c.harmonics), c.side_bands, c.strength, c.confidence
    return rows


def views(waveform: np.ndarray, sample_rate: int, band: tuple[float, float] | None = None) -> list[View]:
    """Compute the spectra in which families are looked for: of envelopes, and without a given band of the sound."""
    signal = waveform.astype(np.float64) - np.mean(waveform, dtype=np.float64)
    if band:
        return [_enveloped("squared envelope of the band", signal, sample_rate, band)]
    half = sample_rate / 2
    whole = min(LOW_EDGE, half / 10), HIGH_EDGE * half
    predicted = autoregressive(signal, min(ORDER, len(signal) - 1))
    return [
        _enveloped("squared envelope, cepstral pre-whitening", cepstral(signal), sample_rate, whole),
        _enveloped("squared envelope, autoregressive pre-whitening", predicted, sample_rate, whole),
        _sound(signal, sample_rate),
    ]


def _enveloped(name: str, signal: np.ndarray, sample_rate: int, band: tuple[float, float]) -> View:
    seconds, fastest = len(signal) / sample_rate, min(FASTEST, sample_rate / 16)
    power = periodogram(squared_envelope(signal, sample_rate, *band), sample_rate, 2 * fastest)
    return View(name, False, power, 1 / seconds, max(SLOWEST, PERIODS / seconds), fastest, least=2, window=121)


def _sound(signal: np.ndarray, sample_rate: int) -> View:
    seconds, highest = len(signal) / sample_rate, min(HIGHEST_TONE, HIGH_EDGE * sample_rate / 2)
    power, slowest = periodogram(signal, sample_rate, highest), max(SLOWEST_TONE, TONE_PERIODS / seconds)
    return View("sound", True, power, 1 / seconds, slowest, min(FASTEST_TONE, highest / 2), least=3, window=61)
