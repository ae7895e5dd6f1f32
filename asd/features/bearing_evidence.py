"""Evidence for each defect frequency of a bearing whose geometry and speed are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from asd.core.kinematics import CAGE, ELEMENT, INNER, OUTER
from asd.features.fault_kinds import IMPACTS
from asd.features.fisher import combined, largest
from asd.features.frequencies import FALSE_ALARMS, View, views
from asd.features.harmonic_series import ORDERS, STRONG, TRIED
from asd.features.spectral_lines import SEEN, SPREADS, Lines, cells_of, lines_of, look_up, without

SLIP = 0.02  # largest relative distance of a line from the kinematic frequency
STANDING_OUT = 0.05  # share of bearings without a fault in which another line of the machine may pass for one
TWICE = f"2 {ELEMENT}"  # an element hits both races in a turn
PARTS = {OUTER: "outer race", INNER: "inner race", ELEMENT: "rolling element", TWICE: "rolling element", CAGE: "cage"}
REFERENCES = 20  # frequencies to either side that a defect frequency is compared with ...
ENVELOPES = 2  # of the spectra are of the envelope, the third of the sound itself
APART = 2 * SLIP  # ... and their relative distance
FINENESS = 8  # fundamentals tried per cell of the spectrum
MASKED = 3  # cells to either side of a line that is explained
AROUND = 2  # orders of the shaft that may modulate a defect's harmonics
CARRIERS = 4  # harmonics about which side bands are tested
SHOWN = 12  # orders that are looked for

Evidence = Literal["strong", "weak", "none"]


@dataclass(frozen=True)
class DefectTest:
    """What a recording says about one defect frequency of a bearing."""

    name: str
    """``BPFO``, ``BPFI``, ``BSF``, ``2 BSF`` or ``FTF``."""
    part: str
    """That has the defect."""
    expected: float
    """[Hz] from the kinematics."""
    frequency: float
    """[Hz] of the best fundamental within the slip."""
    harmonics: tuple[int, ...]
    """Orders of the lines that are there."""
    modulation: str
    """``shaft`` or ``cage``, at whose rate side bands stand; empty for neither."""
    side_bands: float
    """[Hz] of that rate, 0 for neither."""
    strength: float
    """[nats] of the first five harmonics over the local noise floor."""
    p_value: float
    """Probability that noise, or what else stands in the spectrum, gives as much for any of the bearing's parts."""
    evidence: Evidence
    """``strong``: neither noise nor the machine's other lines explain it. ``weak``: other lines, or few, may."""


class _Spectrum(NamedTuple):
    """A spectrum without the orders of the shaft."""

    lines: Lines
    lowest: float
    """[Hz] of a fundamental."""
    shaft: float
    """[Hz] refined in this spectrum."""


class _Found(NamedTuple):
    """One defect frequency in one spectrum; both ``-ln p`` are of this frequency alone."""

    frequency: float
    spread: int
    strength: float
    over_noise: float
    over_lines: float


def bearing_evidence(
    y: np.ndarray,
    sr: int,
    orders: Mapping[str, float],
    speed: float,
    band: tuple[float, float] | None = None,
    false_alarms: float = FALSE_ALARMS,
) -> list[DefectTest]:
    """Test each defect frequency of a bearing for itself.

    Two null hypotheses have to fall. Noise: the p-values of the harmonics are combined as in
    :func:`asd.features.harmonic_series.harmonic_series`, with Bonferroni's bound over what was tried within the slip.
    And the machine's other lines: the summed log levels of five harmonics are compared with those at forty other
    fundamentals around, whose excess over their median is taken for exponential; the shaft's orders are left out, and
    for the comparison the defect's own harmonics and their side bands. Both must fall in the envelope after
    autoregressive pre-whitening and, since tones that beat stand there as well, in one more of the spectra of
    :func:`asd.features.frequencies.views`: in the envelope after cepstral pre-whitening, which leaves nothing of
    tones, or in the sound itself, where impacts without slip stand. The spectra are those of Smith and Randall's
    benchmark ("Rolling element bearing diagnostics using the Case Western Reserve University data: a benchmark study",
    MSSP 64-65, 2015), read by a test instead of by eye.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Sample rate.
    orders : mapping of str to float
        Defect frequencies in multiples of the shaft's, by the names ``BPFO``, ``BPFI``, ``BSF``, ``FTF``; any of them.
    speed : float
        [Hz] of the shaft, to the slip of 2 %.
    band : tuple of float, optional
        [Hz] The band to demodulate; then its envelope alone counts.
    false_alarms : float
        Share of recordings of noise in which any evidence may be found.

    Returns
    -------
    list of DefectTest
        In the order of ``orders``, ``2 BSF`` behind ``BSF``.
    """
    expected = {name: order * speed for name, order in with_twice(orders).items()}
    spectra = [_without_shaft(view, speed) for view in views(y, sr, band)]
    tests = []
    for name, frequency in expected.items():
        others = [other for other in expected.values() if other != frequency]
        found = [_tested(spectrum, frequency, others) for spectrum in spectra]
        tests.append(_summary(name, expected, found, spectra, false_alarms))
    return tests


def with_twice(orders: Mapping[str, float]) -> dict[str, float]:
    """Add ``2 BSF``, behind ``BSF``, to a bearing's defect frequencies."""
    twice: dict[str, float] = {}
    for name, order in orders.items():
        twice[name] = order
        if name == ELEMENT:
            twice[TWICE] = 2 * order
    return twice


def verdict(tests: list[DefectTest]) -> DefectTest | None:
    """Choose the defect that the strong evidence is for: the strongest, the cage last, which modulates other defects.

    Parameters
    ----------
    tests : list of DefectTest

    Returns
    -------
    DefectTest or None
        None where no evidence is strong.
    """
    strong = [test for test in tests if test.evidence == "strong"]
    return max(strong, key=lambda test: (test.name != CAGE, test.strength), default=None)


def _without_shaft(view: View, speed: float) -> _Spectrum:
    """Compare a spectrum with its noise floor, refine the shaft's speed in it, and take the shaft's orders away."""
    lines = lines_of(view.power, view.step, view.lowest, view.window, estimated=True)
    if speed * (1 - SLIP) < view.lowest:
        return _Spectrum(lines, view.lowest, speed)
    shaft = _strongest(lines, speed)[0]
    orders = np.arange(1, int(lines.highest / shaft) + 1)
    return _Spectrum(without(lines, shaft * orders, MASKED), view.lowest, shaft)


def _fundamentals(frequency: float, step: float) -> np.ndarray:
    """Lay out the fundamentals [Hz] within the slip of a frequency."""
    count = max(3, int(np.ceil(2 * SLIP * frequency * FINENESS / step)))
    return frequency * np.linspace(1 - SLIP, 1 + SLIP, count)


def _strongest(lines: Lines, frequency: float) -> tuple[float, int, float]:
    """Find the fundamental [Hz] within the slip whose first harmonics are strongest, their width and strength."""
    fundamentals = _fundamentals(frequency, lines.step)
    cells = cells_of(np.outer(np.arange(1, STRONG + 1), fundamentals), lines.step)
    strength = np.array([lines.strength_in(cells, spread).sum(axis=0) for spread in range(len(SPREADS))])
    spread, best = np.unravel_index(strength.argmax(), strength.shape)
    return float(fundamentals[best]), int(spread), float(strength[spread, best])


def _tested(spectrum: _Spectrum, frequency: float, others: list[float]) -> _Found:
    """Test one defect frequency in one spectrum against noise and against other frequencies around."""
    lines, lowest, shaft = spectrum
    if not lowest <= frequency * (1 - SLIP) <= lines.highest / 2:
        return _Found(frequency, 0, 0.0, 0.0, 0.0)
    best, spread, strength = _strongest(lines, frequency)
    over_lines = _over_lines(lines, best, strength, shaft, others)
    return _Found(best, spread, strength, _over_noise(lines, frequency), over_lines)


def _over_noise(lines: Lines, frequency: float) -> float:
    """Compute ``-ln`` of the probability that noise has such harmonics of any fundamental within the slip."""
    fundamentals = _fundamentals(frequency, lines.step)
    cells = cells_of(np.outer(np.arange(1, ORDERS + 1), fundamentals), lines.step)
    nats = [largest(look_up(lines.neg_log_p[spread], cells), TRIED[1:]).max() for spread in range(len(SPREADS))]
    trials = len(fundamentals) * len(SPREADS) * len(TRIED[1:])
    return float(max(nats) - np.log(trials))


def _over_lines(lines: Lines, frequency: float, strength: float, shaft: float, others: list[float]) -> float:
    """Compute ``-ln`` of the probability that the spectrum's other lines make such a series.

    The reference is what the first harmonics of fundamentals around reach without the lines of this one.
    """
    carriers = frequency * np.arange(1, int(lines.highest / frequency) + 1)
    rest = without(lines, (carriers[:, None] + shaft * np.arange(-AROUND, AROUND + 1)).ravel(), MASKED)
    steps = [k for k in range(-REFERENCES, REFERENCES + 1) if abs(k) > 1]
    near = frequency * np.exp(APART * np.array(steps))
    around = [hz for hz in near if all(abs(hz / other - 1) > APART for other in others)]
    reference = np.array([_strongest(rest, hz)[2] for hz in around])
    excess = reference - np.median(reference)
    scale = excess[excess > 0].mean() if (excess > 0).any() else 1.0
    return float(max(0.0, np.log(2) + (strength - np.median(reference)) / scale))


def _summary(
    name: str, expected: dict[str, float], found: list[_Found], spectra: list[_Spectrum], false_alarms: float
) -> DefectTest:
    """Put together what the spectra say of one frequency; the envelope where it is strongest describes it."""
    over_noise, over_lines = _agreed([f.over_noise for f in found]), _agreed([f.over_lines for f in found])
    best, (lines, _, shaft) = max(zip(found[:ENVELOPES], spectra, strict=False), key=lambda pair: pair[0].strength)
    orders = np.arange(1, min(SHOWN, int(lines.highest / best.frequency)) + 1)
    seen = tuple(int(k) for k in orders[lines.neg_log_p_at(orders * best.frequency, best.spread) > SEEN])
    cage = expected.get(CAGE, 0.0)
    modulation, side_bands = _modulation(lines, best.frequency, {"shaft": shaft, "cage": cage})
    p_value = min(1.0, len(expected) * float(np.exp(-min(over_noise, over_lines))))
    evidence = _graded(over_noise, over_lines, len(seen), len(expected), false_alarms)
    values = best.frequency, seen, modulation, side_bands, best.strength, p_value, evidence
    return DefectTest(name, PARTS[name], expected[name], *values)


def _agreed(nats: list[float]) -> float:
    """Combine ``-ln p`` of the spectra: the autoregressive one and either of the others must say the same."""
    if len(nats) == 1:
        return nats[0]
    cepstral, autoregressive, sound = nats
    return min(autoregressive, max(cepstral, sound) - float(np.log(2)))  # Bonferroni over the two


def _graded(over_noise: float, over_lines: float, harmonics: int, parts: int, false_alarms: float) -> Evidence:
    """Grade two ``-ln p``: strong evidence is impacts that stand out whichever of the parts is looked at."""
    if over_noise < np.log(parts / false_alarms) or over_lines < -np.log(STANDING_OUT):
        return "none"
    return "strong" if over_lines >= np.log(parts / STANDING_OUT) and harmonics >= IMPACTS else "weak"


def _modulation(lines: Lines, frequency: float, rates: dict[str, float]) -> tuple[str, float]:
    """Tell at which of the rates [Hz] side bands stand about the first harmonics, and where; empty and 0 for none."""
    best, seen = 0.0, ("", 0.0)
    carriers = frequency * np.arange(1, CARRIERS + 1)[:, None]
    for name, rate in rates.items():
        if not 2 * MASKED * lines.step < rate < 0.48 * frequency:
            continue
        distances = _fundamentals(rate, lines.step)
        frequencies = np.concatenate([carriers - distances, carriers + distances])
        nats = combined(lines.neg_log_p_at(frequencies, 0)) - np.log(len(distances) * len(rates)) + np.log(FALSE_ALARMS)
        if nats.max() > best:
            best, seen = float(nats.max()), (name, float(distances[nats.argmax()]))
    return seen
