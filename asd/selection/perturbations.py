"""Pseudo anomalies made of held-out normal embeddings: one function a kind, one anomaly a clip."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FRACTION = 0.2  # of the way to another machine's clip
EXCHANGED = 0.15  # of the dimensions, taken from another clip
DEVIATIONS = 0.3  # standard deviation of the noise, over that of each dimension
STRETCH = 1.3  # of the way from the mean of the domain


class HeldOut(NamedTuple):
    """Held-out clips of a trial, and the clips that a perturbation may use.

    Attributes
    ----------
    normal : np.ndarray [shape=(clips, dims)]
        Held-out clips, each of which is perturbed.
    domain : np.ndarray [shape=(clips,)]
        Theirs.
    reference : np.ndarray [shape=(others, dims)]
        Other normal clips of the machine's section.
    reference_domain : np.ndarray [shape=(others,)]
    foreign : np.ndarray [shape=(foreign, dims)]
        Normal clips of other machines, perhaps none.
    """

    normal: np.ndarray
    domain: np.ndarray
    reference: np.ndarray
    reference_domain: np.ndarray
    foreign: np.ndarray

    def means(self) -> np.ndarray:
        """Compute the mean reference clip of each clip's domain; of all domains where there is none."""
        means = np.empty(self.normal.shape)
        for name in np.unique(self.domain):
            same = self.reference_domain == name
            means[self.domain == name] = self.reference[same if same.any() else slice(None)].mean(axis=0)
        return means


def mixed(clips: HeldOut, generator: np.random.Generator) -> np.ndarray:
    """Move every clip a part of the way from the mean of its domain to a clip of another machine; nothing without one.

    Its own way from that mean stays whole: a mixture proper would shrink it, and be more usual than the clip was.
    """
    if not len(clips.foreign):
        return clips.foreign
    partner = clips.foreign[generator.integers(len(clips.foreign), size=len(clips.normal))]
    return clips.normal + FRACTION * (partner - clips.means())


def shuffled(clips: HeldOut, generator: np.random.Generator) -> np.ndarray:
    """Exchange some dimensions of every clip for another's: each value is usual, their combination is not."""
    partner = clips.reference[generator.integers(len(clips.reference), size=len(clips.normal))]
    exchanged = generator.random(clips.normal.shape) < EXCHANGED
    return np.where(exchanged, partner, clips.normal)


def scattered(clips: HeldOut, generator: np.random.Generator) -> np.ndarray:
    """Add noise in every dimension by itself, a fraction of its standard deviation: outside of the covariance."""
    std = clips.reference.std(axis=0)
    return clips.normal + DEVIATIONS * std * generator.standard_normal(clips.normal.shape)


def stretched(clips: HeldOut, generator: np.random.Generator) -> np.ndarray:
    """Move every clip away from the mean of its domain: along the covariance."""
    means = clips.means()
    return means + STRETCH * (clips.normal - means)


PERTURBATIONS: dict[str, Callable[[HeldOut, np.random.Generator], np.ndarray]] = {
    "mixed": mixed,
    "shuffled": shuffled,
    "scattered": scattered,
    "stretched": stretched,
}
