"""Trials of one machine: normal clips that scorers are fitted on, some held out, and some that stand for anomalies."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.compute import rng
from asd.scoring.scorer import blocks

LEAST = 3  # clips of a group that is left out
GROUPS = 8  # of a machine at most, the largest
OTHERS = 12  # clips of each other machine and section


class Trial(NamedTuple):
    """Clips that a scorer of a machine's section is fitted on, and others. All are rows of the table of clips.

    Attributes
    ----------
    number : int
    reference : np.ndarray [shape=(clips,), dtype=int]
        Normal clips to fit on.
    normal : np.ndarray [shape=(clips,), dtype=int]
        Held out, recording by recording.
    anomalous : dict of np.ndarray [shape=(clips,), dtype=int]
        By kind: ``attribute`` or ``domain``, the group that is left out, and ``machine``.
    """

    number: int
    reference: np.ndarray
    normal: np.ndarray
    anomalous: dict[str, np.ndarray]


def trials(clips: pd.DataFrame, machine: str, section: str, count: int, seed: int) -> Iterator[Trial]:
    """Lay out the trials of a machine's section.

    Each leaves out one group: the clips of one attribute, or the target domain. Of the rest one block in ``count`` or
    in as many as there are groups is held out, consecutive recordings as for thresholds (recordings that follow each
    other are alike, see :func:`asd.scoring.scorer.blocks`); every block once. Where there are fewer groups than
    ``count``, further trials leave none out.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips of all machines, with ``label`` and ``position``: no test clip is among them.
    machine, section : str
    count : int
        Trials at least.
    seed : int
        Of the choice of other machines' clips.

    Yields
    ------
    Trial
    """
    rows = np.flatnonzero((clips["machine"] == machine) & (clips["section"] == section))
    normal = clips.iloc[rows]
    recording, domain = recordings(normal), normal["domain"].to_numpy()
    left_out = groups(normal)
    parts = blocks(domain, normal["position"].to_numpy(), max(count, len(left_out)))
    left_out += [("", np.zeros(len(rows), dtype=bool))] * (parts.max() + 1 - len(left_out))
    others = other_machines(clips, machine, section, seed)
    for number, (kind, group) in enumerate(left_out[: parts.max() + 1]):
        held = (parts == number) & ~group & ~np.isin(recording, recording[group])
        reference = ~held & ~group & ~np.isin(recording, recording[held])
        if held.any() and reference.any():
            anomalous = {kind: rows[group]} if group.any() else {}
            yield Trial(number, rows[reference], rows[held], anomalous | {"machine": others})


def recordings(clips: pd.DataFrame) -> np.ndarray:
    """Name the recording of each clip ``(clips,)``: a clip of none is one of its own."""
    return np.where(clips["recording"] != "", clips["recording"], clips["clip_id"])


def groups(normal: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Find groups of a machine's section to leave out: the target domain, and attributes, the largest first.

    Returns
    -------
    list of (str, np.ndarray [shape=(clips,), dtype=bool])
        ``domain`` or ``attribute``, and which clips; never more than half of them.
    """
    label, counts = normal["label"].to_numpy(), normal["label"].value_counts()
    largest = sorted(counts.index.drop("", errors="ignore"), key=lambda name: (-counts[name], name))[:GROUPS]
    target = (normal["domain"] == "target").to_numpy()
    candidates = [("domain", target), *(("attribute", label == name) for name in largest)]
    return [(kind, group) for kind, group in candidates if LEAST <= group.sum() <= len(normal) / 2]


def other_machines(clips: pd.DataFrame, machine: str, section: str, seed: int) -> np.ndarray:
    """Choose normal clips of every other machine and section at random.

    Parameters
    ----------
    clips : pd.DataFrame
    machine, section : str
    seed : int

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=int]
        Rows of the table.
    """
    chosen = []
    sections = clips["machine"] + " " + clips["section"]
    for name, rows in sections.groupby(sections).indices.items():
        if name != f"{machine} {section}":
            generator = rng(seed, "pseudo anomalies", machine, section, str(name))
            chosen.append(np.sort(generator.choice(rows, min(OTHERS, len(rows)), replace=False)))
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=int)
