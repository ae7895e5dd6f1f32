"""The kinds of synthetic sound, by name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pretraining.sounds import faults, machines, synthesizers, textures

Sound = Any
"""A :class:`machines.Machine`, :class:`synthesizers.Patch` or :class:`textures.Texture`; each kind takes its own."""


class Kind(NamedTuple):
    """A kind of synthetic sound.

    Attributes
    ----------
    draw : callable
        ``rng -> sound``: a virtual machine, synthesizer or texture, all constants drawn.
    near : callable
        ``(sound, rng, amount) -> sound``: another one whose constants are near; ``amount`` 0 to 1 says how far.
    render : callable
        ``(sound, rng, frames) -> signal`` [shape=(frames,), dtype=float32] at 16 kHz, dry, root mean square 1.
    parameters : callable
        ``sound -> {name: value}`` for all names of
        :data:`asd.encoders.architectures.machine.PARAMETERS`, nan where it has no such thing.
    operate : callable
        ``(sound, rng) -> sound``: the same one in another operation.
    """

    draw: Callable[[np.random.Generator], Sound]
    near: Callable[[Sound, np.random.Generator, float], Sound]
    render: Callable[[Sound, np.random.Generator, int], np.ndarray]
    parameters: Callable[[Sound], dict[str, float]]
    operate: Callable[[Sound, np.random.Generator], Sound]


def _same(sound: Sound, rng: np.random.Generator) -> Sound:
    """Leave a sound that has no speed as it is."""
    return sound


KINDS: dict[str, Kind] = {
    "machines": Kind(machines.draw, faults.near, machines.render, machines.parameters, machines.operate),
    "synthesizers": Kind(synthesizers.draw, synthesizers.near, synthesizers.render, synthesizers.parameters, _same),
    "textures": Kind(textures.draw, textures.near, textures.render, textures.parameters, _same),
}
