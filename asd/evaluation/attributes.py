"""Which speed, which microphone fails: every system's figures by the true values of each attribute."""

import numpy as np
import pandas as pd

from asd.base.artifacts import percent
from asd.clips import parse_attributes
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
        Of :func:`asd.evaluation.joined.beside_truth`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, means over training seeds in percent, NaN where they can't be had. ``auc`` sets
        the value's normal clips against all anomalies of the section, as the official AUC of a domain does,
        ``auc_within`` against the value's own; ``domain`` is ``both`` where the value occurs in both.
    """
    known = table[table["anomaly"].notna() & (table["attributes"] != "")]
    rows = []
    for key, own in known.groupby(["system", "machine", "section"]):
        pairs = own["attributes"].map(parse_attributes)
        for attribute in sorted(set().union(*pairs)):
            values = pairs.map(lambda known, name=attribute: known.get(name, ""))
            rows += [(*key, attribute, value, *_figures(own, values == value)) for value in sorted(set(values) - {""})]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _figures(section: pd.DataFrame, chosen: pd.Series) -> tuple[str, int, int, float, float, float, float]:
    own = section[chosen]
    domains, seeds = sorted(set(own["domain"])), section["seed"].nunique()
    normal, anomalous = own[own["anomaly"] == 0], own[own["anomaly"] == 1]
    return (
        domains[0] if len(domains) == 1 else "both",
        len(normal) // seeds,
        len(anomalous) // seeds,
        _auc(normal, section[section["anomaly"] == 1]),
        _auc(normal, anomalous),
        _share(normal["decision"]),
        _share(anomalous["decision"]),
    )


def _auc(normal: pd.DataFrame, anomalous: pd.DataFrame) -> float:
    """Average the AUC over training seeds."""
    if normal.empty or anomalous.empty:
        return np.nan
    by_seed = dict(list(anomalous.groupby("seed")["score"]))
    values = [auc(own.to_numpy(), by_seed[seed].to_numpy())[0] for seed, own in normal.groupby("seed")["score"]]
    return percent(float(np.mean(values)))


def _share(decisions: pd.Series) -> float:
    return percent(decisions.mean()) if len(decisions) else np.nan
