"""The figures of metrics/evaluate.json and data/evaluation/machines.csv, in percent."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from asd.base.artifacts import percent
from asd.evaluation.bootstrap import Resampled, bias_corrected_interval, resampled_scores
from asd.evaluation.decisions import BY_DOMAIN, F1_EV
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.joined import tested
from asd.evaluation.official import averaged, headline_of, headline_values, headlines
from asd.evaluation.organisers import FIRST_INTERVAL, organisers_ci95
from asd.evaluation.params import EvaluateParams
from asd.evaluation.sections import MEASURES, LabelledSection
from asd.evaluation.submissions import section_name

YARDSTICK = "autoencoder"
FIGURES = (*MEASURES, "false_alarm_rate", *BY_DOMAIN, *F1_EV)
MACHINES = ("system", "machine", "section", "normal", "anomalous", "score", *FIGURES, "unlabelled")
NESTED = (*MEASURES, "false_alarm_rate")  # figures of machines that metrics/evaluate.json repeats


def data_figures(clips: pd.DataFrame, sections: list[LabelledSection]) -> dict[str, Any]:
    """Say which test clips the figures are of, and which machine's have no AUC and why."""
    ids = sorted(tested(clips)["clip_id"])
    unlabelled: dict[str, dict[str, str]] = {}
    for section in sections:
        if section.unlabelled:
            unlabelled.setdefault(section.machine, {})[section_name(section.section)] = section.unlabelled
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
    return {"clips": len(ids), "digest": digest} | ({"unlabelled": unlabelled} if unlabelled else {})


def machine_table(
    points: pd.DataFrame, table: pd.DataFrame, sections: list[LabelledSection], year: int
) -> pd.DataFrame:
    """Tabulate every system's figures by machine and section, means over training seeds; see :func:`system_figures`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`MACHINES`: clip counts; figures in percent, NaN where they can't be had; ``score`` is the
        mean of what the section brings to its headline.
    """
    keys = ["system", "machine", "section"]
    values = points.groupby([*keys, "measure"])["value"].mean()
    scores, alarms = section_scores(points, year), false_alarms(table, keys)
    rows = []
    for system in table["system"].unique():
        for section in sections:
            key = (system, section.machine, section.section)
            found = {"false_alarm_rate": alarms.get(key, np.nan)}
            figures = [found.get(name, values.get((*key, name), np.nan)) for name in FIGURES]
            counts = (len(section.clips(False)), len(section.clips(True)))
            rows.append((*key, *counts, *map(percent, [scores.get(key, np.nan), *figures]), section.unlabelled))
    return pd.DataFrame(rows, columns=list(MACHINES))


def section_scores(points: pd.DataFrame, year: int) -> pd.Series:
    """Average what each section brings to its headline, then over training seeds."""
    keys = ["system", "machine", "section"]
    scores = [
        (*key[:3], averaged(own, headlines(year)[str(key[4])]))
        for key, own in points[points["enters"]].groupby([*keys, "seed", "headline"])
    ]
    return pd.DataFrame(scores, columns=[*keys, "score"]).groupby(keys)["score"].mean()


def false_alarms(table: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Compute the share of normal test clips that are decided to be anomalous, clips and seeds pooled."""
    return table[table["anomaly"] == 0].groupby(keys)["decision"].mean()


def system_figures(
    sections: list[LabelledSection],
    table: pd.DataFrame,
    points: pd.DataFrame,
    machines: pd.DataFrame,
    params: EvaluateParams,
    seed: int,
    year: int,
) -> dict[str, dict[str, Any]]:
    """Compute every system's figures: headline with interval, columns, difference to the yardstick, machines.

    Parameters
    ----------
    sections : list of LabelledSection
    table : pd.DataFrame
        Of :func:`asd.evaluation.joined.beside_truth`.
    points : pd.DataFrame
        Of :func:`asd.evaluation.official.point_values` and :func:`asd.evaluation.decisions.decision_values`.
    machines : pd.DataFrame
        Of :func:`machine_table`.
    params : EvaluateParams
    seed : int
        Of the bootstrap.
    year : int
        Whose metric it is.

    Returns
    -------
    dict
        By system, in percent with two decimals; what can't be had is left out.
    """
    figures = _plain_figures(table, points, machines, year)
    for headline, metric in headlines(year).items():
        entering = [s for s in sections if not s.unlabelled and headline_of(s, year) == headline]
        if entering:
            resampled = resampled_scores(entering, metric, params.resamples, seed)
            values = headline_values(points, headline, year)
            found = headline_figures(headline, values, resampled, params.confidence)
            for system, own in found.items():
                figures[system] = own | figures[system]  # of two headlines' differences the official one stays
            if headline == "official" and year >= FIRST_INTERVAL:
                for system in values:
                    figures[system]["organisers_ci95"] = 100 * organisers_ci95(entering, system)
    return figures


def _plain_figures(
    table: pd.DataFrame, points: pd.DataFrame, machines: pd.DataFrame, year: int
) -> dict[str, dict[str, Any]]:
    columns, alarms = column_means(points, year), false_alarms(table, ["system"])
    figures: dict[str, dict[str, Any]] = {}
    for key, own in table.groupby("system", sort=False):
        system = str(key)
        figures[system] = {"seeds": own["seed"].nunique()} | columns.get(system, {})
        if system in alarms:
            figures[system]["false_alarm_rate"] = percent(alarms[system])
        if nested := _nested(machines[machines["system"] == system]):
            figures[system]["machines"] = nested
    return figures


def headline_figures(
    headline: str, values: dict[str, np.ndarray], resampled: Resampled, confidence: float
) -> dict[str, dict[str, float]]:
    """Give every system its headline score, interval, seed deviation and paired difference to the yardstick.

    Parameters
    ----------
    headline : str
    values : dict of np.ndarray [shape=(seeds,)]
        By system, shares of 1.
    resampled : dict of np.ndarray [shape=(resamples,)]
        By system, on the same resamples.
    confidence : float
    """
    figures = {}
    for system, seeds in values.items():
        interval = bias_corrected_interval(seeds.mean(), resampled[system], confidence)
        own = _with_interval(headline, seeds.mean(), *interval)
        if len(seeds) > 1:
            own["seed_sd"] = percent(seeds.std(ddof=1))
        if YARDSTICK in values and system != YARDSTICK:
            theirs = values[YARDSTICK]
            paired = resampled[system] - resampled[YARDSTICK]
            found = difference(seeds.mean() - theirs.mean(), paired, seed_error(seeds, theirs), confidence)
            own |= _with_interval(f"vs_{YARDSTICK}", found.value, found.low, found.high)
        figures[system] = own
    return figures


def _with_interval(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: percent(value), f"{name}_low": percent(low), f"{name}_high": percent(high)}


def column_means(points: pd.DataFrame, year: int) -> dict[str, dict[str, float]]:
    """Average each measure over machines and sections as the official metric does, then over training seeds."""
    metric = headlines(year)["official"]
    columns: dict[str, dict[str, float]] = {}
    for (system, measure), own in points.groupby(["system", "measure"]):
        by_seed = [averaged(seed, metric) for _, seed in own.groupby("seed")]
        columns.setdefault(str(system), {})[str(measure)] = percent(float(np.mean(by_seed)))
    return columns


def _nested(machines: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in machines.to_dict("records"):
        figures = {name: row[name] for name in NESTED if not np.isnan(row[name])}
        if figures:
            nested.setdefault(row["machine"], {})[section_name(row["section"])] = figures
    return nested
