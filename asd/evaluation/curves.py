"""Plots as small tables that ``dvc plots diff`` can show for any two revisions."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from asd.evaluation.sections import LabelledSection

ROWS = 200  # of one committed table
ROC = ("system", "false_positive_rate", "true_positive_rate")
DISTRIBUTION = ("system", "label", "score", "fraction")
LABELS = {0: "normal", 1: "anomalous"}
SPAN = (-3.0, 9.0)  # [standard deviations of training scores] shown; what lies beyond counts in the outermost bins


def roc_table(sections: list[LabelledSection], rows: int = ROWS) -> pd.DataFrame:
    """Average the ROC curves of machines, sections and training seeds on a fixed grid, denser at low rates.

    Parameters
    ----------
    sections : list of LabelledSection
    rows : int
        At most so many, for all systems together.

    Returns
    -------
    pd.DataFrame
        The columns :data:`ROC`, at most ``rows`` rows; none where nothing is labelled.
    """
    labelled = [section for section in sections if not section.unlabelled]
    systems = list(labelled[0].scores) if labelled else []
    tables = []
    for system in systems:
        grid = np.linspace(0, 1, max(2, rows // len(systems))) ** 2
        curves = [roc(row, section.anomalous, grid) for section in labelled for row in section.scores[system]]
        table = {"system": system, "false_positive_rate": grid, "true_positive_rate": np.mean(curves, axis=0)}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True).round(4) if tables else pd.DataFrame(columns=list(ROC))


def roc(scores: np.ndarray, anomalous: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Compute the true-positive rate at given false-positive rates; linear through ties, the top of a step.

    Parameters
    ----------
    scores, anomalous : np.ndarray [shape=(clips,)]
    grid : np.ndarray [shape=(points,)]
        False-positive rates, 0 to 1.
    """
    levels, level = np.unique(-scores, return_inverse=True)
    counts = np.zeros((2, len(levels) + 1))
    np.add.at(counts, (anomalous.astype(int), level + 1), 1)
    false, true = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    below = np.searchsorted(false, grid, side="right") - 1
    above = np.minimum(below + 1, len(levels))
    run = false[above] - false[below]
    part = np.divide(grid - false[below], run, out=np.zeros_like(grid), where=run > 0)
    rates: np.ndarray = true[below] + part * (true[above] - true[below])
    return rates


def score_distributions(scores: pd.DataFrame, table: pd.DataFrame, rows: int = ROWS) -> pd.DataFrame:
    """Count test scores in bins, standardised by the training scores of the same machine and section.

    Parameters
    ----------
    scores : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.read_scores`: the training clips' too.
    table : pd.DataFrame
        Of :func:`asd.evaluation.labelled_scores.join_truth`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`DISTRIBUTION`: bin centre [standard deviations], fraction of that label's clips.
    """
    labelled = table[table["anomaly"].notna()]
    systems = list(labelled["system"].unique())
    if not systems:
        return pd.DataFrame(columns=list(DISTRIBUTION))
    values = labelled.assign(score=standardised(labelled, scores[scores["split"] == "train"]))
    edges = np.linspace(*SPAN, max(1, min(40, rows // (2 * len(systems)))) + 1)
    tables = [
        _histogram(system, label, clips.loc[clips["anomaly"] == anomaly, "score"].to_numpy(), edges)
        for system, clips in values.groupby("system", sort=False)
        for anomaly, label in LABELS.items()
        if (clips["anomaly"] == anomaly).any()
    ]
    return pd.concat(tables, ignore_index=True)


def standardised(test: pd.DataFrame, train: pd.DataFrame) -> pd.Series:
    """Express test scores in standard deviations from the mean of the same machine's and section's training scores.

    A machine without training scores, or with equal ones, has its scores as they are less the mean.

    Parameters
    ----------
    test, train : pd.DataFrame
        ``system, seed, machine, section, score``.

    Returns
    -------
    pd.Series
        With the index of ``test``.
    """
    keys = ["system", "seed", "machine", "section"]
    moments = train.groupby(keys)["score"].agg(["mean", "std"]).reset_index()
    both = test[[*keys, "score"]].merge(moments, on=keys, how="left")
    std = both["std"].where(both["std"] > 0, 1.0).fillna(1.0)
    return pd.Series(((both["score"] - both["mean"].fillna(0.0)) / std).to_numpy(), index=test.index)


def _histogram(system: Hashable, label: str, values: np.ndarray, edges: np.ndarray) -> pd.DataFrame:
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], edges[0]))
    fractions = np.histogram(inside, edges)[0] / len(values)
    centres = (edges[:-1] + edges[1:]) / 2
    return pd.DataFrame({"system": system, "label": label, "score": centres.round(4), "fraction": fractions.round(4)})
