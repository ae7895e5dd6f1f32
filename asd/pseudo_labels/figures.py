"""Tables for the report's figures of groups: merge trees, frequencies, a map of the embeddings."""

import numpy as np
import pandas as pd

from asd.pseudo_labels.auto import Choice
from asd.pseudo_labels.grouping import Grouping
from asd.pseudo_labels.labellers.frequency import WIDTH
from asd.pseudo_labels.spaces import space

TREES = ("machine", "section", "method", "domain", "groups", "step", "left", "right", "height", "clips")
DIGITS = 4


def tree_table(rows: pd.DataFrame, groupings: dict[str, Grouping]) -> pd.DataFrame:
    """Tabulate the whole merge trees of one machine.

    Returns
    -------
    pd.DataFrame
        :data:`TREES`: one row a merge, lowest first. ``left`` and ``right`` are ``clip_id`` of single clips, and
        ``step`` of earlier merges; ``clips`` is how many are together then, ``groups`` where the tree was cut.
    """
    machine, section = rows[["machine", "section"]].iloc[0]
    lines = []
    for method, own in groupings.items():
        for domain, (members, merged) in own.trees.items():
            names = [*rows["clip_id"].iloc[members], *range(len(merged.tree))]
            groups = len(np.unique(own.groups[members]))
            for step, (left, right, height, count) in enumerate(merged.tree):
                pair = names[int(left)], names[int(right)]
                lines.append((machine, section, method, domain, groups, step, *pair, height, int(count)))
    return pd.DataFrame(lines, columns=list(TREES))


def clip_table(rows: pd.DataFrame, choice: Choice, embeddings: np.ndarray) -> pd.DataFrame:
    """Tabulate the clips of one machine.

    Returns
    -------
    pd.DataFrame
        ``clip_id, machine, section, domain, given`` (1 where an attribute is given), ``group`` by ``auto``, ``x`` and
        ``y``: the first principal components of the normalised embedding, empty where it is not finite.
    """
    plane = np.zeros((len(rows), 2))
    projected = space(embeddings, components=2)[:, :2]
    plane[:, : projected.shape[1]] = projected
    return (
        rows[["clip_id", "machine", "section", "domain"]]
        .assign(given=(rows["label"] != "").astype(int), group=choice.groups, x=plane[:, 0], y=plane[:, 1])
        .round({"x": DIGITS, "y": DIGITS})
    )


def series_table(rows: pd.DataFrame, frequency: np.ndarray, grouping: Grouping) -> pd.DataFrame:
    """Tabulate the harmonic series of one machine.

    Parameters
    ----------
    rows : pd.DataFrame
    frequency : np.ndarray [shape=(clips, series)]
        [Hz], 0 where there are fewer.
    grouping : Grouping
        By frequency.

    Returns
    -------
    pd.DataFrame
        ``clip_id, machine, section, frequency`` [Hz], ``state``: the number of the group that has this frequency, -1
        where none has.
    """
    clip, series = np.nonzero(frequency > 0)
    hertz = frequency[clip, series].astype(np.float64)
    of_group = np.array([grouping.lines.get(int(group), np.nan) for group in grouping.groups[clip]])
    tells = np.abs(np.log(hertz / of_group)) <= WIDTH
    names = rows[["clip_id", "machine", "section"]].iloc[clip].reset_index(drop=True)
    return names.assign(frequency=hertz.round(DIGITS), state=np.where(tells, grouping.groups[clip], -1))
