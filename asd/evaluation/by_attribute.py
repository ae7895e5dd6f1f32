"""Figures of every system by the true values of each attribute, such as speed or microphone."""

import numpy as np
import pandas as pd

from asd.core.artifacts import percent
from asd.core.clips import parse_attributes
from asd.evaluation.auc import auc

COLUMNS = (
    "system", "machine", "section", "attribute", "value", "domain", "normal", "anomalous",
    "auc", "auc_within", "false_alarm_rate", "recall",
)  # fmt: skip


def attribute_table(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate labelled test clips by system, machine, section and attribute value.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.join_truth`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, means over training seeds in percent, NaN where they can't be had. ``auc`` sets
        the value's normal clips against all anomalies of the section, as the official AUC of a domain does,
        ``auc_within`` against the value's own; ``domain`` is ``both`` where the value occurs in both.
    """
    known = table[table["anomaly"].notna() & (table["attributes"] != "")]
    rows = []
    for key, section in known.groupby(["system", "machine", "section"]):
        pairs = section["attributes"].map(parse_attributes)
        for attribute in sorted(set().union(*pairs)):
            values = pairs.map(lambda known, name=attribute: known.get(name, ""))
            known_values = sorted(set(values) - {""})
            rows += [(*key, attribute, value, *_figures(section, values == value)) for value in known_values]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _figures(section: pd.DataFrame, chosen: pd.Series) -> tuple[str, int, int, float, float, float, float]:
    clips = section[chosen]
    domains, seeds = sorted(set(clips["domain"])), section["seed"].nunique()
    normal, anomalous = clips[clips["anomaly"] == 0], clips[clips["anomaly"] == 1]
    return (
        domains[0] if len(domains) == 1 else "both",
        len(normal) // seeds,
        len(anomalous) // seeds,
        _auc(normal, section[section["anomaly"] == 1]),
        _auc(normal, anomalous),
        _fraction_decided(normal["decision"]),
        _fraction_decided(anomalous["decision"]),
    )


def _auc(normal: pd.DataFrame, anomalous: pd.DataFrame) -> float:
    """Average the AUC over training seeds."""
    if normal.empty or anomalous.empty:
        return np.nan
    by_seed = dict(list(anomalous.groupby("seed")["score"]))
    values = [auc(scores.to_numpy(), by_seed[seed].to_numpy())[0] for seed, scores in normal.groupby("seed")["score"]]
    return percent(float(np.mean(values)))


def _fraction_decided(decisions: pd.Series) -> float:
    return percent(decisions.mean()) if len(decisions) else np.nan
