"""The figures of metrics/evaluate.json and data/evaluation/machines.csv, in percent."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from asd.artifacts import percent
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_headlines
from asd.evaluation.joined import tested
from asd.evaluation.official import HEADLINES, MEASURES, LabelledSection, harmonic_mean, headline_values
from asd.evaluation.params import EvaluateParams
from asd.evaluation.submissions import section_name

YARDSTICK = "autoencoder"
MACHINES = (
    "system", "machine", "section", "normal", "anomalous", "score", *MEASURES, "false_alarm_rate", "unlabelled",
)  # fmt: skip


def data_figures(clips: pd.DataFrame, sections: list[LabelledSection]) -> dict[str, Any]:
    """Say which test clips the figures are of, and which machine's have no AUC and why."""
    ids = sorted(tested(clips)["clip_id"])
    unlabelled: dict[str, dict[str, str]] = {}
    for section in sections:
        if section.unlabelled:
            unlabelled.setdefault(section.machine, {})[section_name(section.section)] = section.unlabelled
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
    return {"clips": len(ids), "digest": digest} | ({"unlabelled": unlabelled} if unlabelled else {})


def machine_table(points: pd.DataFrame, table: pd.DataFrame, sections: list[LabelledSection]) -> pd.DataFrame:
    """Tabulate every system's figures by machine and section, means over training seeds.

    Returns
    -------
    pd.DataFrame
        The columns :data:`MACHINES`: clip counts; figures in percent, NaN where they can't be had; ``score`` is the
        harmonic mean of what the section brings to its headline.
    """
    keys = ["system", "machine", "section"]
    values = points.groupby([*keys, "measure"])["value"].mean()
    scores, alarms = section_scores(points), false_alarms(table, keys)
    rows = []
    for system in table["system"].unique():
        for section in sections:
            key = (system, section.machine, section.section)
            counts = (len(section.clips(False)), len(section.clips(True)))
            measures = [values.get((*key, name), np.nan) for name in MEASURES]
            figures = [scores.get(key, np.nan), *measures, alarms.get(key, np.nan)]
            rows.append((*key, *counts, *map(percent, figures), section.unlabelled))
    return pd.DataFrame(rows, columns=list(MACHINES))


def section_scores(points: pd.DataFrame) -> pd.Series:
    """Average what each section brings to its headline, harmonically, then over training seeds."""
    by_seed = points[points["enters"]].groupby(["system", "machine", "section", "seed"])["value"].agg(_harmonic)
    return by_seed.groupby(["system", "machine", "section"]).mean()


def _harmonic(values: pd.Series) -> float:
    return float(harmonic_mean(values.to_numpy()))


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
) -> dict[str, dict[str, Any]]:
    """Compute every system's figures: headline with interval, columns, difference to the yardstick, machines.

    Parameters
    ----------
    sections : list of LabelledSection
    table : pd.DataFrame
        Of :func:`asd.evaluation.joined.beside_truth`.
    points : pd.DataFrame
        Of :func:`asd.evaluation.official.point_values`.
    machines : pd.DataFrame
        Of :func:`machine_table`.
    params : EvaluateParams
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        By system, in percent with two decimals; what can't be had is left out.
    """
    figures = _plain_figures(table, points, machines)
    for headline in HEADLINES:
        entering = [s for s in sections if not s.unlabelled and s.headline == headline]
        if entering:
            resampled = resampled_headlines(entering, headline, params.resamples, seed)
            found = headline_figures(headline, headline_values(points, headline), resampled, params.confidence)
            for system, own in found.items():
                figures[system] = own | figures[system]  # of two headlines' differences the official one stays
    return figures


def _plain_figures(table: pd.DataFrame, points: pd.DataFrame, machines: pd.DataFrame) -> dict[str, dict[str, Any]]:
    columns, alarms = column_means(points), false_alarms(table, ["system"])
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
    headline: str, values: dict[str, np.ndarray], resampled: dict[str, np.ndarray], confidence: float
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
        own = _with_interval(headline, seeds.mean(), resampled[system], confidence)
        if len(seeds) > 1:
            own["seed_sd"] = percent(seeds.std(ddof=1))
        if YARDSTICK in values and system != YARDSTICK:
            difference = seeds.mean() - values[YARDSTICK].mean()
            paired = resampled[system] - resampled[YARDSTICK]
            own |= _with_interval(f"vs_{YARDSTICK}", difference, paired, confidence)
        figures[system] = own
    return figures


def _with_interval(name: str, value: float, resampled: np.ndarray, confidence: float) -> dict[str, float]:
    low, high = bias_corrected_interval(value, resampled, confidence)
    return {name: percent(value), f"{name}_low": percent(low), f"{name}_high": percent(high)}


def column_means(points: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Average each measure harmonically over machine x section, then over training seeds."""
    by_seed = points.groupby(["system", "measure", "seed"])["value"].agg(_harmonic)
    means = by_seed.groupby(["system", "measure"]).mean().reset_index()
    columns: dict[str, dict[str, float]] = {}
    for system, measure, value in means.itertuples(index=False):
        columns.setdefault(system, {})[measure] = percent(value)
    return columns


def _nested(machines: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in machines.to_dict("records"):
        figures = {name: row[name] for name in (*MEASURES, "false_alarm_rate") if not np.isnan(row[name])}
        if figures:
            nested.setdefault(row["machine"], {})[section_name(row["section"])] = figures
    return nested
