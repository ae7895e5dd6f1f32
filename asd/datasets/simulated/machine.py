"""What a simulated machine is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import numpy as np


class Sound(NamedTuple):
    """A machine without its surroundings; the fault is what it adds (or, if strokes are missing, takes away)."""

    healthy: np.ndarray
    fault: np.ndarray
    speed_hz: float
    characteristic_hz: float


@dataclass(frozen=True)
class Operation:
    """How a machine runs in one clip.

    ``trait(name)`` gives a generator for constants of this factory, such as the resonances of one instance:
    the same in all its clips.
    """

    attributes: Mapping[str, str]
    fault: str
    severity: float
    frames: int
    rng: np.random.Generator
    fault_rng: np.random.Generator
    trait: Callable[[str], np.random.Generator]

    def number(self, attribute: str) -> float:
        """Read an attribute that is a number."""
        return float(self.attributes[attribute])


@dataclass(frozen=True)
class Machine:
    """A kind of machine: what it is called, how it is recorded, how it sounds and fails.

    ``source`` and ``target`` list the values of each attribute; all combinations occur. ``listed`` says how the
    attributes stand in the organisers' table, if they are not hidden.
    """

    name: str
    seconds: float
    source: Mapping[str, tuple[str, ...]]
    target: Mapping[str, tuple[str, ...]]
    listed: Literal["paths", "stems", "hidden"]
    supplement: Literal["clean", "noise"]
    faults: tuple[str, ...]
    sound: Callable[[Operation], Sound]

    @property
    def hidden(self) -> bool:
        """Whether the task hides this machine's attributes."""
        return self.listed == "hidden"

    def settings(self, domain: str) -> list[dict[str, str]]:
        """List the attribute combinations of a domain."""
        values = self.source if domain == "source" else self.target
        return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
