"""Characteristic frequencies of a machine in a recording of its sound or vibration."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.features.combs import Family, families
from asd.features.envelope import periodogram, squared_envelope
from asd.features.params import FrequenciesParams
from asd.features.prewhitening import cepstral

Kind = Literal["fault", "speed", "unknown"]
KINDS: tuple[Kind, ...] = ("fault", "speed", "unknown")

FALSE_ALARMS = 0.01  # share of recordings of noise in which a frequency may be claimed
PERIODS = 4  # least number in a recording
SLOWEST = 0.5  # [Hz]
FASTEST = 1000.0  # [Hz] fundamental of an envelope
SLOWEST_TONE, FASTEST_TONE, HIGHEST_TONE = 5.0, 2000.0, 4000.0  # [Hz] fundamental, and its harmonics
TONE_PERIODS = 25
LOW_EDGE, HIGH_EDGE = 500.0, 0.95  # [Hz] and share of half the rate: the band that is demodulated when none is given
SAME = 0.0075  # relative difference of frequencies that are the same, or multiples
LEADING = 0.5  # least strength of a fault, relative to the strongest family
TONAL = 2.0  # a family so much stronger in the spectrum than in the envelope is no train of impacts
SAME_FAMILY = 12  # orders up to which lines are harmonics rather than a mesh that is modulated
IMPACTS = 3  # harmonics in the envelope that make impacts


@dataclass(frozen=True)
class Candidate:
    """A characteristic frequency of a recording."""

    frequency: float
    """[Hz]"""
    kind: Kind
    """``fault``: impacts that are no multiple of the speed. ``speed``: a shaft, its orders, what turns with it.
    ``unknown``: too little to tell."""
    harmonics: tuple[int, ...]
    """Orders of the lines that are there."""
    side_bands: float
    """[Hz] distance of side bands, 0 where there are none."""
    strength: float
    """[nats] over the local noise floor, summed over five harmonics."""
    confidence: float
    """1 less the probability that a recording of noise has such a family."""


@dataclass(frozen=True)
class View:
    """A power spectrum in which families are looked for."""

    power: np.ndarray
    step: float
    lowest: float
    highest: float
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

    Families of lines are looked for in the spectrum of the squared envelope - of the band that is given, or of the
    whole recording after cepstral pre-whitening (Randall and Antoni, MSSP 25, 2011; Borghesani et al., MSSP 36,
    2013) - and in the spectrum itself, where tones stand; see :func:`asd.features.combs.families`.

    Parameters
    ----------
    waveform : np.ndarray [shape=(samples,)]
        Of any scale.
    sample_rate : int
        [Hz]
    band : tuple of float, optional
        [Hz] Lower and upper edge of the band to demodulate; then the envelope alone is looked at.
    speed : float, optional
        [Hz] of the shaft, where it is known.
    false_alarms : float
        Share of recordings of noise in which any frequency may be claimed.

    Returns
    -------
    list of Candidate
        Faults first, then by strength; empty where there is nothing but noise.
    """
    found = [
        families(view.power, view.step, view.lowest, view.highest, false_alarms / 2, view.least, view.window)
        for view in views(waveform, sample_rate, band)
    ]
    enveloped, tonal = (*found, [])[:2]
    return _ranked(_classified(enveloped, tonal, speed))


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
    """Compute the spectra in which families are looked for: of the envelope, and without a given band of the sound."""
    signal = waveform.astype(np.float64) - np.mean(waveform, dtype=np.float64)
    half, seconds = sample_rate / 2, len(signal) / sample_rate
    low, high = band or (min(LOW_EDGE, half / 10), HIGH_EDGE * half)
    envelope = squared_envelope(signal if band else cepstral(signal), sample_rate, low, high)
    fastest = min(FASTEST, half / 8)
    slowest = max(SLOWEST, PERIODS / seconds)
    enveloped = View(periodogram(envelope, sample_rate, 2 * fastest), 1 / seconds, slowest, fastest, 2, 121)
    if band:
        return [enveloped]
    highest = min(HIGHEST_TONE, HIGH_EDGE * half)
    slowest = max(SLOWEST_TONE, TONE_PERIODS / seconds)
    return [enveloped, View(periodogram(signal, sample_rate, highest), 1 / seconds, slowest, highest / 2, 3, 61)]


def _classified(enveloped: list[Family], tonal: list[Family], speed: float | None) -> list[Candidate]:
    """Merge what both spectra hold, and say what each family is."""
    most = max((f.strength for f in (*enveloped, *tonal)), default=0.0)
    shafts = [speed] if speed else _shafts(enveloped, tonal)
    found = []
    for family in enveloped:
        twin = next((t for t in tonal if _same(t.frequency, family.frequency)), None)
        found.append(_candidate(family, _kind(family, twin, shafts, most)))
    for family in tonal:
        if not any(_multiple(family.frequency, e.frequency) for e in enveloped):
            turns = len(family.harmonics) > 1 or any(_multiple(family.frequency, shaft) for shaft in shafts)
            found.append(_candidate(family, "speed" if turns else "unknown"))
    return found


def _kind(family: Family, twin: Family | None, shafts: list[float], most: float) -> Kind:
    if any(_multiple(family.frequency, shaft) for shaft in shafts):
        return "speed"
    if twin and twin.strength > TONAL * family.strength:
        return "speed"
    impacts = len(family.harmonics) >= IMPACTS and family.strength >= LEADING * most
    return "fault" if impacts else "unknown"


def _shafts(enveloped: list[Family], tonal: list[Family]) -> list[float]:
    """Find what modulates: families whose frequency is the distance of the side bands of a stronger one.

    Tones beside a tone tell a shaft only if nothing strikes at that rate: impacts make such rows of tones, too.
    """
    every = (*enveloped, *tonal)
    striking = [f.frequency for f in enveloped if len(f.harmonics) >= IMPACTS]

    def modulates(slow: Family, fast: Family) -> bool:
        apart = abs(slow.frequency - fast.side_bands) <= max(2 * SAME * slow.frequency, 0.2)
        return apart and fast.strength >= slow.strength and not _multiple(fast.frequency, slow.frequency, SAME_FAMILY)

    return [
        slow.frequency
        for slow in every
        if any(modulates(slow, fast) for fast in enveloped)
        or (any(modulates(slow, fast) for fast in tonal) and not any(_same(slow.frequency, f) for f in striking))
    ]


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(one, other)


def _multiple(frequency: float, fundamental: float, highest: float = np.inf) -> bool:
    order = max(1, round(frequency / fundamental))
    return order <= highest and abs(frequency / fundamental - order) <= min(SAME * order, 0.05)


def _candidate(family: Family, kind: Kind) -> Candidate:
    return Candidate(
        family.frequency, kind, tuple(family.harmonics), family.side_bands, family.strength, family.confidence
    )


def _ranked(candidates: list[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (c.kind != "fault", -c.strength))
