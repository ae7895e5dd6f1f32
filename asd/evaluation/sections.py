"""The labelled test clips of a machine's section, and the AUCs of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from asd.evaluation.auc import auc, partial_auc


class Measure(NamedTuple):
    """An AUC of a machine's section, and of which domain the clips are that enter it (``any``: both)."""

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
    "pauc_source_within": Measure(partial_auc, "source", "source"),
    "pauc_target_within": Measure(partial_auc, "target", "target"),
}


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
        """Choose the normal or anomalous clips of a domain: positions of them.

        Parameters
        ----------
        anomalous : bool
        domain : str
            ``source``, ``target`` or ``any``.

        Returns
        -------
        np.ndarray [dtype=int]
        """
        chosen = self.anomalous == anomalous
        return np.flatnonzero(chosen if domain == "any" else chosen & (self.domain == domain))

    def has(self, name: str) -> bool:
        """Say whether one of :data:`MEASURES` has normal and anomalous clips here."""
        measure = MEASURES[name]
        return bool(len(self.clips(False, measure.normal)) and len(self.clips(True, measure.anomalous)))

    @property
    def unlabelled(self) -> str:
        """The reason for which there is no AUC; empty where there is one."""
        if not len(self.anomalous):
            return "no labels"
        if self.anomalous.all():
            return "no normal test clips"
        return "" if self.anomalous.any() else "no anomalous test clips"


def section_measure(
    section: LabelledSection, name: str, scores: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Compute one of :data:`MEASURES` for one score of every clip.

    Parameters
    ----------
    section : LabelledSection
        One that :meth:`LabelledSection.has` it.
    name : str
    scores : np.ndarray [shape=(clips,)]
        Larger = more anomalous.
    weights : np.ndarray [shape=(clips, resamples)], optional
        How often each clip counts in each resample.

    Returns
    -------
    np.ndarray [shape=(resamples,)]
        Between 0 and 1.
    """
    measure = MEASURES[name]
    normal, anomalous = section.clips(False, measure.normal), section.clips(True, measure.anomalous)
    counts = () if weights is None else (weights[normal], weights[anomalous])
    return measure.function(scores[normal], scores[anomalous], *counts)
