"""The clips of one machine as labellers take them, and the groups that they make of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from asd.features.store import FeatureStore
from asd.pseudo_labels.spaces import spectra
from asd.pseudo_labels.trees import Merged

COLUMNS = ("frequency", "kind", "harmonics", "side_bands", "strength", "confidence")  # of characteristic_frequencies


class Clips(NamedTuple):
    """The clips of one machine, sorted by ``clip_id``, as labellers take them.

    Attributes
    ----------
    domain : np.ndarray [shape=(clips,)] of str
    embeddings : np.ndarray [shape=(clips, dims)]
        Of the labellers' encoder.
    spectra : np.ndarray [shape=(clips, bands)]
        Of :func:`asd.pseudo_labels.spaces.spectra`.
    frequency, strength : np.ndarray [shape=(clips, series)]
        Fundamentals of the harmonic series of each clip [Hz], 0 where there are fewer; their strength [nats].
    """

    domain: np.ndarray
    embeddings: np.ndarray
    spectra: np.ndarray
    frequency: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class Grouping:
    """The groups that a labeller makes of the clips of a machine.

    Attributes
    ----------
    groups : np.ndarray [shape=(clips,)], int
        From 0.
    regroup : callable
        Groups some of the clips, given by their rows, into as many groups.
    weight : np.ndarray [shape=(clips,)]
        1, or less where the labeller knows little of a clip and its group is borrowed.
    trees : dict of str to (np.ndarray, Merged)
        Rows and merge tree by domain, of labellers that have them.
    lines : dict of int to float
        [Hz] The frequency of each group, of the labeller that has them.
    """

    groups: np.ndarray
    regroup: Callable[[np.ndarray], np.ndarray]
    weight: np.ndarray
    trees: dict[str, tuple[np.ndarray, Merged]] = field(default_factory=dict)
    lines: dict[int, float] = field(default_factory=dict)


def read_clips_of(
    table: pd.DataFrame, embeddings: np.ndarray, log_spectra: FeatureStore, frequencies: FeatureStore, smooth: float
) -> Clips:
    """Collect what labellers take of clips.

    Parameters
    ----------
    table : pd.DataFrame
        Rows of the clip table.
    embeddings : np.ndarray [shape=(clips, ...)]
        In its order.
    log_spectra, frequencies : FeatureStore
        A log spectrogram; a front end of the kind ``characteristic_frequencies``.
    smooth : float
        [bands] See :func:`asd.pseudo_labels.spaces.spectra`.
    """
    ids = list(table["clip_id"])
    series = np.stack([frequencies[clip] for clip in ids])  # (clips, series, columns)
    return Clips(
        table["domain"].to_numpy(str),
        embeddings.reshape(len(ids), -1),
        spectra([log_spectra[clip] for clip in ids], smooth),
        series[:, :, COLUMNS.index("frequency")],
        series[:, :, COLUMNS.index("strength")],
    )


def group_finite(x: np.ndarray, group: Callable[[np.ndarray], np.ndarray]) -> Grouping:
    """Group the clips that are finite; the others join the first group, with weight 0.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, dims)]
    group : callable
        Takes rows of ``x``, gives their groups.
    """
    finite = np.isfinite(x).all(axis=1)

    def regroup(rows: np.ndarray) -> np.ndarray:
        groups, known = np.zeros(len(rows), dtype=int), finite[rows]
        if known.any():
            groups[known] = group(rows[known])
        return groups

    return Grouping(regroup(np.arange(len(x))), regroup, finite.astype(float))


def nearest(x: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Let clips without a group (-1) join the one with the nearest mean; all are one group where there is none."""
    if (groups < 0).all():
        return np.zeros_like(groups)
    means = np.stack([x[groups == g].mean(axis=0) for g in range(groups.max() + 1)])
    return np.where(groups < 0, cdist(x, means).argmin(axis=1), groups)
