"""The official metric of DCASE Task 2, 2022-2026, and what stands beside it under other names.

The challenge's AUC of a domain sets the domain's normal clips against the anomalies of *both* domains; the
difference to the AUC within the domain is the offset between the domains' scores.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.evaluation.auc import auc, partial_auc


class Measure(NamedTuple):
    """One figure of a machine's section, and whose clips enter it (a domain, or any)."""

    function: Callable[..., np.ndarray]
    normal: str
    anomalous: str


MEASURES = {
    "auc": Measure(auc, "any", "any"),
    "auc_source": Measure(auc, "source", "any"),
    "auc_target": Measure(auc, "target", "any"),
    "auc_source_within": Measure(auc, "source", "source"),
    "auc_target_within": Measure(auc, "target", "target"),
    "pauc": Measure(partial_auc, "any", "any"),
}
HEADLINES = {  # harmonic means of these over machine x section
    "official": ("auc_source", "auc_target", "pauc"),
    "score_one_domain": ("auc", "pauc"),
}
POINTS = ("system", "seed", "machine", "section", "headline", "enters", "measure", "value")
BESIDE = {"official": ("auc_source_within", "auc_target_within"), "score_one_domain": ()}


@dataclass(frozen=True)
class LabelledSection:
    """The labelled test clips of one machine x section, with every system's scores of them.

    Attributes
    ----------
    machine, section : str
    anomalous : np.ndarray [shape=(clips,), dtype=bool]
    domain, recording : np.ndarray [shape=(clips,), dtype=object]
        The true domain; the recording each clip is of.
    scores : dict of np.ndarray [shape=(seeds, clips)]
        By system; one row a training seed.
    """

    machine: str
    section: str
    anomalous: np.ndarray
    domain: np.ndarray
    recording: np.ndarray
    scores: dict[str, np.ndarray]

    def clips(self, anomalous: bool, domain: str = "any") -> np.ndarray:
        """Choose the normal or anomalous clips of a domain: positions of them."""
        chosen = self.anomalous == anomalous
        return np.flatnonzero(chosen if domain == "any" else chosen & (self.domain == domain))

    @property
    def unlabelled(self) -> str:
        """Why there is no AUC, or nothing where there is one."""
        if not len(self.anomalous):
            return "no labels"
        if self.anomalous.all():
            return "no normal test clips"
        return "" if self.anomalous.any() else "no anomalous test clips"

    @property
    def headline(self) -> str:
        """Name the score this section enters: the official one needs normal clips of both domains."""
        both = all(len(self.clips(False, domain)) for domain in ("source", "target"))
        return "official" if both else "score_one_domain"


def measured(
    section: LabelledSection, name: str, scores: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray | None:
    """Compute one of :data:`MEASURES` for one score of every clip.

    Parameters
    ----------
    section : LabelledSection
    name : str
    scores : np.ndarray [shape=(clips,)]
        Larger = more anomalous.
    weights : np.ndarray [shape=(clips, resamples)], optional
        How often each clip counts in each resample.

    Returns
    -------
    np.ndarray [shape=(resamples,)] or None
        A share of 1; None where the measure has no normal or no anomalous clips.
    """
    measure = MEASURES[name]
    normal, anomalous = section.clips(False, measure.normal), section.clips(True, measure.anomalous)
    if not len(normal) or not len(anomalous):
        return None
    counts = () if weights is None else (weights[normal], weights[anomalous])
    return measure.function(scores[normal], scores[anomalous], *counts)


def harmonic_mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Average as the organisers do: harmonically, every value clipped at ``sys.float_info.epsilon``."""
    mean: np.ndarray = values.shape[axis] / inverted(values).sum(axis=axis)
    return mean


def inverted(values: np.ndarray) -> np.ndarray:
    """Give what a harmonic mean adds up."""
    clipped: np.ndarray = np.maximum(values, sys.float_info.epsilon)
    return 1 / clipped


def point_values(sections: list[LabelledSection]) -> pd.DataFrame:
    """Compute every measure of every system, training seed, machine and section.

    Returns
    -------
    pd.DataFrame
        ``system, seed (a count), machine, section, headline, enters (the headline), measure, value``; nothing of
        unlabelled sections.
    """
    rows = []
    for section in sections:
        if section.unlabelled:
            continue
        entering = HEADLINES[section.headline]
        for system, scores in section.scores.items():
            for seed, row in enumerate(scores):
                key = (system, seed, section.machine, section.section, section.headline)
                values = {name: measured(section, name, row) for name in entering + BESIDE[section.headline]}
                rows += [(*key, n in entering, n, float(value[0])) for n, value in values.items() if value is not None]
    return pd.DataFrame(rows, columns=list(POINTS)).astype({"enters": bool})


def headline_values(points: pd.DataFrame, headline: str) -> dict[str, np.ndarray]:
    """Compute a headline score of every system, by training seed.

    Returns
    -------
    dict of np.ndarray [shape=(seeds,)]
        By system, shares of 1; empty where no section enters the headline.
    """
    entering = points[(points["headline"] == headline) & points["enters"]]
    return {
        str(system): np.array([float(harmonic_mean(seed["value"].to_numpy())) for _, seed in own.groupby("seed")])
        for system, own in entering.groupby("system", sort=False)
    }
