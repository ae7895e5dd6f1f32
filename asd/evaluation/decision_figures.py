"""Figures of decisions: F1, precision and recall by domain, and F1-EV, which needs no threshold."""

import sys

import numpy as np
import pandas as pd

from asd.evaluation.official import POINTS

DOMAINS = ("source", "target")
FIGURES = ("precision", "recall", "f1")
BY_DOMAIN = tuple(f"{figure}_{domain}" for figure in FIGURES for domain in DOMAINS)
F1_EV = ("f1_ev", "f1_ev_bounded")
ALPHA = 0.2  # [standard deviations of normal scores] by which the bounded F1-EV looks beyond its ends


def decision_values(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the figures of every system, training seed, machine and section, as the organisers do.

    F1, precision and recall of a domain use the domain's own anomalies, unlike its official AUC.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.join_truth`; ``decision`` is NaN where nothing was decided.

    Returns
    -------
    pd.DataFrame
        Points, as of :func:`asd.evaluation.official.point_values`, that enter no official score; what lacks normal or
        anomalous clips or decisions is left out.
    """
    rows = []
    for (system, seed), scored in table[table["anomaly"].notna()].groupby(["system", "seed"]):
        for (machine, section), clips in scored.groupby(["machine", "section"]):
            key = (system, seed, machine, section, "", False)
            rows += [(*key, name, value) for name, value in _values(clips).items()]
    return pd.DataFrame(rows, columns=list(POINTS)).astype({"enters": bool})


def _values(section: pd.DataFrame) -> dict[str, float]:
    values: dict[str, float] = {}
    for domain in DOMAINS:
        clips = section[(section["domain"] == domain) & section["decision"].notna()]
        if clips["anomaly"].nunique() == 2:
            figures = precision_recall_f1(clips["anomaly"].to_numpy() == 1, clips["decision"].to_numpy() == 1)
            values |= {f"{name}_{domain}": value for name, value in zip(FIGURES, figures, strict=True)}
    if section["anomaly"].nunique() == 2:
        anomalous, scores = section["anomaly"].to_numpy() == 1, section["score"].to_numpy()
        values |= {"f1_ev": f1_ev(anomalous, scores), "f1_ev_bounded": f1_ev_bounded(anomalous, scores)}
    return values


def precision_recall_f1(anomalous: np.ndarray, decided: np.ndarray) -> tuple[float, float, float]:
    """Compute precision, recall and F1 of decisions; 0 where nothing was decided to be anomalous.

    Parameters
    ----------
    anomalous, decided : np.ndarray [shape=(clips,), dtype=bool]

    Examples
    --------
    >>> anomalous, decided = np.array([True, True, False]), np.array([True, False, False])
    >>> precision_recall_f1(anomalous, decided)
    (1.0, 0.5, 0.6666666666666666)
    """
    hits = int((anomalous & decided).sum())
    precision = hits / max(int(decided.sum()), sys.float_info.epsilon)
    recall = hits / max(int(anomalous.sum()), sys.float_info.epsilon)
    return precision, recall, 2 * precision * recall / max(precision + recall, sys.float_info.epsilon)


def f1_curve(anomalous: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute F1 at every threshold: it changes at the scores alone, and a clip is decided anomalous above.

    Parameters
    ----------
    anomalous : np.ndarray [shape=(clips,), dtype=bool]
    scores : np.ndarray [shape=(clips,)]

    Returns
    -------
    thresholds : np.ndarray [shape=(levels,)]
        The scores in order.
    values : np.ndarray [shape=(levels + 1,)]
        F1 below the first, from each of them up to the next, and from the last on.
    """
    thresholds, level = np.unique(scores, return_inverse=True)
    above = len(scores) - np.cumsum([0, *np.bincount(level)])
    hits = anomalous.sum() - np.cumsum([0, *np.bincount(level, weights=anomalous)])
    return thresholds, 2 * hits / (above + anomalous.sum())


def f1_ev(anomalous: np.ndarray, scores: np.ndarray) -> float:
    """Compute F1-EV: the expected F1 of a threshold sampled uniformly between the lowest and the highest score.

    Unlike an AUC it is larger where a wide gap between normal and anomalous scores makes a threshold easy to set.
    Monotone maps of the scores change it.

    Parameters
    ----------
    anomalous : np.ndarray [shape=(clips,), dtype=bool]
    scores : np.ndarray [shape=(clips,)]

    Returns
    -------
    float
        0 to 1; with all scores equal, F1 of calling no clip anomalous: 0.

    References
    ----------
    K. Wilkinghoff, K. Imoto, "F1-EV score: measuring the likelihood of estimating a good decision threshold for
    semi-supervised anomaly detection", ICASSP 2024, arXiv 2312.09143. Written from the definition; the test compares
    with values of the authors' program.
    """
    thresholds, values = f1_curve(anomalous, scores)
    return _expected(thresholds, values, thresholds[0], thresholds[-1])


def f1_ev_bounded(anomalous: np.ndarray, scores: np.ndarray, alpha: float = ALPHA) -> float:
    """Compute the bounded F1-EV: of thresholds one would estimate, not of all.

    They lie between the mean of the normal scores and the best threshold, both ends moved outwards by ``alpha``
    standard deviations of the normal scores. Where the best threshold lies below the mean, so that the ends meet, it is
    F1 at the lower end. This case, ``alpha`` and which of several best thresholds counts (the lowest) follow the
    authors' program, not the paper's text.

    Parameters
    ----------
    anomalous : np.ndarray [shape=(clips,), dtype=bool]
    scores : np.ndarray [shape=(clips,)]
    alpha : float
        [standard deviations]

    References
    ----------
    As for :func:`f1_ev`.
    """
    thresholds, values = f1_curve(anomalous, scores)
    normal = scores[~anomalous]
    margin = alpha * normal.std()
    low, high = normal.mean() - margin, thresholds[values[1:].argmax()] + margin
    return _expected(thresholds, values, low, max(low, high))


def _expected(thresholds: np.ndarray, values: np.ndarray, low: float, high: float) -> float:
    """Average the step function between two thresholds; at one of them where they are the same."""
    inside = (thresholds > low) & (thresholds < high)
    edges = np.concatenate([[low], thresholds[inside], [high]])
    heights = values[np.searchsorted(thresholds, edges[:-1], side="right")]
    return float(heights[0] if high <= low else np.average(heights, weights=np.diff(edges)))
