"""A test whether recordings drift: clips that follow each other are then more alike than others."""

from typing import NamedTuple

import numpy as np

from asd.core.compute import rng
from asd.scoring.distances import distances
from asd.scoring.scorer import flattened

PERMUTATIONS = 999
FEWEST = 5  # recordings of a domain: of four, an order comes up by chance in one of 12


class Drift(NamedTuple):
    """Likeness of recordings that follow each other.

    Attributes
    ----------
    ratio : float
        Mean distance of recordings that follow each other to that of any two; 1 where the order does not matter, less
        where sounds drift.
    p : float
        Share of shuffled orders with as small a ratio.
    """

    ratio: float
    p: float


def drift(embeddings: np.ndarray, domain: np.ndarray, position: np.ndarray, seed: int = 0) -> Drift | None:
    """Test whether the order of recording matters for normal clips of one machine and section.

    The sum of Euclidean distances between clips that follow one another in a domain, against the same sum of shuffled
    clips: von Neumann's ratio for vectors, with a permutation test. Clips of one recording count as one, their mean.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, ...)]
    domain : np.ndarray [shape=(clips,)]
    position : np.ndarray [shape=(clips,), dtype=int]
        See :func:`asd.core.positions.positions`.
    seed : int
        Of the permutations.

    Returns
    -------
    Drift or None
        None where no domain has five recordings.

    References
    ----------
    J. von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", Annals of
    Mathematical Statistics 12, 1941.
    """
    x, generator = flattened(embeddings), rng("drift", seed)
    sums, alike = np.zeros(1 + PERMUTATIONS), 0.0
    for name in np.unique(domain):
        recordings = np.unique(position[domain == name])
        if len(recordings) < FEWEST:
            continue
        means = np.stack([x[(domain == name) & (position == one)].mean(axis=0) for one in recordings])
        far = distances(means, means, "euclidean")
        orders = [np.arange(len(far))] + [generator.permutation(len(far)) for _ in range(PERMUTATIONS)]
        sums += [far[order[1:], order[:-1]].sum() for order in orders]
        alike += far.sum() / len(far)  # the mean sum of shuffled orders
    if not alike:
        return None
    return Drift(float(sums[0] / alike), float((sums <= sums[0]).mean()))
