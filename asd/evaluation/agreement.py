"""Agreement of pseudo-attributes with the true attributes, which the labellers did not see."""

from pathlib import Path

import pandas as pd

from asd.core.artifacts import read_csv

COLUMNS = ("machine", "method", "clips", "groups", "true_values", "ami", "ari")


def agreement_table(truth: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Compare each method's labels with the truth, machine by machine.

    Adjusted mutual information and adjusted Rand index are 0 for random groups, however many there are;
    unadjusted mutual information is not. Clips whose label is a given attribute are left out.

    Parameters
    ----------
    truth : pd.DataFrame
        ``clip_id, attributes``: the true attributes, empty where there are none.
    folder : Path
        Holds a label file a method.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`; no row for machines without true or without pseudo attributes.

    References
    ----------
    N. X. Vinh, J. Epps, J. Bailey, "Information theoretic measures for clusterings comparison", JMLR 11, 2010.
    """
    known = truth.loc[truth["attributes"] != "", ["clip_id", "attributes"]]
    rows = []
    for file in sorted(folder.glob("*.csv")):
        labels = read_csv(file, ("clip_id", "machine", "method", "label"))
        both = labels[(labels["method"] != "given") & (labels["label"] != "")].merge(known, on="clip_id")
        rows += [_compared(str(machine), file.stem, clips) for machine, clips in both.groupby("machine")]
    return pd.DataFrame(sorted(rows), columns=list(COLUMNS))


def _compared(machine: str, method: str, both: pd.DataFrame) -> tuple[str, str, int, int, int, float, float]:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    true, pseudo = both["attributes"], both["label"]
    return (
        machine,
        method,
        len(both),
        pseudo.nunique(),
        true.nunique(),
        float(adjusted_mutual_info_score(true, pseudo)),
        float(adjusted_rand_score(true, pseudo)),
    )


def agreement_metrics(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Nest the table by machine and method: ``{"fan": {"auto": {"ami": ..., "ari": ..., "groups": ...}}}``."""
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.to_dict("records"):
        nested.setdefault(row["machine"], {})[row["method"]] = {key: row[key] for key in ("ami", "ari", "groups")}
    return nested
