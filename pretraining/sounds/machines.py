"""Virtual machines: a random assembly of rotating and reciprocating parts in a resonant casing.

The physics is that of :mod:`asd.simulation.machines`, but every constant is drawn, so that no two machines are alike
and none is one of those.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

from asd.simulation.acoustics import gain, response
from asd.simulation.signals import turns, white
from pretraining.sounds.catalogue import SOURCES
from pretraining.sounds.parts import (
    Modes,
    amplitude,
    decibel,
    floats,
    log_uniform,
    named,
    spectrum_of,
    unit,
    wave,
)
from pretraining.sounds.sources import HARMONICS, Run

FAMILIES = {"tones": 0.0, "noise": -2.0, "impacts": -4.0}  # [dB] usual levels
SPREAD = 25.0  # [dB] between the loudest and the softest source
CHARACTER = 5.0  # [dB] standard deviation of a family's level over machines
CALM = 1e-4  # relative deviations of the speed below are none


class Part(NamedTuple):
    """A source of a machine.

    Attributes
    ----------
    name : str
        Of :data:`pretraining.sounds.catalogue.SOURCES`.
    level : float
        [dB]
    inside : float
        Share of its amplitude that sounds by the casing rather than directly.
    shares : tuple of float
        Its settings, each by its share of the range, in the order of ``SOURCES[name].ranges``.
    partials : tuple of float [length=HARMONICS]
        Deviations of its harmonics or half octaves from a smooth spectrum, of unit variance.
    """

    name: str
    level: float
    inside: float
    shares: tuple[float, ...]
    partials: tuple[float, ...]


class Machine(NamedTuple):
    """A machine: all that is the same in each of its clips.

    Attributes
    ----------
    speed : float
        Of the shaft [Hz]; the highest one where it runs to and fro.
    wander : float
        Standard deviation of the speed, relative.
    hunting : tuple of float
        Rate [Hz] and depth at which the speed rises and falls.
    cycle : tuple of float
        Rate [Hz] of a run to and fro, 0 for none, and the share of half a run in which it speeds up.
    casing : Modes
    colour : tuple of float
        Its smooth response [dB] every half octave.
    parts : tuple of Part
    hiss : float
        Level of the noise that is always there [dB].
    """

    speed: float
    wander: float
    hunting: tuple[float, float]
    cycle: tuple[float, float]
    casing: Modes
    colour: tuple[float, ...]
    parts: tuple[Part, ...]
    hiss: float


def draw(rng: np.random.Generator) -> Machine:
    """Draw a machine.

    Parameters
    ----------
    rng : np.random.Generator

    Returns
    -------
    Machine

    Examples
    --------
    >>> machine = draw(np.random.default_rng(0))
    >>> render(machine, np.random.default_rng(1), 8000).shape
    (8000,)
    """
    names = [name for name, source in SOURCES.items() if rng.uniform() < source.chance]
    names = names or [str(rng.choice(list(SOURCES)))]
    character = {family: usual + CHARACTER * rng.standard_normal() for family, usual in FAMILIES.items()}
    parts = [draw_part(rng, name, character[SOURCES[name].family]) for name in names]
    hunts, to_and_fro = rng.uniform() < 0.15, rng.uniform() < 0.12
    return Machine(
        speed=log_uniform(rng, 5, 100),
        wander=log_uniform(rng, 3e-4, 2e-2),
        hunting=(log_uniform(rng, 0.2, 3), hunts * log_uniform(rng, 0.003, 0.08)),
        cycle=(to_and_fro * log_uniform(rng, 0.15, 1.5), rng.uniform(0.05, 0.5)),
        casing=_casing(rng),
        colour=floats(response(rng, 4.0) + rng.uniform(-3, 2) * np.arange(16) / 2),
        parts=tuple(parts),
        hiss=max(part.level for part in parts) + float(rng.uniform(-55, -30)),
    )


def draw_part(rng: np.random.Generator, name: str, level: float = 0.0) -> Part:
    """Draw a part that is one of the sources.

    Parameters
    ----------
    rng : np.random.Generator
    name : str
        Of the source.
    level : float
        The highest it may have [dB].

    Returns
    -------
    Part
    """
    inside = rng.uniform(0.6, 1.0) if SOURCES[name].family == "impacts" else rng.uniform() ** 2
    shares, partials = rng.uniform(size=len(SOURCES[name].ranges)), rng.standard_normal(HARMONICS)
    return Part(name, level - SPREAD * rng.uniform() ** 1.5, float(inside), floats(shares), floats(partials))


def _casing(rng: np.random.Generator) -> Modes:
    """Draw a casing of 4 to 12 natural frequencies."""
    count = int(rng.integers(4, 13))
    low, high = log_uniform(rng, 150, 1000), log_uniform(rng, 3000, 7500)
    steps = (np.arange(count) + rng.uniform(0.05, 0.95, count)) / count
    damping = log_uniform(rng, 0.005, 0.05) * rng.uniform(0.5, 1.5, count)
    weight = rng.uniform(0.2, 1.0, count) * rng.choice([-1.0, 1.0], count)
    return Modes(floats(low * (high / low) ** steps), floats(damping), floats(weight))


def setting(part: Part) -> dict[str, float]:
    """Read the settings of a part in their units."""
    ranges = SOURCES[part.name].ranges
    return {name: limits.at(share) for (name, limits), share in zip(ranges.items(), part.shares, strict=True)}


def render(machine: Machine, rng: np.random.Generator, frames: int) -> np.ndarray:
    """Let a machine run for a clip.

    Parameters
    ----------
    machine : Machine
    rng : np.random.Generator
        Of what differs from clip to clip: phases, noise, the wander of the speed.
    frames : int
        [samples]

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]
        Dry, of root mean square 1.
    """
    shaft, pace = _turn(machine, rng, frames)
    run = Run(rng, frames, shaft)
    direct, force = np.zeros(frames, dtype=np.float32), np.zeros(frames, dtype=np.float32)
    for part in machine.parts:
        sound = SOURCES[part.name].sound(run, setting(part), np.array(part.partials))
        direct += (amplitude(part.level) * np.float32(1 - part.inside)) * sound
        force += (amplitude(part.level) * np.float32(part.inside)) * sound
    spectrum = rfft(direct) + rfft(force) * spectrum_of(machine.casing, frames)
    spectrum += amplitude(machine.hiss) * np.float32(math.sqrt(frames / 2)) * white(rng, frames)
    return unit(irfft(spectrum * gain(frames, np.array(machine.colour)), frames) * pace)


def _turn(machine: Machine, rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray | np.float32]:
    """Turn the shaft; the revolutions so far, and how loud the machine is for its speed."""
    rate, depth = machine.hunting
    shaft = turns(rng, frames, machine.speed, machine.wander)
    if depth > CALM:
        shaft = shaft + machine.speed * depth / (2 * np.pi * rate) * wave(turns(rng, frames, rate, 0.05))
    if machine.cycle[0] == 0:
        return shaft, np.float32(1)
    run = (2 * turns(rng, frames, machine.cycle[0], 0.02)) % 1
    pace = np.clip(np.minimum(run, 1 - run) / (machine.cycle[1] / 2), 0.02, 1)
    start = shaft[0]
    turned = np.cumsum(np.diff(shaft, prepend=2 * shaft[0] - shaft[1]) * pace)
    return start + turned, pace.astype(np.float32)


def operate(machine: Machine, rng: np.random.Generator) -> Machine:
    """Let the same machine run at another speed, by up to a tenth; what strokes by itself strokes as it did.

    Parameters
    ----------
    machine : Machine
    rng : np.random.Generator

    Returns
    -------
    Machine
    """
    return machine._replace(speed=machine.speed * float(rng.uniform(0.9, 1.1)))


def parameters(machine: Machine) -> dict[str, float]:
    """Give what is known of a machine.

    Parameters
    ----------
    machine : Machine

    Returns
    -------
    dict of str to float
        By :data:`asd.encoders.architectures.machine.PARAMETERS`.
    """
    loudest = max(part.level for part in machine.parts)
    heard = [part for part in machine.parts if part.level > loudest - SPREAD]
    powers = {family: _power(heard, family) for family in FAMILIES}
    turning = any(SOURCES[part.name].turning for part in heard)
    strong = np.argsort(-np.abs(machine.casing.weight))[:2]
    low, high = sorted(math.log(machine.casing.hz[index]) for index in strong)
    known = {
        "log_speed": math.log(machine.speed) if turning else math.nan,
        "log_resonance_low": low,
        "log_resonance_high": high,
    }
    if powers["tones"] + powers["noise"] > 0:
        known["tonality"] = decibel(powers["tones"], powers["noise"])
    return named(**known, **_impacts(machine, heard, powers), **_loudest(machine, heard), **_modulation(machine, heard))


def _power(parts: list[Part], family: str) -> float:
    return sum(10 ** (part.level / 10) for part in parts if SOURCES[part.name].family == family)


def _family(parts: list[Part], family: str) -> Part | None:
    """Find the loudest part of a family."""
    return max((p for p in parts if SOURCES[p.name].family == family), key=lambda part: part.level, default=None)


def _impacts(machine: Machine, parts: list[Part], powers: dict[str, float]) -> dict[str, float]:
    part = _family(parts, "impacts")
    if part is None:
        return {}
    level = decibel(powers["impacts"], sum(powers.values()))
    return {"log_impact_rate": math.log(SOURCES[part.name].rate(setting(part), machine.speed)), "impact_level": level}


def _loudest(machine: Machine, parts: list[Part]) -> dict[str, float]:
    """Describe the strongest tones and the strongest noise."""
    known, tones, noise = {}, _family(parts, "tones"), _family(parts, "noise")
    tone = SOURCES[tones.name].tone if tones else None
    if tones and tone:
        known["log_tone"] = math.log(tone(setting(tones), machine.speed))
    if noise:
        known["spectral_slope"] = setting(noise)["slope"] + float(np.polyfit(np.arange(16) / 2, machine.colour, 1)[0])
    return known


def _modulation(machine: Machine, parts: list[Part]) -> dict[str, float]:
    """Describe the modulation that is strongest, by its depth and the level of what it modulates."""
    if machine.cycle[0] > 0:  # two runs a cycle, everything falls silent between
        return {"log_modulation_rate": math.log(2 * machine.cycle[0]), "modulation_depth": 1.0}
    deep = [(part, setting(part)) for part in parts if "depth" in SOURCES[part.name].ranges]
    if not deep:
        return {}
    part, values = max(deep, key=lambda pair: pair[1]["depth"] * 10 ** (pair[0].level / 20))
    rate = SOURCES[part.name].rate(values, machine.speed)
    return {"log_modulation_rate": math.log(rate), "modulation_depth": values["depth"]}
