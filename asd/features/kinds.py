"""What families of lines tell: faults, the speed and what turns with it, or too little to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from asd.features.combs import Family

Kind = Literal["fault", "speed", "unknown"]
KINDS: tuple[Kind, ...] = ("fault", "speed", "unknown")

SAME = 0.0075  # relative difference of frequencies that are the same
LOCKED = 0.003  # the same of multiples, which turn as exactly as the shaft
NOMINAL = 0.025  # the same of a speed that is given, which may be the nameplate's
ORDERS = 12  # up to which multiples of a shaft are its orders rather than a coincidence
IMPACTS = 3  # harmonics in the envelope that make impacts
LEADING = 0.3  # least strength of a fault, relative to the strongest family
MODULATED = 0.5  # least strength of what a shaft modulates, relative to the shaft's own
TONAL, FEW = 2.0, 6  # a family so much stronger in the sound, of fewer harmonics in the envelope, is tones that beat


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


def merged(found: Iterable[Family]) -> list[Family]:
    """Keep the strongest of families of the same frequency, which several spectra hold; the strongest first."""
    kept: list[Family] = []
    for family in sorted(found, key=lambda family: -family.strength):
        if not any(_same(family.frequency, other.frequency) for other in kept):
            kept.append(family)
    return kept


def classified(enveloped: list[Family], tonal: list[Family], speed: float | None = None) -> list[Candidate]:
    """Say what each family is, faults first, then by strength.

    Parameters
    ----------
    enveloped, tonal : list of Family
        Of the spectra of the envelope and of the sound itself.
    speed : float, optional
        [Hz] of the shaft, where it is known, to 2.5 %.

    Returns
    -------
    list of Candidate
        Of the tonal families those alone that are no multiple of an enveloped one.
    """
    most = max((family.strength for family in (*enveloped, *tonal)), default=0.0)
    shaft = _measured_speed(speed, [*enveloped, *tonal]) if speed else _shaft(enveloped, tonal)
    found = []
    for family in enveloped:
        impacts = len(family.harmonics) >= IMPACTS and family.strength >= LEADING * most
        turns = _is_order(family.frequency, shaft) or _beats(family, tonal)
        found.append(_candidate(family, "speed" if turns else "fault" if impacts else "unknown"))
    for family in tonal:
        if not any(_is_order(family.frequency, other.frequency) for other in enveloped):
            turns = len(family.harmonics) > 1 or _is_order(family.frequency, shaft)
            found.append(_candidate(family, "speed" if turns else "unknown"))
    return sorted(found, key=lambda candidate: (candidate.kind != "fault", -candidate.strength))


def _measured_speed(speed: float, families: list[Family]) -> float:
    """Take the frequency of the strongest family about a nominal speed, or that as it is where there is none."""
    near = [family for family in families if abs(family.frequency / speed - 1) <= NOMINAL]
    return max(near, key=lambda family: family.strength).frequency if near else speed


def _shaft(enveloped: list[Family], tonal: list[Family]) -> float:
    """Find what turns: the strongest family whose frequency is the distance of another's side bands; 0 if none.

    Tones beside a tone tell a shaft only if nothing strikes at that rate: impacts make such rows of tones, too.
    """
    striking = [family for family in enveloped if len(family.harmonics) >= IMPACTS]
    shafts = [
        slow
        for slow in (*enveloped, *tonal)
        if any(_modulates(slow, fast, MODULATED) for fast in striking)
        or (
            any(_modulates(slow, fast, 1.0) for fast in tonal)
            and not any(_same(slow.frequency, family.frequency) for family in striking)
        )
    ]
    return max(shafts, key=lambda family: family.strength).frequency if shafts else 0.0


def _modulates(slow: Family, fast: Family, share: float) -> bool:
    apart = abs(slow.frequency - fast.side_bands) <= max(2 * SAME * slow.frequency, 0.2)
    return apart and fast.strength >= share * slow.strength and not _is_order(fast.frequency, slow.frequency)


def _beats(family: Family, tonal: list[Family]) -> bool:
    """Say whether a family of the envelope is that of tones which beat."""
    twins = [twin for twin in tonal if _same(twin.frequency, family.frequency)]
    return len(family.harmonics) < FEW and any(twin.strength > TONAL * family.strength for twin in twins)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * max(one, other)


def _is_order(frequency: float, fundamental: float) -> bool:
    """Say whether a frequency is the fundamental (0: there is none) or a low multiple of it."""
    if not fundamental:
        return False
    order = max(1, round(frequency / fundamental))
    return order <= ORDERS and abs(frequency / fundamental - order) <= max(SAME, LOCKED * order)


def _candidate(family: Family, kind: Kind) -> Candidate:
    return Candidate(
        family.frequency, kind, tuple(family.harmonics), family.side_bands, family.strength, family.confidence
    )
