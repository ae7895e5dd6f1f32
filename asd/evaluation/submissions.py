"""The challenge's score and decision files: the only place where file names return."""

from pathlib import Path

import pandas as pd

from asd.base.artifacts import atomic
from asd.evaluation.joined import averaged

CONTENTS = {"anomaly_score": "score", "decision_result": "decision"}


def section_name(section: str) -> str:
    """Name a section as the organisers do: ``00`` -> ``section_00``; a name with a word stays: ``id_02``."""
    return f"section_{section}" if section.isdigit() else section


def stem(machine: str, section: str, domain: str, year: int) -> str:
    """Name what a score file is of, as that year's participants did: ``fan_id_01``, ``fan_section_00_test``."""
    if year == 2020:
        return f"{machine}_id_{section}"
    if year == 2021:
        return f"{machine}_{section_name(section)}_{domain}_test"
    return f"{machine}_{section_name(section)}_test"


def write_official(scores: pd.DataFrame, names: pd.Series, folder: Path, year: int) -> int:
    """Write one system's files as the organisers' evaluator reads them.

    Parameters
    ----------
    scores : pd.DataFrame
        One system's test scores, of one or more training seeds; several are averaged.
    names : pd.Series
        File name by ``clip_id``.
    folder : Path
        Gets ``anomaly_score_<stem>.csv`` (``<file name>,<score>``) and ``decision_result_<stem>.csv``
        (``<file name>,<0 or 1>``) without header lines; see :func:`stem`.
    year : int
        Whose names; in 2021 every domain had files of its own.

    Returns
    -------
    int
        How many files were written.
    """
    table = averaged(scores)
    table = table.assign(name=table["clip_id"].map(names)).sort_values(["name", "clip_id"])
    stems = [stem(*row, year=year) for row in zip(table["machine"], table["section"], table["domain"], strict=True)]
    parts = list(table.groupby(stems))
    for name, own in parts:
        for content, column in CONTENTS.items():
            path = folder / f"{content}_{name}.csv"
            with atomic(path, "w") as file:
                own[["name", column]].to_csv(file, index=False, header=False, lineterminator="\n")
    return len(parts) * len(CONTENTS)
