"""Which normal clips a memory holds, which are held out as normal, and which play anomalies: trials of one machine."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.base.compute import rng

LEAST = 3  # clips of a group that is left out
GROUPS = 8  # of a machine at most, the largest
OTHERS = 12  # clips of each other machine and section


class Trial(NamedTuple):
    """One memory of a machine's section, and clips that it has not seen. All are places in the table of clips.

    Attributes
    ----------
    number : int
    memory : np.ndarray [shape=(clips,), dtype=int]
    normal : np.ndarray [shape=(clips,), dtype=int]
        Held out of the memory, recording by recording.
    anomalous : dict of np.ndarray [shape=(clips,), dtype=int]
        By kind: ``attribute`` or ``domain``, the group that the memory lacks, and ``machine``.
    """

    number: int
    memory: np.ndarray
    normal: np.ndarray
    anomalous: dict[str, np.ndarray]


def trials(clips: pd.DataFrame, machine: str, section: str, count: int, seed: int) -> Iterator[Trial]:
    """Lay out the trials of a machine's section.

    A group is left out of each memory: the clips of one attribute, or the target domain. Of the rest one part in
    ``count`` or in as many as there are groups, whole recordings, is held out; every part once. Where there are fewer
    groups than ``count``, further trials leave none out.

    Parameters
    ----------
    clips : pd.DataFrame
        Normal training clips of all machines, with ``label``: no test clip is among them.
    machine, section : str
    count : int
        Trials at least.
    seed : int
        Of the draw of other machines' clips.
    """
    own = np.flatnonzero((clips["machine"] == machine) & (clips["section"] == section))
    normal = clips.iloc[own]
    recording = np.where(normal["recording"] != "", normal["recording"], normal["clip_id"])
    domain = normal["domain"].to_numpy()
    left_out = groups(normal)
    parts = folds(domain, recording, max(count, len(left_out)))
    left_out += [("", np.zeros(len(own), dtype=bool))] * (parts.max() + 1 - len(left_out))
    others = other_machines(clips, machine, section, seed)
    for number, (kind, group) in enumerate(left_out[: parts.max() + 1]):
        held = (parts == number) & ~group & ~np.isin(recording, recording[group])
        memory = ~held & ~group & ~np.isin(recording, recording[held])
        if held.any() and memory.any():
            anomalous = {kind: own[group]} if group.any() else {}
            yield Trial(number, own[memory], own[held], anomalous | {"machine": others})


def folds(domain: np.ndarray, recording: np.ndarray, count: int) -> np.ndarray:
    """Deal recordings out to folds, those of a domain evenly; clips of one recording stay together.

    Returns
    -------
    np.ndarray [shape=(clips,)], int
        With fewer recordings than folds, each is a fold of its own.
    """
    names, first, place = np.unique(recording, return_index=True, return_inverse=True)
    by_domain = np.argsort(np.asarray(domain)[first].astype(str), kind="stable")
    fold = np.empty(len(names), dtype=np.intp)
    fold[by_domain] = np.arange(len(names)) % min(count, len(names))
    return fold[place]


def groups(normal: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Find what a memory of a machine's section can lack: the target domain, and attributes, the largest first.

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
    """Draw normal clips of every other machine and section: places in the table."""
    found = []
    sections = clips["machine"] + " " + clips["section"]
    for name, rows in sections.groupby(sections).indices.items():
        if name != f"{machine} {section}":
            draw = rng(seed, "pseudo anomalies", machine, section, str(name))
            found.append(np.sort(draw.choice(rows, min(OTHERS, len(rows)), replace=False)))
    return np.concatenate(found) if found else np.empty(0, dtype=int)
