"""Ground truth of the organisers' evaluators: a folder of tables a kind, a table a machine and section."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asd.core.errors import UserError
from asd.datasets.attributes import SUFFIX, attributes_of_name, stem
from asd.datasets.dcase import Name, parse_name

LABEL_COLUMNS = ("machine", "section", "name", "true_name", "anomaly", "domain", "attributes")
FILE = re.compile(
    r"ground_truth_(?P<machine>.+?)_(?:section|id)_(?P<section>\d\d)(?:_(?:source|target))?(?:_test)?\.csv"
)
ATTRIBUTES_2022 = re.compile(r"attributes_(?P<section>\d\d)\.csv")  # below a folder named after the machine
DOMAINS = ("source", "target")
Section = tuple[str, str]


class GroundTruth(NamedTuple):
    """What an evaluator's folder says.

    Attributes
    ----------
    labels : pd.DataFrame
        The columns :data:`LABEL_COLUMNS`, a row a clip, sorted by machine and section. ``true_name`` is ``name``, and
        ``attributes`` empty, where no true name is given.
    contradictory : list of (str, str)
        Machines and sections whose table of true names contradicts the labels, or has one twice; nothing is taken
        from it.
    """

    labels: pd.DataFrame
    contradictory: list[Section]


def read_evaluator(folder: Path) -> GroundTruth:
    """Read the ground truth of an evaluator of any year.

    Parameters
    ----------
    folder : Path
        Holds ``ground_truth_data`` or ``data``: tables ``<name>,<0 or 1>``, 1 for an anomaly. Beside it
        ``ground_truth_domain`` or ``domain``: ``<name>,<0 or 1>``, 1 for the target domain; not needed where names
        tell the domain (2021) or there is none (2020). Perhaps ``ground_truth_attributes`` or ``attributes``:
        ``<name>,<true name>``, or with columns between them (2022).

    Raises
    ------
    UserError
        Where a folder or table is missing, or a line is no clip's, or a clip has no label, no domain, or two.
    """
    data = _kind(folder, "data")
    if data is None:
        raise UserError(f"{folder} holds neither ground_truth_data/ nor data/: name the evaluator's folder")
    anomalies = _tables(data)
    if not anomalies:
        raise UserError(f"{data} holds no ground_truth_<machine>_section_<nn>_test.csv: name the evaluator's folder")
    domain_folder = _kind(folder, "domain")
    domains = _tables(domain_folder) if domain_folder else {}
    names = _true_names(_kind(folder, "attributes"))
    parts, contradictory = [], []
    for key in sorted(anomalies):
        clips = _clips(key, anomalies[key], domains.get(key), domain_folder or folder / "ground_truth_domain")
        true = names.get(key, {})
        twice = len(set(true.values())) < len(true)
        if twice or any(_contradicts(true.get(stem(clip[2])), clip) for clip in clips):
            contradictory.append(key)
            true = {}
        parts += [_with_true_name(clip, true.get(stem(clip[2]))) for clip in clips]
    return GroundTruth(pd.DataFrame(parts, columns=list(LABEL_COLUMNS)), contradictory)


Clip = tuple[str, str, str, int, str]  # machine, section, name, anomaly, domain


def _kind(folder: Path, name: str) -> Path | None:
    found = [place for place in (folder / f"ground_truth_{name}", folder / name) if place.is_dir()]
    return found[0] if found else None


def _tables(folder: Path) -> dict[Section, list[Path]]:
    """Find the tables of every machine and section: one, or one a domain (2021)."""
    tables: dict[Section, list[Path]] = {}
    for path in sorted(folder.glob("*.csv")):
        if match := FILE.fullmatch(path.name):
            tables.setdefault((match["machine"], match["section"]), []).append(path)
    return tables


def _clips(key: Section, anomalies: list[Path], domains: list[Path] | None, folder: Path) -> list[Clip]:
    """Join a section's labels and domains by name."""
    labels = _flags(anomalies)
    known = _flags(domains) if domains else {}
    if unlabelled := [name for name in known if name not in labels]:
        raise UserError(f"{anomalies[0]} lacks {unlabelled[0]}, which has a domain in {folder}")
    return [(*key, name, anomaly, _domain(name, known, key, folder)) for name, anomaly in labels.items()]


def _domain(name: str, known: dict[str, int], key: Section, folder: Path) -> str:
    told = parse_name(name)
    if name in known:
        return DOMAINS[known[name]]
    if told.domain != "unknown":
        return told.domain
    if told.word == "id":
        return ""
    raise UserError(f"{folder} lacks the domain of {key[0]} {name}: both folders of the evaluator are wanted")


def _flags(paths: list[Path]) -> dict[str, int]:
    """Read ``<name>,<0 or 1>`` of tables without a header; numbers may be written as 0.0 and 1.0."""
    flags: dict[str, int] = {}
    for path in paths:
        for number, cells in _rows(path):
            where = f"{path} line {number}"
            value = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}.get(cells[-1])
            if len(cells) != 2 or value is None:
                raise UserError(f"{where}: {','.join(cells)[:80]!r} is no clip: <name>,<0 or 1> is wanted")
            name = _parsed(cells[0], where)
            if name in flags:
                raise UserError(f"{where}: {name} is there twice: keep one line a clip")
            flags[name] = value
    return flags


def _parsed(text: str, where: str) -> str:
    name = f"{stem(text)}{SUFFIX}"
    try:
        parse_name(name)
    except UserError:
        raise UserError(f"{where}: {text[:80]!r} is no name of a clip: section_00_0000.wav is wanted") from None
    return name


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as a table: {error}") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, [cell.strip() for cell in line.split(",")]


def _true_names(folder: Path | None) -> dict[Section, dict[str, str]]:
    """Read the true names by machine, section and given name; a line without one, as a header, is passed over."""
    names: dict[Section, dict[str, str]] = {}
    for path in sorted(folder.rglob("*.csv")) if folder else []:
        match = FILE.fullmatch(path.name) or ATTRIBUTES_2022.fullmatch(path.name)
        if match:
            machine = match.groupdict().get("machine", path.parent.name)
            listed = {stem(cells[0]): f"{stem(cells[-1])}{SUFFIX}" for _, cells in _rows(path) if len(cells) > 1}
            names.setdefault((machine, match["section"]), {}).update(listed)
    return names


def _told(true: str | None) -> Name | None:
    """Take a true name apart; None where there is none, or it has no label."""
    try:
        name = parse_name(true) if true else None
    except UserError:
        return None
    return name if name and name.anomaly is not None else None


def _contradicts(true: str | None, clip: Clip) -> bool:
    told = _told(true)
    return told is not None and (told.section, told.anomaly, told.domain) != (clip[1], clip[3], clip[4] or "unknown")


def _with_true_name(clip: Clip, true: str | None) -> tuple[str, str, str, str, int, str, str]:
    machine, section, name, anomaly, domain = clip
    told = _told(true)
    attributes = attributes_of_name(told.attributes) if told else ""
    return machine, section, name, true if true and told else name, anomaly, domain, attributes
