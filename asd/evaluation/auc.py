"""AUC and pAUC of many weightings of the same scores at once: sorting happens once, not once a resample."""

import numpy as np

MAX_FPR = 0.1


def auc(
    normal: np.ndarray,
    anomalous: np.ndarray,
    normal_weights: np.ndarray | None = None,
    anomalous_weights: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the area under the ROC curve: the fraction of pairs in which the anomaly scores higher, ties half.

    Parameters
    ----------
    normal, anomalous : np.ndarray [shape=(n,)], [shape=(m,)]
        Anomaly scores, larger = more anomalous.
    normal_weights, anomalous_weights : np.ndarray [shape=(n, resamples)], [shape=(m, resamples)], optional
        How often each clip counts; by default once.

    Returns
    -------
    np.ndarray [shape=(resamples,)]
        Between 0 and 1; with no weights of one value, that of ``sklearn.metrics.roc_auc_score``.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4]), np.array([0.4, 0.9])).round(3)
    array([0.875])
    """
    normals, anomalies = _weights(normal, normal_weights), _weights(anomalous, anomalous_weights)
    higher, ties = _anomalies_above(normal, anomalous, anomalies)
    pairs = normals.sum(axis=0) * anomalies.sum(axis=0)
    area: np.ndarray = np.einsum("ij,ij->j", normals, higher + ties / 2) / pairs
    return area


def partial_auc(
    normal: np.ndarray,
    anomalous: np.ndarray,
    normal_weights: np.ndarray | None = None,
    anomalous_weights: np.ndarray | None = None,
    max_fpr: float = MAX_FPR,
) -> np.ndarray:
    """Compute the area under the ROC curve up to a false-positive rate, standardised so that chance is 0.5.

    Parameters
    ----------
    normal, anomalous, normal_weights, anomalous_weights
        As for :func:`auc`.
    max_fpr : float
        The false-positive rate at which the area ends; the curve is linear through ties.

    Returns
    -------
    np.ndarray [shape=(resamples,)]
        That of ``sklearn.metrics.roc_auc_score(max_fpr=...)``.

    References
    ----------
    D. K. McClish, "Analyzing a portion of the ROC curve", Medical Decision Making 9 (3), 1989.

    Examples
    --------
    >>> partial_auc(np.arange(10.0), np.array([8.5, 9.5])).round(3)
    array([0.737])
    """
    normals, anomalies = _weights(normal, normal_weights), _weights(anomalous, anomalous_weights)
    order = np.argsort(-normal, kind="stable")
    levels, first = np.unique(-normal[order], return_index=True)  # the ROC curve's thresholds, from the strictest
    here = np.add.reduceat(normals[order], first, axis=0)
    above = np.cumsum(here, axis=0) - here
    limit = max_fpr * normals.sum(axis=0)
    used = int((above < limit).any(axis=1).sum())
    here, above = here[:used], above[:used]
    taken = np.clip(limit - above, 0, here)
    higher, ties = _anomalies_above(-levels[:used], anomalous, anomalies)
    slope = np.divide(ties, here, out=np.zeros(here.shape), where=here > 0)
    area = np.einsum("ij,ij->j", taken, higher + slope * taken / 2)
    return _standardised(area / (normals.sum(axis=0) * anomalies.sum(axis=0)), max_fpr)


def _standardised(area: np.ndarray, max_fpr: float) -> np.ndarray:
    chance, most = max_fpr**2 / 2, max_fpr
    return 0.5 * (1 + (area - chance) / (most - chance))


def _weights(scores: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    return np.ones((len(scores), 1)) if weights is None else weights


def _anomalies_above(levels: np.ndarray, anomalous: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weigh the anomalies that score higher than each level, and those that score the same."""
    order = np.argsort(-anomalous, kind="stable")
    descending = -anomalous[order]
    cumulated = np.zeros((len(anomalous) + 1, weights.shape[1]))
    np.cumsum(weights[order], axis=0, out=cumulated[1:])
    higher = cumulated[np.searchsorted(descending, -levels, side="left")]
    return higher, cumulated[np.searchsorted(descending, -levels, side="right")] - higher
