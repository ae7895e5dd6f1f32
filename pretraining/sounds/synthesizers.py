"""Random synthesizers: oscillators, frequency modulation, filtered noise, envelopes, impacts through resonators.

One architecture, whose parameters are numbers between 0 and 1; modules mixed in too softly are left out.
M. Cherep and N. Singh, "Contrastive Learning from Synthetic Audio Doppelgangers", ICLR 2025.
"""

import math
from typing import NamedTuple

import numpy as np

from asd.simulation.signals import RATE, crossings, turns
from pretraining.sounds.parts import (
    Modes,
    Range,
    amplitude,
    clicks,
    colour,
    coloured,
    decibel,
    floats,
    moved,
    named,
    saw,
    through,
    unit,
    wave,
)

REACH = 0.5  # standard deviation of all steps at the full amount
SILENT = -28.0  # [dB] a module below is left out
LEVEL = Range(-45, 0)  # [dB]: more than half of all modules are heard

ENVELOPE = {
    "steady": Range(0, 1),
    "gate": Range(0.3, 8, log=True),
    "duty": Range(0.05, 0.95),
    "attack": Range(0.002, 0.3, log=True),
    "decay": Range(0.01, 0.5, log=True),
    "sustain": Range(0, 1),
    "release": Range(0.01, 0.5, log=True),
    "am": Range(0.5, 200, log=True),
    "depth": Range(-1, 1),
}
OSCILLATOR = {
    "level": LEVEL,
    "pitch": Range(30, 3000, log=True),
    "saw": Range(0, 1),
    "square": Range(0, 1),
    "sine": Range(0, 1),
    "detune": Range(0.0002, 0.03, log=True),
    "second": Range(0, 1),
    "wander": Range(1e-5, 2e-2, log=True),
}
FM = {
    "level": LEVEL,
    "pitch": Range(50, 3000, log=True),
    "ratio": Range(0.1, 6, log=True),
    "index": Range(0.05, 8, log=True),
}
NOISE = {"level": LEVEL, "slope": Range(-9, 4), "low": Range(50, 3000, log=True), "width": Range(0.5, 6)}
RESONATOR = {
    "level": LEVEL,
    "hz": Range(100, 6500, log=True),
    "damping": Range(0.003, 0.1, log=True),
    "interval": Range(1.05, 2.5),
    "balance": Range(0, 1),
}
IMPACTS = RESONATOR | {"rate": Range(0.5, 40, log=True), "jitter": Range(0.001, 0.5, log=True), "uneven": Range(0, 1)}
MODULES = {  # and the ranges of their parameters
    "oscillator": OSCILLATOR | ENVELOPE,
    "fm": FM | ENVELOPE,
    "noise": NOISE | ENVELOPE,
    "resonator": RESONATOR | ENVELOPE,
    "impacts": IMPACTS,
    "overall": ENVELOPE,
}
NAMES = [(module, name) for module, ranges in MODULES.items() for name in ranges]
TONES, NOISES = ("oscillator", "fm"), ("noise", "resonator")
SOUNDING = (*TONES, *NOISES, "impacts")

Setting = dict[str, float]


class Patch(NamedTuple):
    """A synthesizer: the share of its range of each parameter, in the order of :data:`NAMES`."""

    shares: tuple[float, ...]


def draw(rng: np.random.Generator) -> Patch:
    """Draw a synthesizer, all parameters uniform.

    Parameters
    ----------
    rng : np.random.Generator

    Returns
    -------
    Patch

    Examples
    --------
    >>> patch = draw(np.random.default_rng(0))
    >>> render(patch, np.random.default_rng(1), 8000).shape
    (8000,)
    """
    return Patch(floats(rng.uniform(size=len(NAMES))))


def near(patch: Patch, rng: np.random.Generator, amount: float) -> Patch:
    """Move all parameters by Gaussian steps.

    Parameters
    ----------
    patch : Patch
    rng : np.random.Generator
    amount : float
        Of the steps, between 0 (none) and 1 (half of a range).

    Returns
    -------
    Patch
    """
    return Patch(moved(rng, patch.shares, REACH * amount)) if amount > 0 else patch


def settings(patch: Patch) -> dict[str, Setting]:
    """Read the settings of a patch in their units, by module."""
    values: dict[str, Setting] = {module: {} for module in MODULES}
    for (module, name), share in zip(NAMES, patch.shares, strict=True):
        values[module][name] = MODULES[module][name].at(share)
    return values


def heard(values: dict[str, Setting]) -> list[str]:
    """List the modules that are loud enough; the loudest one always is."""
    loudest = max(SOUNDING, key=lambda name: values[name]["level"])
    return [name for name in SOUNDING if values[name]["level"] > SILENT or name == loudest]


def render(patch: Patch, rng: np.random.Generator, frames: int) -> np.ndarray:
    """Play a synthesizer for a clip.

    Parameters
    ----------
    patch : Patch
    rng : np.random.Generator
        Of what differs from clip to clip: phases, noise, the jitter of impacts.
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
        Dry, of root mean square 1.
    """
    values = settings(patch)
    total = np.zeros(frames, dtype=np.float32)
    for name in heard(values):
        sound = unit(PLAYED[name](rng, frames, values[name]))
        if name != "impacts":
            sound = unit(sound * _envelope(rng, frames, values[name]))
        total += amplitude(values[name]["level"]) * sound
    return unit(total * _envelope(rng, frames, values["overall"]))


def _envelope(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray | np.float32:
    """Shape the loudness: attack, decay, sustain and release once a gate, or steady; tremolo, or none."""
    envelope: np.ndarray | np.float32 = np.float32(1)
    if setting["steady"] < 0.5:
        envelope = _gated(rng, frames, setting)
    if setting["depth"] > 0:
        tremolo = wave(turns(rng, frames, setting["am"], 0.005))
        envelope = envelope * (1 + np.float32(setting["depth"]) * tremolo)
    return envelope


def _gated(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Loop an envelope: it rises, decays to what is sustained, and falls when the gate closes."""
    cycles = turns(rng, frames, setting["gate"], 0.01)
    since = (cycles - np.floor(cycles)).astype(np.float32) / np.float32(setting["gate"])
    closes = np.float32(setting["duty"] / setting["gate"])
    attack, decay, release = (np.float32(-1 / setting[name]) for name in ("attack", "decay", "release"))
    sustain = np.float32(0.05 + 0.95 * setting["sustain"])
    opened = (1 - np.exp(attack * since)) * (sustain + (1 - sustain) * np.exp(decay * since))
    closed: np.ndarray = np.exp(release * np.maximum(since - closes, 0))
    return opened * closed + np.float32(1e-3)  # a short clip may lie between two gates


def _oscillate(cycles: np.ndarray, setting: Setting, step: float) -> np.ndarray:
    """Mix a sine, a sawtooth and a square wave of one phase."""
    phase = (cycles - np.floor(cycles)).astype(np.float32)
    total: np.ndarray = np.float32(setting["sine"]) * np.sin(np.float32(2 * np.pi) * phase)
    rising = saw(phase, step)
    total += np.float32(setting["saw"] ** 2) * rising
    if setting["square"] > 0.5:
        half = phase + np.float32(0.5)
        total += np.float32(setting["square"]) * (rising - saw(half - np.floor(half), step))
    return total


def oscillator(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Sound one oscillator, or two that are a little out of tune."""
    cycles, step = turns(rng, frames, setting["pitch"], setting["wander"]), setting["pitch"] / RATE
    total = _oscillate(cycles, setting, step)
    if setting["second"] > 0.5:
        total = total + _oscillate(cycles * (1 + setting["detune"]) + rng.uniform(), setting, step)
    return total


def fm(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Modulate the frequency of a sine by another; the index is kept where side bands stay below 8 kHz."""
    highest = 7000 / setting["pitch"] - 1
    index = min(setting["index"], max(highest / setting["ratio"] - 1, 0.05))
    cycles = turns(rng, frames, setting["pitch"], 1e-4)
    return wave(cycles + (index / (2 * math.pi)) * wave(cycles * setting["ratio"] + rng.uniform()))


def noise(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Sound noise of a band that is half an octave to six octaves wide."""
    high = min(setting["low"] * 2 ** setting["width"], 8000)
    return coloured(rng, frames, colour(setting["slope"], setting["low"], high))


def _resonances(setting: Setting) -> Modes:
    hz = (setting["hz"], min(setting["hz"] * setting["interval"], 7600))
    return Modes(hz, (setting["damping"],) * 2, (1 - 0.7 * setting["balance"], -0.3 - 0.7 * setting["balance"]))


def resonator(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Sound noise through two resonances."""
    return through(rng.standard_normal(frames, dtype=np.float32), _resonances(setting))


def impacts(rng: np.random.Generator, frames: int, setting: Setting) -> np.ndarray:
    """Strike two resonances again and again, more or less regularly and evenly."""
    cycles = turns(rng, frames, setting["rate"], 0.003)
    times = crossings(cycles, rng, jitter=setting["jitter"])
    if len(times) == 0:  # none in a short clip: one, so that there is a sound
        times = rng.uniform(0, frames / RATE, 1)
    forces = 1 - setting["uneven"] * rng.uniform(size=len(times))
    return through(clicks(times, forces, frames), _resonances(setting))


PLAYED = {"oscillator": oscillator, "fm": fm, "noise": noise, "resonator": resonator, "impacts": impacts}


def parameters(patch: Patch) -> dict[str, float]:
    """Give what is known of a synthesizer.

    Parameters
    ----------
    patch : Patch

    Returns
    -------
    dict of str to float
        By :data:`asd.encoders.architectures.machine.PARAMETERS`.
    """
    values = settings(patch)
    modules = heard(values)
    powers = {name: 10 ** (values[name]["level"] / 10) for name in modules}
    tones, noises = (sum(powers.get(name, 0.0) for name in group) for group in (TONES, NOISES))
    known = _modulation(values, modules)
    if tones + noises > 0:
        known["tonality"] = decibel(tones, noises)
    if "impacts" in modules:
        known["log_impact_rate"] = math.log(values["impacts"]["rate"])
        known["impact_level"] = decibel(powers["impacts"], sum(powers.values()))
    if "noise" in modules:
        known["spectral_slope"] = values["noise"]["slope"]
    return named(**known, **_pitched(values, powers))


def _pitched(values: dict[str, Setting], powers: dict[str, float]) -> dict[str, float]:
    """Describe the strongest tones and the strongest resonances."""
    known = {}
    tone = max((name for name in TONES if name in powers), key=lambda name: powers[name], default=None)
    body = max(
        (name for name in ("resonator", "impacts") if name in powers), key=lambda name: powers[name], default=None
    )
    if tone:
        known["log_tone"] = math.log(values[tone]["pitch"])
    if body:
        low, high = _resonances(values[body]).hz
        known |= {"log_resonance_low": math.log(low), "log_resonance_high": math.log(high)}
    return known


def _modulation(values: dict[str, Setting], modules: list[str]) -> dict[str, float]:
    """Describe the strongest modulation: of everything, or of the loudest module; a gate, or a tremolo."""
    loudest = max(modules, key=lambda name: values[name]["level"])
    for setting in (values["overall"], values[loudest]):
        if setting.get("steady", 1.0) < 0.5:
            depth = 1 - 0.95 * setting["sustain"] * setting["duty"]
            return {"log_modulation_rate": math.log(setting["gate"]), "modulation_depth": depth}
        if setting.get("depth", 0.0) > 0.1:
            return {"log_modulation_rate": math.log(setting["am"]), "modulation_depth": setting["depth"]}
    return {}
