"""The figures of metrics/evaluate.json and data/evaluation/machines.csv, in percent."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from asd.core.artifacts import percent
from asd.evaluation.bootstrap import Resampled, bias_corrected_interval, resampled_scores
from asd.evaluation.decision_figures import BY_DOMAIN, F1_EV
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.evaluate_params import EvaluateParams
from asd.evaluation.labelled_scores import scored_clips
from asd.evaluation.official import (
    FIRST_INTERVAL,
    average_points,
    official_scores,
    organisers_ci95,
    score_metrics,
    score_name,
)  # fmt: skip
from asd.evaluation.official_files import section_name
from asd.evaluation.sections import MEASURES, LabelledSection

BASELINE = "autoencoder"
FIGURES = (*MEASURES, "false_alarm_rate", *BY_DOMAIN, *F1_EV)
MACHINES = ("system", "machine", "section", "normal", "anomalous", "score", *FIGURES, "unlabelled")
NESTED = (*MEASURES, "false_alarm_rate")  # figures of machines that metrics/evaluate.json repeats


def clip_figures(clips: pd.DataFrame, sections: list[LabelledSection]) -> dict[str, Any]:
    """Describe the test set: count and digest of its clips, and why machines have no AUC.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table.
    sections : list of LabelledSection

    Returns
    -------
    dict
        ``clips, digest`` and, where there are any, ``unlabelled``.
    """
    ids = sorted(scored_clips(clips)["clip_id"])
    unlabelled: dict[str, dict[str, str]] = {}
    for section in sections:
        if section.unlabelled:
            unlabelled.setdefault(section.machine, {})[section_name(section.section)] = section.unlabelled
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
    return {"clips": len(ids), "digest": digest} | ({"unlabelled": unlabelled} if unlabelled else {})


def machine_table(
    points: pd.DataFrame, table: pd.DataFrame, sections: list[LabelledSection], year: int
) -> pd.DataFrame:
    """Tabulate every system's figures by machine and section, means over training seeds.

    Parameters
    ----------
    points, table, sections, year
        As for :func:`system_figures`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`MACHINES`: clip counts; figures in percent, NaN where they can't be had; ``score`` is the
        mean of the measures of its official score.
    """
    keys = ["system", "machine", "section"]
    values = points.groupby([*keys, "measure"])["value"].mean()
    scores, alarms = section_scores(points, year), false_alarms(table, keys)
    rows = []
    for system in table["system"].unique():
        for section in sections:
            key = (system, section.machine, section.section)
            rates = {"false_alarm_rate": alarms.get(key, np.nan)}
            figures = [rates.get(name, values.get((*key, name), np.nan)) for name in FIGURES]
            counts = (len(section.clips(False)), len(section.clips(True)))
            rows.append((*key, *counts, *map(percent, [scores.get(key, np.nan), *figures]), section.unlabelled))
    return pd.DataFrame(rows, columns=list(MACHINES))


def section_scores(points: pd.DataFrame, year: int) -> pd.Series:
    """Average the measures of each section that enter its score, then over training seeds.

    Parameters
    ----------
    points, year
        As for :func:`system_figures`.

    Returns
    -------
    pd.Series
        By system, machine, section; 0 to 1.
    """
    keys = ["system", "machine", "section"]
    scores = [
        (*key[:3], average_points(rows, score_metrics(year)[str(key[4])]))
        for key, rows in points[points["enters"]].groupby([*keys, "seed", "score_name"])
    ]
    return pd.DataFrame(scores, columns=[*keys, "score"]).groupby(keys)["score"].mean()


def false_alarms(table: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Compute the fraction of normal test clips that are decided to be anomalous, clips and seeds pooled.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.join_truth`.
    keys : list of str
        Columns to group by.

    Returns
    -------
    pd.Series
        By those keys; 0 to 1.
    """
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
    """Compute every system's figures: score with interval, measures, difference to the baseline, machines.

    Parameters
    ----------
    sections : list of LabelledSection
    table : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.join_truth`.
    points : pd.DataFrame
        Of :func:`asd.evaluation.official.point_values` and
        :func:`asd.evaluation.decision_figures.decision_values`.
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
        By system, in percent with two decimals; what can't be computed is left out.
    """
    figures = _counted_figures(table, points, machines, year)
    for name, metric in score_metrics(year).items():
        entering = [s for s in sections if not s.unlabelled and score_name(s, year) == name]
        if not entering:
            continue
        resampled = resampled_scores(entering, metric, params.resamples, seed)
        scores = official_scores(points, name, year)
        for system, scored in score_figures(name, scores, resampled, params.confidence).items():
            figures[system] = scored | figures[system]  # of two scores' differences the official one stays
        if name == "official" and year >= FIRST_INTERVAL:
            for system in scores:
                figures[system]["organisers_ci95"] = 100 * organisers_ci95(entering, system)
    return figures


def _counted_figures(
    table: pd.DataFrame, points: pd.DataFrame, machines: pd.DataFrame, year: int
) -> dict[str, dict[str, Any]]:
    """Compute the figures that have no interval: seeds, means of the measures, false alarms, those of machines."""
    means, alarms = measure_means(points, year), false_alarms(table, ["system"])
    figures: dict[str, dict[str, Any]] = {}
    for key, rows in table.groupby("system", sort=False):
        system = str(key)
        figures[system] = {"seeds": rows["seed"].nunique()} | means.get(system, {})
        if system in alarms:
            figures[system]["false_alarm_rate"] = percent(alarms[system])
        if nested := _nested(machines[machines["system"] == system]):
            figures[system]["machines"] = nested
    return figures


def score_figures(
    name: str, scores: dict[str, np.ndarray], resampled: Resampled, confidence: float
) -> dict[str, dict[str, float]]:
    """Compute every system's score, its interval, its deviation over seeds and the paired difference to the baseline.

    Parameters
    ----------
    name : str
        Of the score.
    scores : dict of np.ndarray [shape=(seeds,)]
        By system, 0 to 1.
    resampled : dict of np.ndarray [shape=(resamples,)]
        By system, on the same resamples.
    confidence : float

    Returns
    -------
    dict
        By system, in percent.
    """
    figures = {}
    for system, seeds in scores.items():
        interval = bias_corrected_interval(seeds.mean(), resampled[system], confidence)
        figures[system] = _with_interval(name, seeds.mean(), *interval)
        if len(seeds) > 1:
            figures[system]["seed_sd"] = percent(seeds.std(ddof=1))
        if BASELINE in scores and system != BASELINE:
            baseline = scores[BASELINE]
            paired = resampled[system] - resampled[BASELINE]
            gain = difference(seeds.mean() - baseline.mean(), paired, seed_error(seeds, baseline), confidence)
            figures[system] |= _with_interval(f"vs_{BASELINE}", gain.value, gain.low, gain.high)
    return figures


def _with_interval(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: percent(value), f"{name}_low": percent(low), f"{name}_high": percent(high)}


def measure_means(points: pd.DataFrame, year: int) -> dict[str, dict[str, float]]:
    """Average each measure over machines and sections as the official metric does, then over training seeds.

    Parameters
    ----------
    points, year
        As for :func:`system_figures`.

    Returns
    -------
    dict of dict of float
        By system and measure, in percent.
    """
    metric = score_metrics(year)["official"]
    means: dict[str, dict[str, float]] = {}
    for (system, measure), rows in points.groupby(["system", "measure"]):
        by_seed = [average_points(seed, metric) for _, seed in rows.groupby("seed")]
        means.setdefault(str(system), {})[str(measure)] = percent(float(np.mean(by_seed)))
    return means


def _nested(machines: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in machines.to_dict("records"):
        figures = {name: row[name] for name in NESTED if not np.isnan(row[name])}
        if figures:
            nested.setdefault(row["machine"], {})[section_name(row["section"])] = figures
    return nested
