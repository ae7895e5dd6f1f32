"""Sources of machine sound, every constant of them open: shafts, blades, gears, motors, friction, flow, impacts.

Each is a function ``(run, setting, partials) -> signal`` of about unit power; ``setting`` has a value for each of its
ranges (:mod:`pretraining.sounds.catalogue`), ``partials`` the deviations of its harmonics from a smooth decay.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from asd.simulation.signals import RATE, bump, crossings, harmonics, mean_speed, turns
from pretraining.sounds.parts import Modes, clicks, colour, coloured, swing, through, unit, wave

HARMONICS = 24  # most that a source has
MAINS = (50.0, 60.0)  # [Hz]


class Run(NamedTuple):
    """One clip: its generator, its length [samples], and the revolutions of the shaft [shape=(frames,)]."""

    rng: np.random.Generator
    frames: int
    shaft: np.ndarray


Setting = Mapping[str, float]


def _decay(setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Give the amplitudes of harmonics that fall by ``slope`` [dB/octave], more or less."""
    orders = np.arange(1, 1 + int(setting["orders"]))
    decibels: np.ndarray = setting["slope"] * np.log2(orders) + setting["rough"] * partials[: len(orders)]
    return 10 ** (decibels / 20)


def _noise(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Sample noise of the colour of a source; its partials make the spectrum uneven."""
    knots = colour(setting["slope"], setting["low"], setting["high"])
    return coloured(run.rng, run.frames, knots + 3 * partials[: len(knots)])


def shaft(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Shake once a turn, and at multiples of it."""
    return unit(harmonics(run.rng, run.shaft, _decay(setting, partials)))


def blades(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Beat the air once a blade; unequal blades bring the orders between."""
    tones = harmonics(run.rng, round(setting["blades"]) * run.shaft, _decay(setting, partials))
    return unit(tones * swing(run.shaft + run.rng.uniform(), setting["depth"]))


def gears(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Mesh, with side bands at the speeds of both shafts."""
    driven = setting["ratio"] * run.shaft
    tones = harmonics(run.rng, round(setting["teeth"]) * driven, _decay(setting, partials))
    return unit(tones * swing(run.shaft, setting["depth"]) * swing(driven + run.rng.uniform(), setting["other"]))


def motor(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Hum at multiples of twice the mains frequency, weaker at the odd ones; poles slip past and modulate it."""
    line = turns(run.rng, run.frames, mains(setting), 0.0002)
    levels = _decay(setting, partials)
    levels[::2] *= setting["odd"]
    slipping = turns(run.rng, run.frames, setting["slip"], 0.02)
    return unit(harmonics(run.rng, line, levels) * swing(slipping, setting["depth"]))


def mains(setting: Setting) -> float:
    """Tell the mains frequency [Hz]."""
    return MAINS[int(setting["sixty"] > 0.5)]


def rolling(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Roll: noise that is louder once a turn of some part, more or less abruptly."""
    turned = setting["order"] * run.shaft + run.rng.uniform()
    smooth = swing(turned, setting["depth"])
    if setting["abrupt"] > 0.5:
        smooth = np.float32(1 - setting["depth"]) + np.float32(2 * setting["depth"]) * bump(turned, setting["width"])
    return unit(_noise(run, setting, partials) * smooth)


def flow(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Let air or water flow: noise whose level wanders."""
    gusts = turns(run.rng, run.frames, setting["gusts"], 0.3)
    return unit(_noise(run, setting, partials) * swing(gusts, setting["depth"]))


def wake(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Let blades cut the flow: noise modulated at their pass."""
    return unit(_noise(run, setting, partials) * swing(round(setting["blades"]) * run.shaft, setting["depth"]))


def whine(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Whine: a high tone of a converter or a dry bearing, with side bands."""
    beside = turns(run.rng, run.frames, setting["beside"], 0.002)
    pitch = turns(run.rng, run.frames, setting["hz"], setting["wander"])
    side = wave(beside)
    tone = wave(pitch + setting["index"] * side) + setting["second"] * wave(2 * pitch) * (setting["hz"] < 3800)
    return unit(tone * (1 + np.float32(setting["depth"]) * side))


def strokes(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Stroke to and fro: a burst of noise and a click with bounces each way."""
    cycles = turns(run.rng, run.frames, setting["rate"], setting["jitter"])
    back = cycles - setting["back"]
    period = np.float32(1 / setting["rate"])
    envelope = _burst(cycles, period, setting) + np.float32(setting["return"]) * _burst(back, period, setting)
    there, again = crossings(cycles), crossings(back)
    times = np.concatenate([there, again])
    forces = np.concatenate([np.ones(len(there)), np.full(len(again), setting["return"])])
    struck = _bounced(run, setting, times, forces * run.rng.uniform(0.8, 1.2, len(times)))
    both = 1 + setting["return"] ** 2  # strokes of a cycle, by their power
    lasting = min(both * (setting["hold"] + setting["decay"] * setting["rate"] / 2), 1.0)  # share of the time
    burst = _noise(run, setting, partials) * envelope * np.float32((1 - setting["click"]) / math.sqrt(lasting))
    return burst + np.float32(setting["click"] * math.sqrt(RATE / (both * setting["rate"]))) * struck


def _burst(cycles: np.ndarray, period: np.float32, setting: Setting) -> np.ndarray:
    """Rise and decay once a cycle."""
    since = (cycles - np.floor(cycles)).astype(np.float32) * period
    rise = 1 - np.exp(since * np.float32(-1 / setting["attack"]))
    falling = np.maximum(since - np.float32(setting["hold"]) * period, 0)
    return rise * np.exp(falling * np.float32(-1 / setting["decay"]))


def _bounced(run: Run, setting: Setting, times: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """Strike, and bounce: each time sooner and softer."""
    kept = setting["restitution"]
    steps = np.arange(1 + int(setting["bounces"]))
    later = setting["gap"] * (1 - kept**steps) / (1 - kept)
    return clicks((times[:, None] + later).ravel(), (forces[:, None] * kept**steps).ravel(), run.frames)


def impacts(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Strike at a multiple of the speed, slipping a little, harder under load: a defect of a bearing, a tooth."""
    turned = setting["order"] * run.shaft + run.rng.uniform()
    times = crossings(turned, run.rng, slip=setting["slip"])
    load = 1 + setting["depth"] * np.sin(2 * np.pi * np.interp(times * RATE, np.arange(run.frames), run.shaft))
    usual = math.sqrt(RATE / mean_speed(turned) / (1 + setting["depth"] ** 2 / 2))  # a clip may have none
    return clicks(times, usual * load * run.rng.uniform(0.8, 1.2, len(times)), run.frames)


def belt(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Let a belt run slower than the shaft: it slaps and rubs at its joint."""
    turned = setting["order"] * run.shaft + run.rng.uniform()
    rub = _noise(run, setting, partials) * (np.float32(1 - setting["depth"]) + bump(turned, setting["width"]))
    return unit(
        unit(rub)
        + np.float32(setting["slap"]) * unit(harmonics(run.rng, turned, _decay({**setting, **SLAP}, partials)))
    )


SLAP = {"orders": 12, "slope": -3.0, "rough": 4.0}


def rattle(run: Run, setting: Setting, partials: np.ndarray) -> np.ndarray:
    """Let loose parts rattle at random times, some strokes each time."""
    count = 1 + run.rng.poisson(setting["rate"] * run.frames / RATE)
    size = 1 + int(setting["strokes"])
    starts = run.rng.uniform(0, run.frames / RATE, (count, 1))
    times = starts + run.rng.exponential(setting["spread"], (count, size))
    forces = run.rng.exponential(1.0, (count, size)) + 0.2
    part = Modes((setting["first"], setting["first"] * setting["interval"]), (setting["loss"],) * 2, (1.0, -0.7))
    return unit(through(clicks(times.ravel(), forces.ravel(), run.frames), part))
