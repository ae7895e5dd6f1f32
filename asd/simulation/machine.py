"""Simulated machines: parts, faults, operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

import numpy as np

from asd.simulation.acoustics import Body, response

SPREAD = 3.0  # [dB] of a part's smooth response


class Sound(NamedTuple):
    """A machine without its surroundings.

    ``fault`` is what a fault adds (or takes away, where something is missing), before its gain. ``frequencies`` [Hz]
    are means over the clip, by name; ``shaft`` is the speed.
    """

    healthy: np.ndarray
    fault: np.ndarray
    frequencies: dict[str, float]


@dataclass(frozen=True)
class Operation:
    """Operation of a machine in one clip.

    ``design(name)`` gives a generator for what is the same in every factory, such as the natural frequencies of
    model A; ``copy(name)`` one for what is special to this factory's copy of it. Neither depends on the clip.
    """

    attributes: Mapping[str, str]
    fault: str
    severity: float
    frames: int
    rng: np.random.Generator
    fault_rng: np.random.Generator
    design: Callable[[str], np.random.Generator]
    copy: Callable[[str], np.random.Generator]

    def number(self, attribute: str) -> float:
        """Read an attribute that is a number, perhaps with a unit behind."""
        return float(self.attributes[attribute].rstrip("V"))

    def named(self, *attributes: str) -> str:
        """Name a part by attributes: ``car A1``; one that all clips share, where it is no attribute."""
        return " ".join(f"{attribute} {self.attributes.get(attribute, '')}" for attribute in attributes)

    def body(self, name: str, low: float, high: float, modes: int = 6, loss: float = 0.025) -> Body:
        """Give a part with natural frequencies between two [Hz], of about that damping ratio.

        Parameters
        ----------
        name : str
            Of the part.
        low, high : float
            [Hz]
        modes : int
            How many natural frequencies.
        loss : float
            Damping ratio, about.

        Returns
        -------
        Body
        """
        design, copy = self.design(f"body {name}"), self.copy(f"body {name}")
        steps = (np.arange(modes) + design.uniform(0.1, 0.9, modes)) / modes
        hz = low * (high / low) ** steps * (1 + 0.01 * copy.standard_normal(modes))
        damping = loss * design.uniform(0.6, 1.4, modes)
        weight = design.uniform(0.5, 1.0, modes) * (-1) ** np.arange(modes)
        knots = response(design, SPREAD) + response(copy, SPREAD / 3)
        return Body(*(tuple(map(float, values)) for values in (hz, damping, weight, knots)))

    def response(self, name: str, spread: float) -> np.ndarray:
        """Give the frequency response of something without resonances, such as a microphone.

        Parameters
        ----------
        name : str
        spread : float
            Standard deviation of the design [dB]; a copy differs by a third of it.

        Returns
        -------
        np.ndarray
            Knots [dB].
        """
        return response(self.design(name), spread) + response(self.copy(name), spread / 3)


class Fault(NamedTuple):
    """Something that can go wrong with a machine.

    Attributes
    ----------
    sound : callable
        ``(operation, parts of the machine ...)`` -> what the fault adds to the healthy sound, or takes away,
        [shape=(frames,)]. Severity multiplies it, so one whose severity is no amplitude divides by it.
    kind : str
        ``transient``: impacts and bursts that repeat; ``stationary``: tones, band energy or a speed that change all
        along the clip, or while the machine works; ``both``.
    gain : float
        Factor of ``sound`` at severity 1; calibrated (docs/simulated_factory.md).
    frequency : str
        Name of the machine's frequency at which it repeats; empty where it does not.
    """

    sound: Callable[..., np.ndarray]
    kind: Literal["transient", "stationary", "both"]
    gain: float
    frequency: str = ""


@dataclass(frozen=True)
class Machine:
    """A kind of machine: what it is called, how it is recorded, how it sounds and fails.

    ``seconds`` are the lengths its clips may have. ``source`` and ``target`` list the values of each attribute; all
    combinations occur. ``listed`` says how the attributes stand in the organisers' table, if they are not hidden.
    """

    name: str
    seconds: tuple[float, ...]
    source: Mapping[str, tuple[str, ...]]
    target: Mapping[str, tuple[str, ...]]
    listed: Literal["paths", "stems", "hidden"]
    supplement: Literal["clean", "noise"]
    faults: Mapping[str, Fault]
    sound: Callable[[Operation], Sound]

    @property
    def hidden(self) -> bool:
        """Whether the task hides this machine's attributes."""
        return self.listed == "hidden"

    def settings(self, domain: str) -> list[dict[str, str]]:
        """List the attribute combinations of a domain."""
        values = self.source if domain == "source" else self.target
        return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]
