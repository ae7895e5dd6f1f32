"""Kinds of characteristic frequencies: faults, the speed and what turns with it, or too little to tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from asd.features.harmonic_series import HarmonicSeries

Kind = Literal["fault", "speed", "unknown"]
KINDS: tuple[Kind, ...] = ("fault", "speed", "unknown")

SAME = 0.0075  # relative difference of frequencies that are the same
LOCKED = 0.003  # the same of multiples, which turn as exactly as the shaft
NOMINAL = 0.025  # the same of a speed that is given, which may be the nameplate's
ORDERS = 12  # up to which multiples of a shaft are its orders rather than a coincidence
IMPACTS = 3  # harmonics in the envelope that make impacts
LEADING = 0.3  # least strength of a fault, relative to the strongest series
MODULATED = 0.5  # least strength of what a shaft modulates, relative to the shaft's own
NEAR = 0.01  # relative difference of frequencies that are reported as one
CARRIERS, SIDE_ORDERS = 2, 4  # harmonics about which, and orders up to which, a series may be side bands of another
TONAL, FEW = 2.0, 6  # a series so much stronger in the sound, of fewer harmonics in the envelope, is tones that beat


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
    """1 less the probability that a recording of noise has such a series."""


def merge_same(every: Iterable[HarmonicSeries]) -> list[HarmonicSeries]:
    """Keep the strongest of series of the same frequency, which several spectra hold; the strongest first."""
    kept: list[HarmonicSeries] = []
    for series in sorted(every, key=lambda series: -series.strength):
        if not any(_same(series.frequency, other.frequency) for other in kept):
            kept.append(series)
    return kept


def classify(
    enveloped: list[HarmonicSeries],
    tonal: list[HarmonicSeries],
    speed: float | None = None,
    slowest: bool = False,
) -> list[Candidate]:
    """Classify harmonic series, faults first, then by strength.

    Parameters
    ----------
    enveloped, tonal : list of HarmonicSeries
        Of the spectra of the envelope and of the sound itself.
    speed : float, optional
        [Hz] of the shaft, where it is known, to 2.5 %.
    slowest : bool
        Of several series that modulate others take the slowest strong one for the shaft rather than the strongest: a
        fault modulates as well, its own side bands.

    Returns
    -------
    list of Candidate
        Of the tonal series those alone that are no multiple of an enveloped one.
    """
    most = max((series.strength for series in (*enveloped, *tonal)), default=0.0)
    shaft = _measured_speed(speed, [*enveloped, *tonal]) if speed else _shaft(enveloped, tonal, slowest)
    found = []
    for series in enveloped:
        impacts = len(series.harmonics) >= IMPACTS and series.strength >= LEADING * most
        turns = _is_order(series.frequency, shaft) or _beats(series, tonal)
        found.append(_candidate(series, "speed" if turns else "fault" if impacts else "unknown"))
    for series in tonal:
        if not any(_is_order(series.frequency, other.frequency) for other in enveloped):
            turns = len(series.harmonics) > 1 or _is_order(series.frequency, shaft)
            found.append(_candidate(series, "speed" if turns else "unknown"))
    return sorted(found, key=lambda candidate: (candidate.kind != "fault", -candidate.strength))


def without_side_bands(every: list[HarmonicSeries]) -> list[HarmonicSeries]:
    """Leave out series that are side bands of a stronger one: about its first harmonics, at what modulates it.

    Parameters
    ----------
    every : list of HarmonicSeries
        The strongest first.

    Returns
    -------
    list of HarmonicSeries
    """
    kept: list[HarmonicSeries] = []
    for series in every:
        slower = [other.frequency for other in kept]
        modulates = any(_same(series.frequency, distance) for other in kept for distance in other.distances)
        if modulates or not any(_is_side_band(series.frequency, other, slower) for other in kept):
            kept.append(series)
    return kept


def _is_side_band(frequency: float, carrier: HarmonicSeries, others: list[float]) -> bool:
    """Tell whether a frequency stands beside a carrier's first harmonics at a distance of what modulates it."""
    modulators = [*carrier.distances[:1], *(other for other in others if other < carrier.frequency)]
    centres = np.arange(1, CARRIERS + 1)[:, None] * carrier.frequency
    once = np.r_[np.negative(carrier.distances), carrier.distances]
    often = np.outer(modulators, np.r_[-SIDE_ORDERS:0, 1 : SIDE_ORDERS + 1]).ravel()
    return bool((np.abs(centres + np.r_[once, often] - frequency) <= LOCKED * frequency).any())


def distinct(candidates: list[Candidate], resolution: float) -> list[Candidate]:
    """Keep the first of near-equal candidates.

    Parameters
    ----------
    candidates : list of Candidate
    resolution : float
        [Hz] of the spectrum: closer frequencies are one.

    Returns
    -------
    list of Candidate
    """
    kept: list[Candidate] = []
    for c in candidates:
        if not any(abs(c.frequency - other.frequency) <= max(NEAR * other.frequency, resolution) for other in kept):
            kept.append(c)
    return kept


def _measured_speed(speed: float, all_series: list[HarmonicSeries]) -> float:
    """Take the frequency of the strongest series about a nominal speed, or that as it is where there is none."""
    near = [series for series in all_series if abs(series.frequency / speed - 1) <= NOMINAL]
    return max(near, key=lambda series: series.strength).frequency if near else speed


def _shaft(enveloped: list[HarmonicSeries], tonal: list[HarmonicSeries], slowest: bool) -> float:
    """Find what turns: the strongest series whose frequency is the distance of another's side bands; 0 if none.

    With ``slowest`` it is the slowest of the strong ones.

    Tones beside a tone tell a shaft only if nothing strikes at that rate: impacts make such rows of tones, too.
    """
    striking = [series for series in enveloped if len(series.harmonics) >= IMPACTS]
    shafts = [
        slow
        for slow in (*enveloped, *tonal)
        if any(_modulates(slow, fast, MODULATED) for fast in striking)
        or (
            any(_modulates(slow, fast, 1.0) for fast in tonal)
            and not any(_same(slow.frequency, series.frequency) for series in striking)
        )
    ]
    if not shafts:
        return 0.0
    strongest = max(shafts, key=lambda series: series.strength)
    if slowest:
        strong = [series for series in shafts if series.strength >= LEADING * strongest.strength]
        first = min(series.frequency for series in strong)
        strongest = max((s for s in strong if s.frequency <= (1 + NEAR) * first), key=lambda series: series.strength)
    return strongest.frequency


def _modulates(slow: HarmonicSeries, fast: HarmonicSeries, fraction: float) -> bool:
    distances = fast.distances or (fast.side_bands,)
    alike = any(abs(slow.frequency - distance) <= max(2 * SAME * slow.frequency, 0.2) for distance in distances)
    return alike and fast.strength >= fraction * slow.strength and not _is_order(fast.frequency, slow.frequency)


def _beats(series: HarmonicSeries, tonal: list[HarmonicSeries]) -> bool:
    """Tell whether a series of the envelope is that of tones which beat."""
    twins = [twin for twin in tonal if _same(twin.frequency, series.frequency)]
    return len(series.harmonics) < FEW and any(twin.strength > TONAL * series.strength for twin in twins)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(one, other)


def _is_order(frequency: float, fundamental: float) -> bool:
    """Tell whether a frequency is the fundamental (0: there is none) or a low multiple of it."""
    if not fundamental:
        return False
    order = max(1, round(frequency / fundamental))
    return order <= ORDERS and abs(frequency / fundamental - order) <= max(SAME, LOCKED * order)


def _candidate(series: HarmonicSeries, kind: Kind) -> Candidate:
    return Candidate(
        series.frequency, kind, tuple(series.harmonics), series.side_bands, series.strength, series.confidence
    )
