"""The challenge's score and decision files: written for every system, read from any team's folder.

Here alone file names return; a clip's score is joined with its label by name, never by order.
"""

import math
import re
from pathlib import Path

import pandas as pd

from asd.core.artifacts import atomic
from asd.core.errors import UserError
from asd.datasets.attributes import stem
from asd.evaluation.labelled_scores import LABELLED, average_seeds

# anomaly_score_fan_id_01.csv (2020), anomaly_score_fan_section_03_source_test.csv (2021),
# anomaly_score_fan_section_03[_test].csv (2022 on), anomaly_score_DCASE2025T2fan_section_00_test_seed1_id(0_)_Eval.csv
FILE = re.compile(
    r"(?P<content>anomaly_score|decision_result)_(?:DCASE\d{4}T2)?(?P<machine>.+?)_(?:section|id)_(?P<section>\d\d)"
    r"(?:_(?P<domain>source|target))?(?:_test)?(?:_seed.*)?\.csv"
)
CONTENTS = {"anomaly_score": "score", "decision_result": "decision"}
Section = tuple[str, str]


def section_name(section: str) -> str:
    """Name a section as the organisers do: ``00`` -> ``section_00``; a name with a word stays: ``id_02``."""
    return f"section_{section}" if section.isdigit() else section


def section_stem(machine: str, section: str, domain: str, year: int) -> str:
    """Name the machine and section of a score file as in that year: ``fan_id_01``, ``fan_section_00_test``.

    Parameters
    ----------
    machine, section : str
    domain : str
        Used in 2021.
    year : int

    Returns
    -------
    str
    """
    if year == 2020:
        return f"{machine}_id_{section}"
    if year == 2021:
        return f"{machine}_{section_name(section)}_{domain}_test"
    return f"{machine}_{section_name(section)}_test"


def write_official(scores: pd.DataFrame, names: pd.Series, folder: Path, year: int) -> int:
    """Write one system's score and decision files as the organisers' evaluator reads them.

    Parameters
    ----------
    scores : pd.DataFrame
        One system's test scores, of one or more training seeds; several are averaged.
    names : pd.Series
        File name by ``clip_id``.
    folder : Path
        Gets ``anomaly_score_<stem>.csv`` (``<file name>,<score>``) and ``decision_result_<stem>.csv``
        (``<file name>,<0 or 1>``) without header lines; see :func:`section_stem`.
    year : int
        Whose names; in 2021 every domain had files of its own.

    Returns
    -------
    int
        How many files were written.
    """
    table = average_seeds(scores)
    table = table.assign(name=table["clip_id"].map(names)).sort_values(["name", "clip_id"])
    stems = [
        section_stem(*row, year=year) for row in zip(table["machine"], table["section"], table["domain"], strict=True)
    ]
    parts = list(table.groupby(stems))
    for name, rows in parts:
        for content, column in CONTENTS.items():
            path = folder / f"{content}_{name}.csv"
            with atomic(path, "w") as file:
                rows[["name", column]].to_csv(file, index=False, header=False, lineterminator="\n")
    return len(parts) * len(CONTENTS)


def read_official(folder: Path, labels: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Read the score files of every machine and section in the labels, and the decision files that are there.

    Parameters
    ----------
    folder : Path
        Holds ``anomaly_score_*.csv`` and perhaps ``decision_result_*.csv``, named as in any year or by the organisers'
        baseline; lines ``<file name>,<number>`` without a header; a clip goes by its given or by its true name,
        with or without folders and ``.wav``.
    labels : pd.DataFrame
        Of :func:`asd.datasets.published_labels.read_labels`.

    Returns
    -------
    table : pd.DataFrame
        The columns :data:`asd.evaluation.labelled_scores.LABELLED` of one system named after the folder;
        ``threshold``, and ``decision`` where there is none, are NaN.
    notes : list of str
        What is odd but no reason to stop: ties, line ends, files that were not read, missing decisions.

    Raises
    ------
    UserError
        In one line: what is missing, there twice, unknown, or no number, in which file and line.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name the one with anomaly_score_*.csv")
    files, notes = _files(folder)
    clips: dict[Section, pd.DataFrame] = dict(list(labels.groupby(["machine", "section"])))  # type: ignore[arg-type]
    for machine, section in sorted(set(files["anomaly_score"]) - set(clips)):
        name = files["anomaly_score"][machine, section][0].name
        raise UserError(f"{folder / name} is of {machine} section {section}, which the labels lack: remove it")
    if missing := [" ".join(key) for key in clips if key not in files["anomaly_score"]]:
        raise UserError(f"{folder} lacks the anomaly_score file of {_listed(missing)}: add what is missing")
    parts = [rows.assign(score=_column(rows, files["anomaly_score"][key], notes)) for key, rows in clips.items()]
    table = pd.concat(parts, ignore_index=True)
    decided = {key: files["decision_result"][key] for key in clips if key in files["decision_result"]}
    if missing := [" ".join(key) for key in clips if key not in decided]:
        whose = f" of {_listed(missing)}" if decided else "s"
        notes.append(f"{folder} has no decision_result file{whose}: no F1, precision or recall of them")
    table["decision"] = pd.concat([_decisions(rows, decided.get(key), notes) for key, rows in clips.items()]).to_numpy()
    notes += _ties(table)
    return _labelled_scores(table, folder.resolve().name), notes


def _files(folder: Path) -> tuple[dict[str, dict[Section, list[Path]]], list[str]]:
    """Sort a folder's files by content, machine and section; a section has one file, or one a domain (2021)."""
    files: dict[str, dict[Section, list[Path]]] = {content: {} for content in CONTENTS}
    seen: dict[tuple[str, str, str, str], str] = {}
    others = []
    for path in sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")):
        match = FILE.fullmatch(path.name)
        if not match:
            others.append(path.name)
            continue
        key = (match["content"], match["machine"], match["section"], match["domain"] or "")
        if key in seen:
            raise UserError(f"{folder}: {seen[key]} and {path.name} are of the same machine and section: keep one")
        seen[key] = path.name
        files[match["content"]].setdefault((match["machine"], match["section"]), []).append(path)
    return files, [f"{folder}: not read: {_listed(others)}"] if others else []


def _column(clips: pd.DataFrame, paths: list[Path], notes: list[str]) -> pd.Series:
    """Read one section's numbers in the order of its clips."""
    given, true = (dict(zip(clips[column].map(stem), clips.index, strict=True)) for column in ("name", "true_name"))
    names = given | true
    values: dict[int, float] = {}
    for path in paths:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
        if "\r\n" in text:
            notes.append(f"{path} has Windows line ends (CRLF): read as line ends")
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                clip, value = _line(line, names, f"{path} line {number}", number == 1)
                if clip in values:
                    raise UserError(f"{path} line {number}: {line.split(',')[0]} is there twice: keep one line a clip")
                values[clip] = value
    if missing := [name for name, clip in zip(clips["name"], clips.index, strict=True) if clip not in values]:
        raise UserError(f"{paths[0]} lacks {len(missing)} of {len(clips)} clips: {_listed(missing)}: add them")
    return pd.Series(values).reindex(clips.index)


def _line(line: str, names: dict[str, int], where: str, first: bool) -> tuple[int, float]:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != 2:
        raise UserError(f"{where} has {len(cells)} columns: <file name>,<number> is wanted")
    name, text = cells
    try:
        value = float(text)
    except ValueError:
        if first and stem(name) not in names:
            raise UserError(f"{where} is a header ({line[:60]!r}): remove it") from None
        raise UserError(f"{where}: {text[:40]!r} is no number") from None
    if stem(name) not in names:
        raise UserError(f"{where}: {name[:80]!r} is no clip of this machine and section in the labels")
    if not math.isfinite(value):
        raise UserError(f"{where}: {name} has {text}: a finite number is wanted")
    return names[stem(name)], value


def _decisions(clips: pd.DataFrame, paths: list[Path] | None, notes: list[str]) -> pd.Series:
    if paths is None:
        return pd.Series(float("nan"), index=clips.index)
    decisions = _column(clips, paths, notes)
    wrong = decisions[~decisions.isin([0, 1])]
    if len(wrong):
        raise UserError(f"{paths[0]}: {clips.loc[wrong.index[0], 'name']} has {wrong.iloc[0]:g}: 0 or 1 is wanted")
    return decisions


def _ties(table: pd.DataFrame) -> list[str]:
    """Name the sections in which normal and anomalous clips share a score."""
    both = table.groupby(["machine", "section", "score"])["anomaly"].agg(["nunique", "size"]).query("nunique > 1")
    counts = both.groupby(["machine", "section"])["size"].sum()
    tied = [f"{machine} {section} ({count} clips)" for machine, section, count in counts.reset_index().to_numpy()]
    return [f"normal and anomalous clips share scores, which count half: {_listed(tied)}"] if tied else []


def _labelled_scores(table: pd.DataFrame, system: str) -> pd.DataFrame:
    clip = table["machine"] + "/" + table["name"]
    known = table.assign(system=system, seed=0, clip_id=clip, recording=clip, threshold=float("nan"))
    return known[list(LABELLED)]


def _listed(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
