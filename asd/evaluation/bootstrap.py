"""Confidence intervals of scores over the choice of test clips: stratified, bias-corrected bootstrap.

Recordings are resampled, since clips of one recording are not independent; strata are machine x section x
domain x label, as the organisers fix their sizes. Systems and training seeds share the resamples, so their
differences are paired. It answers for the choice of test clips alone; for the training seeds see
:mod:`asd.evaluation.difference`.
"""

import numpy as np
import pandas as pd

from asd.core.compute import rng
from asd.evaluation.official import Metric, section_weights, summand
from asd.evaluation.sections import LabelledSection, section_measure

AT_ONCE = 1000  # resamples; bounds the memory
Resampled = dict[str, np.ndarray]


def resampled_scores(sections: list[LabelledSection], metric: Metric, resamples: int, seed: int) -> Resampled:
    """Compute a score of every system on resampled test clips.

    Parameters
    ----------
    sections : list of LabelledSection
        Those that enter the score.
    metric : Metric
    resamples : int
    seed : int
        Resamples depend on it, the machine and the section alone.

    Returns
    -------
    dict of np.ndarray [shape=(resamples,)]
        By system: the mean over its training seeds, between 0 and 1.
    """
    weights = section_weights([section.machine for section in sections], metric)
    sums = {system: np.zeros((len(scores), resamples)) for system, scores in sections[0].scores.items()}
    for section, weight in zip(sections, weights, strict=True):
        generator = rng(seed, "bootstrap", section.machine, section.section)
        for start in range(0, resamples, AT_ONCE):
            counts = resample_recordings(section, min(AT_ONCE, resamples - start), generator)
            for system, scores in section.scores.items():
                summands = weight * _summands(section, scores, counts, metric)
                sums[system][:, start : start + AT_ONCE] += summands
    total = len(metric.measures) * weights.sum()
    return {system: ((values / total) ** metric.power).mean(axis=0) for system, values in sums.items()}


def _summands(section: LabelledSection, scores: np.ndarray, counts: np.ndarray, metric: Metric) -> np.ndarray:
    """Add up what a section brings to the mean of a metric: ``(seeds, clips)``, ``(clips, resamples)`` -> both."""
    by_seed = [[section_measure(section, name, row, counts) for name in metric.measures] for row in scores]
    return np.array([summand(np.array(measures), metric.power).sum(axis=0) for measures in by_seed])


def resample_recordings(section: LabelledSection, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Sample recordings with replacement within domain x label.

    Parameters
    ----------
    section : LabelledSection
    resamples : int
    generator : np.random.Generator

    Returns
    -------
    np.ndarray [shape=(clips, resamples)]
        How often each clip is in each resample. A recording with clips in two strata is sampled in each of them.
    """
    weights = np.empty((len(section.anomalous), resamples))
    strata = pd.DataFrame({"domain": section.domain, "anomalous": section.anomalous})
    for _, clips in sorted(strata.groupby(["domain", "anomalous"]).indices.items()):
        recordings, of_clip = np.unique(section.recording[clips].astype(str), return_inverse=True)
        units = len(recordings)
        # (resamples, units): which recording, as the index of a cell of the table recordings x resamples
        cells = generator.integers(units, size=(resamples, units)) * resamples + np.arange(resamples)[:, None]
        counts = np.bincount(cells.ravel(), minlength=units * resamples).reshape(units, resamples)
        weights[clips] = counts[of_clip]
    return weights


def bias_corrected_interval(value: float, resampled: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the bias-corrected (BC) percentile interval.

    With z0 = Phi^-1(fraction of resamples below the value, ties half) its ends are the quantiles of the resamples at
    Phi(2 z0 - z) and Phi(2 z0 + z), z = Phi^-1((1 + confidence) / 2).

    Parameters
    ----------
    value : float
        The score of the test clips as they are.
    resampled : np.ndarray [shape=(resamples,)]
        The same score of each resample.
    confidence : float

    Returns
    -------
    (float, float)
        Lower and upper end.

    References
    ----------
    B. Efron, "Nonparametric standard errors and confidence intervals", Canadian Journal of Statistics 9 (2), 1981.
    """
    from scipy.special import ndtr, ndtri

    below = ((resampled < value).sum() + (resampled == value).sum() / 2) / len(resampled)
    edge = 1 / (2 * len(resampled))  # all resamples on one side: no further than half of one
    bias = 2 * ndtri(np.clip(below, edge, 1 - edge))
    reach = ndtri((1 + confidence) / 2)
    low, high = np.quantile(resampled, ndtr([bias - reach, bias + reach]))
    return float(low), float(high)
