"""The official metric of every year of DCASE Task 2, and what stands beside it under other names.

From 2022 on the challenge's AUC of a domain sets the domain's normal clips against the anomalies of *both* domains;
the difference to the AUC within the domain is the offset between the domains' scores.
"""

import re
import sys
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.evaluation.sections import LabelledSection, measured

HARMONIC, ARITHMETIC = -1, 1


class Metric(NamedTuple):
    """How one score comes out of the measures of machines and sections.

    Attributes
    ----------
    measures : tuple of str
        Those of :data:`asd.evaluation.sections.MEASURES` that enter; ``beside`` are shown and do not.
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
POINTS = ("system", "seed", "machine", "section", "headline", "enters", "measure", "value")


def year_of(dataset: str) -> int:
    """Tell by which year's metric a data set is judged: ``dcase2021`` by its own, own and simulated data by 2026's."""
    found = re.fullmatch(r"dcase(\d{4})", dataset)
    return int(found[1]) if found else max(YEARS)


def headlines(year: int) -> dict[str, Metric]:
    """Name the scores that sections can enter: the year's official one, and that of sections which lack a domain."""
    return {"official": YEARS[year], "score_one_domain": ONE_DOMAIN}


def headline_of(section: LabelledSection, year: int) -> str:
    """Name the score that a labelled section enters: the official one needs the clips of all its measures."""
    return "official" if all(map(section.has, YEARS[year].measures)) else "score_one_domain"


def mean(values: np.ndarray, power: int = HARMONIC, weights: np.ndarray | None = None) -> float:
    """Average as the organisers do: every value clipped at ``sys.float_info.epsilon``.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
        Shares of 1.
    power : int
        :data:`HARMONIC` or :data:`ARITHMETIC`.
    weights : np.ndarray [shape=(n,)], optional
        By default all values count the same.
    """
    return float(np.average(summand(values, power), weights=weights) ** power)


def summand(values: np.ndarray, power: int) -> np.ndarray:
    """Give what the mean of that power adds up."""
    clipped: np.ndarray = np.maximum(values, sys.float_info.epsilon)
    return clipped if power == ARITHMETIC else 1 / clipped


def section_weights(machines: list[str], metric: Metric) -> np.ndarray:
    """Weigh sections, each named by its machine, so that machines or sections count the same."""
    if not metric.by_machine:
        return np.ones(len(machines))
    _, place, count = np.unique(machines, return_inverse=True, return_counts=True)
    weights: np.ndarray = 1 / count[place]
    return weights


def averaged(points: pd.DataFrame, metric: Metric) -> float:
    """Average points (``machine, value``; every section with as many) over machines and sections."""
    weights = section_weights(points["machine"].tolist(), metric)
    return mean(points["value"].to_numpy(), metric.power, weights)


def point_values(sections: list[LabelledSection], year: int) -> pd.DataFrame:
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
        headline = headline_of(section, year)
        metric = headlines(year)[headline]
        names = [name for name in metric.measures + metric.beside if section.has(name)]
        for system, scores in section.scores.items():
            for seed, row in enumerate(scores):
                key = (system, seed, section.machine, section.section, headline)
                rows += [(*key, n in metric.measures, n, float(measured(section, n, row)[0])) for n in names]
    return pd.DataFrame(rows, columns=list(POINTS)).astype({"enters": bool})


def headline_values(points: pd.DataFrame, headline: str, year: int) -> dict[str, np.ndarray]:
    """Compute a headline score of every system, by training seed.

    Returns
    -------
    dict of np.ndarray [shape=(seeds,)]
        By system, shares of 1; empty where no section enters the headline.
    """
    metric = headlines(year)[headline]
    entering = points[(points["headline"] == headline) & points["enters"]]
    return {
        str(system): np.array([averaged(seed, metric) for _, seed in own.groupby("seed")])
        for system, own in entering.groupby("system", sort=False)
    }
