"""How far a score would move with other test clips: the stratified, bias-corrected bootstrap.

The units drawn are recordings, for clips of one recording are not independent; strata are machine x section x
domain x label, as the organisers fix their sizes. Systems and training seeds share the resamples, so their
differences are paired. It answers for the choice of test clips alone; for the training seeds see
:mod:`asd.evaluation.difference`.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from asd.base.compute import rng
from asd.evaluation.official import Metric, section_weights, summand
from asd.evaluation.sections import LabelledSection, measured

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
        Draws depend on it, the machine and the section alone.

    Returns
    -------
    dict of np.ndarray [shape=(resamples,)]
        By system: the mean over its training seeds, a share of 1.
    """
    shares = section_weights([section.machine for section in sections], metric)
    sums = {system: np.zeros((len(scores), resamples)) for system, scores in sections[0].scores.items()}
    for section, share in zip(sections, shares, strict=True):
        generator = rng(seed, "bootstrap", section.machine, section.section)
        for block in _blocks(resamples):
            weights = draw_weights(section, block.stop - block.start, generator)
            for system, scores in section.scores.items():
                for row, own in enumerate(scores):
                    values = [measured(section, name, own, weights) for name in metric.measures]
                    sums[system][row, block] += share * summand(np.array(values), metric.power).sum(axis=0)
    count = len(metric.measures) * shares.sum()
    return {system: ((total / count) ** metric.power).mean(axis=0) for system, total in sums.items()}


def _blocks(resamples: int) -> Iterator[slice]:
    for start in range(0, resamples, AT_ONCE):
        yield slice(start, min(start + AT_ONCE, resamples))


def draw_weights(section: LabelledSection, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw recordings with replacement within domain x label.

    Returns
    -------
    np.ndarray [shape=(clips, resamples)]
        How often each clip was drawn. A recording with clips in two strata is drawn in each of them.
    """
    weights = np.empty((len(section.anomalous), resamples))
    strata = pd.DataFrame({"domain": section.domain, "anomalous": section.anomalous})
    for _, clips in sorted(strata.groupby(["domain", "anomalous"]).indices.items()):
        recordings, of_clip = np.unique(section.recording[clips].astype(str), return_inverse=True)
        units = len(recordings)
        drawn = generator.integers(units, size=(resamples, units)) * resamples + np.arange(resamples)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=units * resamples).reshape(units, resamples)
        weights[clips] = counts[of_clip]
    return weights


def bias_corrected_interval(value: float, resampled: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the bias-corrected (BC) percentile interval.

    With z0 = Phi^-1(share of resamples below the value, ties half) its ends are the quantiles of the resamples at
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

    share = ((resampled < value).sum() + (resampled == value).sum() / 2) / len(resampled)
    edge = 1 / (2 * len(resampled))  # all resamples on one side: no further than half of one
    bias = 2 * ndtri(np.clip(share, edge, 1 - edge))
    reach = ndtri((1 + confidence) / 2)
    low, high = np.quantile(resampled, ndtr([bias - reach, bias + reach]))
    return float(low), float(high)
