"""The interval that the organisers' evaluator prints, under a name of its own: it is not that of the official score."""

import numpy as np

from asd.evaluation.auc import auc, partial_auc
from asd.evaluation.sections import LabelledSection

FIRST_INTERVAL = 2023  # the first year whose evaluator prints one
AT_ONCE = 1000  # clips left out; bounds the memory


def organisers_ci95(sections: list[LabelledSection], system: str, confidence: float = 0.95) -> float:
    """Compute what the evaluators of 2023 and later print as ``official score ci95``.

    It is the half width of a jackknife interval of two other figures, the AUC and the pAUC of the raw scores of all
    machines pooled, averaged; and as the leave-one-out values are spread by N (N - 1) rather than (N - 1) / N, it is
    N - 1 times smaller than the jackknife's. For the interval of the official score see
    :func:`asd.evaluation.bootstrap.bias_corrected_interval`.

    Parameters
    ----------
    sections : list of LabelledSection
    system : str
        Several training seeds are averaged clip by clip.
    confidence : float

    Returns
    -------
    float
        A share of 1.
    """
    from scipy.special import stdtrit

    labelled = [section for section in sections if not section.unlabelled]
    anomalous = np.concatenate([section.anomalous for section in labelled])
    scores = np.concatenate([section.scores[system].mean(axis=0) for section in labelled])
    clips = len(scores)
    left_out = np.concatenate([_left_out(anomalous, scores, i) for i in range(0, clips, AT_ONCE)], axis=1)
    deviation = np.sqrt(((left_out - left_out.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / (clips * (clips - 1)))
    return float(stdtrit(clips - 1, (1 + confidence) / 2) * deviation.mean())


def _left_out(anomalous: np.ndarray, scores: np.ndarray, start: int) -> np.ndarray:
    """Compute AUC and pAUC without one clip, for the next :data:`AT_ONCE` clips: shape (2, clips)."""
    each = np.arange(start, min(start + AT_ONCE, len(scores)))
    weights = np.ones((len(scores), len(each)))
    weights[each, each - start] = 0
    parts = scores[~anomalous], scores[anomalous], weights[~anomalous], weights[anomalous]
    return np.stack([auc(*parts), partial_auc(*parts)])
