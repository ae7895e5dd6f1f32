"""What the report draws of the groups: merge trees, frequencies, a map of the embeddings."""

import numpy as np
import pandas as pd

from asd.pseudo_labels.auto import Choice
from asd.pseudo_labels.lines import WIDTH
from asd.pseudo_labels.methods import Grouping
from asd.pseudo_labels.spaces import space

TREES = ("machine", "section", "method", "domain", "groups", "step", "left", "right", "height", "clips")
DIGITS = 4


def tree_table(rows: pd.DataFrame, found: dict[str, Grouping]) -> pd.DataFrame:
    """Tabulate the whole merge trees of one machine.

    Returns
    -------
    pd.DataFrame
        :data:`TREES`: one row a merge, lowest first. ``left`` and ``right`` are ``clip_id`` of single clips, and
        ``step`` of earlier merges; ``clips`` is how many are together then, ``groups`` where the tree was cut.
    """
    machine, section = rows[["machine", "section"]].iloc[0]
    lines = []
    for method, own in found.items():
        for domain, (places, merged) in own.trees.items():
            names = [*rows["clip_id"].iloc[places], *range(len(merged.tree))]
            groups = len(np.unique(own.groups[places]))
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


def family_table(rows: pd.DataFrame, frequency: np.ndarray, found: Grouping) -> pd.DataFrame:
    """Tabulate the families of lines of one machine.

    Parameters
    ----------
    rows : pd.DataFrame
    frequency : np.ndarray [shape=(clips, families)]
        [Hz], 0 where there are fewer.
    found : Grouping
        By frequency.

    Returns
    -------
    pd.DataFrame
        ``clip_id, machine, section, frequency`` [Hz], ``state``: the number of the group that this family tells, -1
        where it tells none.
    """
    clip, place = np.nonzero(frequency > 0)
    hertz = frequency[clip, place].astype(np.float64)
    own = np.array([found.lines.get(int(group), np.nan) for group in found.groups[clip]])
    tells = np.abs(np.log(hertz / own)) <= WIDTH
    names = rows[["clip_id", "machine", "section"]].iloc[clip].reset_index(drop=True)
    return names.assign(frequency=hertz.round(DIGITS), state=np.where(tells, found.groups[clip], -1))
