"""Every method by its name, on the clips of one machine."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from asd.pseudo_labels.density import density
from asd.pseudo_labels.frequency import frequency
from asd.pseudo_labels.hierarchical import hierarchical, nearest
from asd.pseudo_labels.mixture import mixture
from asd.pseudo_labels.params import Agglomerative, PseudoLabelParams
from asd.pseudo_labels.spaces import space
from asd.pseudo_labels.trees import Merged

METHODS = ("hierarchical", "frequency", "spectrum", "gmm", "hdbscan")
BORROWED = 0.5  # factor of the confidence of a clip that has its group from its neighbours


class Clips(NamedTuple):
    """What is known of the clips of one machine, sorted by ``clip_id``.

    Attributes
    ----------
    domain : np.ndarray [shape=(clips,)] of str
    embeddings : np.ndarray [shape=(clips, dims)]
        Of the labellers' encoder.
    spectra : np.ndarray [shape=(clips, bands)]
        Of :func:`asd.pseudo_labels.spaces.spectra`.
    frequency, strength : np.ndarray [shape=(clips, families)]
        [Hz], 0 where there are fewer families; [nats].
    """

    domain: np.ndarray
    embeddings: np.ndarray
    spectra: np.ndarray
    frequency: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Grouping:
    """What a method makes of a machine.

    Attributes
    ----------
    groups : np.ndarray [shape=(clips,)], int
        From 0.
    again : callable
        Groups some of the clips, given by their places, into as many groups.
    weight : np.ndarray [shape=(clips,)]
        1, or less where the method knows little of a clip and its group is borrowed.
    trees : dict of str to (np.ndarray, Merged)
        Merge trees by domain, of methods that have them.
    lines : dict of int to float
        [Hz] The frequency of each group, of the method that has them.
    """

    groups: np.ndarray
    again: Callable[[np.ndarray], np.ndarray]
    weight: np.ndarray
    trees: dict[str, tuple[np.ndarray, Merged]] = field(default_factory=dict)
    lines: dict[int, float] = field(default_factory=dict)


def groupings(clips: Clips, params: PseudoLabelParams) -> dict[str, Grouping]:
    """Group the clips of one machine by every method."""
    limits = params.min_groups, params.max_groups
    dense = space(clips.embeddings, components=params.hdbscan.components)
    return {
        "hierarchical": _agglomerated(clips.embeddings, clips.domain, params.hierarchical, limits),
        "frequency": _by_frequency(clips),
        "spectrum": _agglomerated(clips.spectra, clips.domain, params.spectrum, limits),
        "gmm": _mixed(space(clips.embeddings, components=params.gmm.components), limits),
        "hdbscan": _where_finite(dense, lambda some: density(dense[some], params.hdbscan.share)),
    }


def _agglomerated(x: np.ndarray, domain: np.ndarray, params: Agglomerative, limits: tuple[int, int]) -> Grouping:
    x = space(x, params.normalise, params.components)
    finite = np.flatnonzero(np.isfinite(x).all(axis=1))
    found = hierarchical(x[finite], domain[finite], params, *limits)

    def group(some: np.ndarray) -> np.ndarray:
        return hierarchical(x[some], domain[some], params, *limits, found.numbers).groups

    trees = {name: (finite[rows], tree) for name, (rows, tree) in found.trees.items()}
    return replace(_where_finite(x, group), trees=trees)


def _mixed(x: np.ndarray, limits: tuple[int, int]) -> Grouping:
    finite = x[np.isfinite(x).all(axis=1)]
    chosen = int(mixture(finite, *limits).max(initial=0)) + 1
    return _where_finite(x, lambda some: mixture(x[some], chosen, chosen))


def _where_finite(x: np.ndarray, group: Callable[[np.ndarray], np.ndarray]) -> Grouping:
    """Let a method group the clips that are finite; the others join the first group, and count for nothing."""
    finite = np.isfinite(x).all(axis=1)

    def grouped(places: np.ndarray) -> np.ndarray:
        groups, known = np.zeros(len(places), dtype=int), finite[places]
        if known.any():
            groups[known] = group(places[known])
        return groups

    return Grouping(grouped(np.arange(len(x))), grouped, finite.astype(float))


def _by_frequency(clips: Clips) -> Grouping:
    sound = np.nan_to_num(space(clips.spectra))

    def found(places: np.ndarray) -> tuple[np.ndarray, dict[int, float]]:
        return frequency(clips.frequency[places], clips.strength[places], sound[places])

    own, lines = found(np.arange(len(sound)))
    weight = np.where(own >= 0, 1.0, BORROWED if lines else 0.0)
    return Grouping(nearest(sound, own), lambda some: nearest(sound[some], found(some)[0]), weight, lines=lines)
