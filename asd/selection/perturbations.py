"""Pseudo anomalies made of held-out normal embeddings: one function a kind, all of the shape of what they are given."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SHARE = 0.2  # of the way to another machine's clip
EXCHANGED = 0.15  # of the dimensions, that another clip's take the place of
DEVIATIONS = 0.3  # by which every dimension is scattered
STRETCH = 1.3  # of the way from the mean of the domain


class Given(NamedTuple):
    """What a perturbation may use.

    Attributes
    ----------
    normal : np.ndarray [shape=(clips, dims)]
        Held-out clips, each of which is perturbed.
    domain : np.ndarray [shape=(clips,)]
        Theirs.
    memory : np.ndarray [shape=(others, dims)]
        Other normal clips of the machine's section.
    memory_domain : np.ndarray [shape=(others,)]
    foreign : np.ndarray [shape=(foreign, dims)]
        Normal clips of other machines, perhaps none.
    """

    normal: np.ndarray
    domain: np.ndarray
    memory: np.ndarray
    memory_domain: np.ndarray
    foreign: np.ndarray

    def means(self) -> np.ndarray:
        """Give the mean of the memory in each clip's domain; of all of it where it lacks the domain."""
        found = np.empty(self.normal.shape)
        for name in np.unique(self.domain):
            own = self.memory_domain == name
            found[self.domain == name] = self.memory[own if own.any() else slice(None)].mean(axis=0)
        return found


def mixed(given: Given, draw: np.random.Generator) -> np.ndarray:
    """Move every clip a part of the way from the mean of its domain to a clip of another machine; nothing without one.

    Its own way from that mean stays whole: a mixture proper would shrink it, and be more usual than the clip was.
    """
    if not len(given.foreign):
        return given.foreign
    partner = given.foreign[draw.integers(len(given.foreign), size=len(given.normal))]
    return given.normal + SHARE * (partner - given.means())


def shuffled(given: Given, draw: np.random.Generator) -> np.ndarray:
    """Give every clip some dimensions of another: each value is usual, their combination is not."""
    partner = given.memory[draw.integers(len(given.memory), size=len(given.normal))]
    taken = draw.random(given.normal.shape) < EXCHANGED
    return np.where(taken, partner, given.normal)


def scattered(given: Given, draw: np.random.Generator) -> np.ndarray:
    """Add noise in every dimension by itself, a share of its deviation in the memory: outside of the covariance."""
    deviation = given.memory.std(axis=0)
    return given.normal + DEVIATIONS * deviation * draw.standard_normal(given.normal.shape)


def stretched(given: Given, draw: np.random.Generator) -> np.ndarray:
    """Move every clip away from the mean of its domain: along the covariance."""
    means = given.means()
    return means + STRETCH * (given.normal - means)


PERTURBATIONS: dict[str, Callable[[Given, np.random.Generator], np.ndarray]] = {
    "mixed": mixed,
    "shuffled": shuffled,
    "scattered": scattered,
    "stretched": stretched,
}
