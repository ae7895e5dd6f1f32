"""The sources that a machine may have: how often, with which settings, and what is known of their rates."""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np

from pretraining.sounds import sources
from pretraining.sounds.parts import Range

Rate = Callable[[sources.Setting, float], float]  # of the settings and the shaft's speed [Hz]


class Source(NamedTuple):
    """What is known of a kind of source.

    Attributes
    ----------
    family : str
        ``tones``, ``noise`` or ``impacts``.
    chance : float
        That a machine has one.
    turning : bool
        Whether the shaft's speed can be heard in it.
    ranges : mapping of str to Range
        Its settings. ``depth``, where there is one, is the depth of its modulation.
    sound : callable
    rate : callable
        Of its modulation, or of its impacts [Hz].
    tone : callable, optional
        Frequency of its first harmonic [Hz].
    """

    family: Literal["tones", "noise", "impacts"]
    chance: float
    turning: bool
    ranges: Mapping[str, Range]
    sound: Callable[[sources.Run, sources.Setting, np.ndarray], np.ndarray]
    rate: Rate
    tone: Rate | None = None


TONES = {"orders": Range(2, sources.HARMONICS), "slope": Range(-15, -1), "rough": Range(1, 8)}
NOISE = {"slope": Range(-8, 3), "low": Range(50, 1500, log=True), "high": Range(2000, 8000, log=True)}
DEPTH = Range(0.02, 0.95)
WIDTH = Range(0.03, 0.3, log=True)

SOURCES = {
    "shaft": Source("tones", 0.45, True, TONES, sources.shaft, lambda v, speed: math.nan, lambda v, speed: speed),
    "blades": Source(
        "tones",
        0.3,
        True,
        TONES | {"blades": Range(3, 40, log=True), "depth": Range(0.0, 0.6)},
        sources.blades,
        lambda v, speed: speed,
        lambda v, speed: round(v["blades"]) * speed,
    ),
    "gears": Source(
        "tones",
        0.25,
        True,
        TONES | {"teeth": Range(8, 60, log=True), "ratio": Range(0.2, 1, log=True), "depth": DEPTH, "other": DEPTH},
        sources.gears,
        lambda v, speed: speed,
        lambda v, speed: round(v["teeth"]) * v["ratio"] * speed,
    ),
    "motor": Source(
        "tones",
        0.4,
        False,
        TONES | {"sixty": Range(0, 1), "odd": Range(0, 0.7), "slip": Range(0.4, 8, log=True), "depth": Range(0, 0.6)},
        sources.motor,
        lambda v, speed: v["slip"],
        lambda v, speed: 2 * sources.mains(v),
    ),
    "rolling": Source(
        "noise",
        0.55,
        True,
        NOISE | {"order": Range(0.3, 3, log=True), "depth": DEPTH, "abrupt": Range(0, 1), "width": WIDTH},
        sources.rolling,
        lambda v, speed: v["order"] * speed,
    ),
    "flow": Source(
        "noise",
        0.5,
        False,
        NOISE | {"gusts": Range(0.2, 12, log=True), "depth": Range(0, 0.7)},
        sources.flow,
        lambda v, speed: v["gusts"],
    ),
    "wake": Source(
        "noise",
        0.2,
        True,
        NOISE | {"blades": Range(2, 12, log=True), "depth": DEPTH},
        sources.wake,
        lambda v, speed: round(v["blades"]) * speed,
    ),
    "whine": Source(
        "tones",
        0.3,
        False,
        {
            "hz": Range(700, 7000, log=True),
            "wander": Range(1e-5, 5e-3, log=True),
            "beside": Range(5, 400, log=True),
            "index": Range(0.0, 0.25),
            "second": Range(0, 0.6),
            "depth": Range(0, 0.9),
        },
        sources.whine,
        lambda v, speed: v["beside"],
        lambda v, speed: v["hz"],
    ),
    "strokes": Source(
        "impacts",
        0.25,
        False,
        NOISE
        | {
            "rate": Range(0.3, 8, log=True),
            "jitter": Range(0.001, 0.1, log=True),
            "back": Range(0.1, 0.9),
            "return": Range(0, 1),
            "attack": Range(0.001, 0.05, log=True),
            "hold": Range(0.0, 0.5),
            "decay": Range(0.005, 0.3, log=True),
            "click": Range(0, 1),
            "bounces": Range(0, 6),
            "gap": Range(0.004, 0.08, log=True),
            "restitution": Range(0.3, 0.85),
        },
        sources.strokes,
        lambda v, speed: v["rate"],
    ),
    "impacts": Source(
        "impacts",
        0.25,
        True,
        {"order": Range(0.3, 8, log=True), "slip": Range(0.001, 0.03, log=True), "depth": Range(0, 1)},
        sources.impacts,
        lambda v, speed: v["order"] * speed,
    ),
    "belt": Source(
        "noise",
        0.2,
        True,
        NOISE | {"order": Range(0.08, 0.6, log=True), "depth": DEPTH, "width": WIDTH, "slap": Range(0, 2)},
        sources.belt,
        lambda v, speed: v["order"] * speed,
    ),
    "rattle": Source(
        "impacts",
        0.2,
        False,
        {
            "rate": Range(0.5, 30, log=True),
            "strokes": Range(0, 6),
            "spread": Range(0.003, 0.05, log=True),
            "first": Range(400, 4500, log=True),
            "interval": Range(1.1, 1.7),
            "loss": Range(0.004, 0.06, log=True),
        },
        sources.rattle,
        lambda v, speed: v["rate"],
    ),
}
"""All sources, by name."""
