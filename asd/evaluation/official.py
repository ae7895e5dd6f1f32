"""The official metric of every year of DCASE Task 2, and the interval that the organisers' evaluator prints.

From 2022 on the challenge's AUC of a domain sets the domain's normal clips against the anomalies of *both* domains;
the difference to the AUC within the domain is the offset between the domains' scores.
"""

import re
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.evaluation.auc import auc, partial_auc
from asd.evaluation.sections import LabelledSection, section_measure

HARMONIC, ARITHMETIC = -1, 1


class Metric(NamedTuple):
    """Rule by which the measures of machines and sections are averaged to one score.

    Attributes
    ----------
    measures : tuple of str
        Those of :data:`asd.evaluation.sections.MEASURES` that enter; ``beside`` are reported and do not.
    power : int
        Of the mean: :data:`HARMONIC` or :data:`ARITHMETIC`.
    by_machine : bool
        Whether every machine counts the same, or every section.
    """

    measures: tuple[str, ...]
    power: int = HARMONIC
    by_machine: bool = False
    beside: tuple[str, ...] = ()


# 2020: Y. Koizumi et al., arXiv 2006.05822. The challenge ranked by the average rank over machine types, which is no
# figure of one system: its official score here is the mean of the average AUC and the average pAUC.
# 2021: Y. Kawaguchi et al., arXiv 2106.04492. 2022: K. Dohi et al., arXiv 2206.05876. The later years changed the
# machines and the clips, not the metric: T. Nishida et al., arXiv 2506.10097, eq. 2-4.
_2020 = Metric(("auc", "pauc"), ARITHMETIC, by_machine=True)
_2021 = Metric(("auc_source_within", "auc_target_within", "pauc_source_within", "pauc_target_within"))
_2022 = Metric(("auc_source", "auc_target", "pauc"), beside=("auc_source_within", "auc_target_within"))
YEARS = {2020: _2020, 2021: _2021} | dict.fromkeys(range(2022, 2027), _2022)
ONE_DOMAIN = Metric(("auc", "pauc"))
POINTS = ("system", "seed", "machine", "section", "score_name", "enters", "measure", "value")
FIRST_INTERVAL = 2023  # the first year whose evaluator prints one
AT_ONCE = 1000  # clips left out; bounds the memory


def year_of(dataset: str) -> int:
    """Choose the year by whose metric a data set is judged: ``dcase2021``: 2021, own and simulated data: 2026."""
    year = re.fullmatch(r"dcase(\d{4})", dataset)
    return int(year[1]) if year else max(YEARS)


def score_metrics(year: int) -> dict[str, Metric]:
    """Name the scores that sections can enter: the year's official one, and that of sections which lack a domain."""
    return {"official": YEARS[year], "score_one_domain": ONE_DOMAIN}


def score_name(section: LabelledSection, year: int) -> str:
    """Name the score that a labelled section enters: the official one needs the clips of all its measures.

    Parameters
    ----------
    section : LabelledSection
    year : int

    Returns
    -------
    str
        A key of :func:`score_metrics`.
    """
    return "official" if all(map(section.has, YEARS[year].measures)) else "score_one_domain"


def mean(values: np.ndarray, power: int = HARMONIC, weights: np.ndarray | None = None) -> float:
    """Average as the organisers do: every value clipped at ``sys.float_info.epsilon``.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
        0 to 1.
    power : int
        :data:`HARMONIC` or :data:`ARITHMETIC`.
    weights : np.ndarray [shape=(n,)], optional
        By default all values count the same.

    Examples
    --------
    >>> round(mean(np.array([0.5, 1.0])), 4)
    0.6667
    """
    return float(np.average(summand(values, power), weights=weights) ** power)


def summand(values: np.ndarray, power: int) -> np.ndarray:
    """Compute the terms that the mean of a power adds up: the values, or their reciprocals.

    Parameters
    ----------
    values : np.ndarray
        0 to 1, any shape.
    power : int
        :data:`HARMONIC` or :data:`ARITHMETIC`.

    Returns
    -------
    np.ndarray
        Of the same shape.
    """
    clipped: np.ndarray = np.maximum(values, sys.float_info.epsilon)
    return clipped if power == ARITHMETIC else 1 / clipped


def section_weights(machines: list[str], metric: Metric) -> np.ndarray:
    """Weigh sections, each named by its machine, so that machines or sections count the same.

    Parameters
    ----------
    machines : list of str
        The machine of each section.
    metric : Metric

    Returns
    -------
    np.ndarray [shape=(sections,)]
    """
    if not metric.by_machine:
        return np.ones(len(machines))
    _, machine, sections = np.unique(machines, return_inverse=True, return_counts=True)
    weights: np.ndarray = 1 / sections[machine]
    return weights


def average_points(points: pd.DataFrame, metric: Metric) -> float:
    """Average points (``machine, value``; every section with as many) over machines and sections.

    Parameters
    ----------
    points : pd.DataFrame
        Of one system and training seed.
    metric : Metric

    Returns
    -------
    float
        0 to 1.
    """
    weights = section_weights(points["machine"].tolist(), metric)
    return mean(points["value"].to_numpy(), metric.power, weights)


def point_values(sections: list[LabelledSection], year: int) -> pd.DataFrame:
    """Compute every measure of every system, training seed, machine and section.

    Parameters
    ----------
    sections : list of LabelledSection
    year : int
        Whose metric it is.

    Returns
    -------
    pd.DataFrame
        ``system, seed (a count), machine, section, score_name, enters (that score), measure, value``; nothing of
        unlabelled sections.
    """
    rows = []
    for section in sections:
        if section.unlabelled:
            continue
        score = score_name(section, year)
        metric = score_metrics(year)[score]
        names = [name for name in metric.measures + metric.beside if section.has(name)]
        for system, scores in section.scores.items():
            for seed, row in enumerate(scores):
                key = (system, seed, section.machine, section.section, score)
                rows += [(*key, n in metric.measures, n, float(section_measure(section, n, row)[0])) for n in names]
    return pd.DataFrame(rows, columns=list(POINTS)).astype({"enters": bool})


def official_scores(points: pd.DataFrame, name: str, year: int) -> dict[str, np.ndarray]:
    """Compute one of :func:`score_metrics` of every system, by training seed.

    Parameters
    ----------
    points : pd.DataFrame
        Of :func:`point_values`.
    name : str
        ``official`` or ``score_one_domain``.
    year : int

    Returns
    -------
    dict of np.ndarray [shape=(seeds,)]
        By system, 0 to 1; empty where no section enters that score.
    """
    metric = score_metrics(year)[name]
    entering = points[(points["score_name"] == name) & points["enters"]]
    return {
        str(system): np.array([average_points(seed, metric) for _, seed in rows.groupby("seed")])
        for system, rows in entering.groupby("system", sort=False)
    }


def organisers_ci95(sections: list[LabelledSection], system: str, confidence: float = 0.95) -> float:
    """Compute what the evaluators of 2023 and later print as ``official score ci95``.

    It has a name of its own since it is not the interval of the official score: it is the half width of a jackknife
    interval of two other figures, the AUC and the pAUC of the raw scores of all
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
        Of scores from 0 to 1.
    """
    from scipy.special import stdtrit

    labelled = [section for section in sections if not section.unlabelled]
    anomalous = np.concatenate([section.anomalous for section in labelled])
    scores = np.concatenate([section.scores[system].mean(axis=0) for section in labelled])
    clips = len(scores)
    left_out = np.concatenate([_left_out(anomalous, scores, i) for i in range(0, clips, AT_ONCE)], axis=1)
    std = np.sqrt(((left_out - left_out.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / (clips * (clips - 1)))
    return float(stdtrit(clips - 1, (1 + confidence) / 2) * std.mean())


def _left_out(anomalous: np.ndarray, scores: np.ndarray, start: int) -> np.ndarray:
    """Compute AUC and pAUC without one clip, for the next :data:`AT_ONCE` clips: shape (2, clips)."""
    each = np.arange(start, min(start + AT_ONCE, len(scores)))
    weights = np.ones((len(scores), len(each)))
    weights[each, each - start] = 0
    parts = scores[~anomalous], scores[anomalous], weights[~anomalous], weights[anomalous]
    return np.stack([auc(*parts), partial_auc(*parts)])
