"""Published after a challenge by the organisers: labels of the evaluation set, attributes that had been hidden.

``truth/<path in their baseline>`` and ``truth/<evaluator>/<path in it>``, as published. The stage ``index`` joins them
by name, for ``evaluate`` alone.
"""

import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from asd.core.errors import UserError
from asd.datasets.archives import in_parallel, provide_table
from asd.datasets.attributes import attributes_of_name, stem, table_rows
from asd.datasets.dcase import parse_name
from asd.datasets.evaluator_labels import LABEL_COLUMNS, read_evaluator
from asd.datasets.years import PublishedFile, published_tables, years

log = logging.getLogger(__name__)
KEYS = ["machine", "stem"]
ANOMALY = {"normal": 0, "anomaly": 1, "0": 0, "1": 1}


def read_labels(path: Path) -> pd.DataFrame:
    """Read a label list of any year, or the ground truth of an evaluator.

    Parameters
    ----------
    path : Path
        A line with a machine's name, then a line a clip: ``given_name,true_name`` or ``given_name,true_name,label``;
        or a folder as :func:`asd.datasets.evaluator_labels.read_evaluator` reads it.

    Returns
    -------
    pd.DataFrame
        The columns :data:`LABEL_COLUMNS`, a row a clip: ``name`` is the one given to the participants; ``anomaly`` 0
        or 1; ``domain`` is empty in 2020, ``attributes`` where there are none (``speed=3;mic=1``); an evaluator may
        give no true names: they are the given ones then.

    Raises
    ------
    UserError
        Where the file is none, or a line is neither a machine's nor a clip's, or a clip is there twice.
    """
    return read_evaluator(path).labels if path.is_dir() else _read_list(path)


def _read_list(path: Path) -> pd.DataFrame:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as a label list: {error}") from None
    machine, rows = "", []
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 1:
            machine = cells[0] or machine
        elif row := _label_row(cells) if machine else None:
            rows.append((machine, *row))
        else:
            raise UserError(f"{path} line {number}: {line[:80]!r} is no clip: given_name,true_name[,label] is wanted")
    table = pd.DataFrame(rows, columns=list(LABEL_COLUMNS))
    if table.empty:
        raise UserError(f"{path} lists no clips: a machine's name, then given_name,true_name[,label] is wanted")
    for column in ("name", "true_name"):
        twice = table[table.duplicated(["machine", column])]
        if len(twice):
            raise UserError(f"{path}: {twice['machine'].iloc[0]} has the clip {twice[column].iloc[0]} twice")
    return table


def _label_row(cells: list[str]) -> tuple[str, str, str, int, str, str] | None:
    try:
        given, true = parse_name(cells[0]), parse_name(cells[1])
    except UserError:
        return None
    if true.anomaly is None or len(cells) > 3 or (len(cells) == 3 and ANOMALY.get(cells[2]) != true.anomaly):
        return None
    domain = "" if true.domain == "unknown" else true.domain
    return given.section, cells[0], cells[1], true.anomaly, domain, attributes_of_name(true.attributes)


def label_differences(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Count the clips of which two sources of labels say something else.

    Parameters
    ----------
    one, other : pd.DataFrame
        Of :func:`read_labels`.

    Returns
    -------
    pd.DataFrame
        By machine, of those that both have: ``clips`` of either, ``one_only`` and ``other_only`` those that the other
        source lacks, ``anomaly`` and ``domain`` those of both that have another label, another domain.
    """
    sides = [side.assign(stem=side["name"].map(stem)) for side in (one, other)]
    shared = set(one["machine"]) & set(other["machine"])
    sides = [side.loc[side["machine"].isin(shared), [*KEYS, "anomaly", "domain"]] for side in sides]
    both = sides[0].merge(sides[1], how="outer", on=KEYS, suffixes=("", "_other"), indicator="side")
    joined = both["side"] == "both"
    counted = pd.DataFrame(
        {
            "clips": 1,
            "one_only": both["side"] == "left_only",
            "other_only": both["side"] == "right_only",
            "anomaly": joined & (both["anomaly"] != both["anomaly_other"]),
            "domain": joined & (both["domain"] != both["domain_other"]),
        }
    ).astype(int)
    return counted.groupby(both["machine"]).sum()


def download_labels(number: int, split: str, machines: str, mirror: str, folder: Path) -> dict[str, str]:
    """Provide the published tables of a year's ``dev`` or ``eval`` set.

    Parameters
    ----------
    number : int
        The year.
    split : str
        ``dev`` or ``eval``.
    machines : str
        ``all``, or names joined by ``+``.
    mirror : str
        As for :func:`asd.datasets.archives.provide`.
    folder : Path
        Gets the tables; see the head of this file.

    Returns
    -------
    dict of str to str
        Of the tables that ``years.yaml`` does not pin: by name, ``sha256:<hex>`` of what was downloaded.

    Raises
    ------
    UserError
        On the first table that can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = published_tables(years()[number], split, machines)
    digests: dict[str, str] = {}
    if failed := in_parallel([partial(_provide, table, mirror, folder, digests) for table in tables]):
        raise failed[0]
    return {table.place: digests[table.place] for table in tables if not table.sha256}


def _provide(table: PublishedFile, mirror: str, folder: Path, digests: dict[str, str]) -> None:
    path, digests[table.place] = provide_table(table, mirror)
    target = folder / table.place
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def fill_in_labels(table: pd.DataFrame, number: int, split: str, folder: Path) -> pd.DataFrame:
    """Fill in the published labels and attributes of recordings whose names do not have them.

    Parameters
    ----------
    table : pd.DataFrame
        See :class:`asd.datasets.dataset.Dataset`.
    number : int
        The year.
    split : str
        ``dev`` or ``eval``.
    folder : Path
        Of :func:`download_labels`.

    Returns
    -------
    pd.DataFrame
        With ``anomaly``, ``true_domain`` and ``true_attributes`` where they were published.
    """
    table = table.assign(stem=table["path"].map(stem))
    if (labels := _labels(number, split, folder)) is not None:
        table = _with_labels(table, labels)
    hidden = dict(_hidden(number, split, folder, labels))
    attributes = [hidden.get(key, "") for key in zip(table["machine"], table["stem"], strict=True)]
    unknown = table["true_attributes"] == ""
    return table.assign(true_attributes=table["true_attributes"].mask(unknown, attributes)).drop(columns="stem")


def _labels(number: int, split: str, folder: Path) -> pd.DataFrame | None:
    source = _source(number, split, folder)
    if source is None:
        return None
    labels = read_labels(source)
    return labels.assign(stem=labels["name"].map(stem))


def _source(number: int, split: str, folder: Path) -> Path | None:
    """Find the downloaded labels of a year: an evaluator's folder, or a list."""
    year = years()[number]
    if split != "eval":
        return None
    if year.evaluator:
        truth = folder / year.evaluator.folder
        return truth if truth.is_dir() else None
    return folder / year.labels.file if year.labels else None


def _with_labels(table: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    known = labels.rename(columns={"anomaly": "label", "domain": "listed", "attributes": "pairs"})
    both = table.merge(known[[*KEYS, "label", "listed", "pairs"]], how="left", on=KEYS, validate="many_to_one")
    fill = ((both["split"] == "test") & (both["anomaly"] == "") & both["label"].notna()).to_numpy()
    both.loc[fill, "anomaly"] = both.loc[fill, "label"].astype(int).astype(str)
    both.loc[fill, "true_domain"] = both.loc[fill, "listed"].replace("", "unknown")
    both.loc[fill, "true_attributes"] = both.loc[fill, "pairs"]
    return both[table.columns]


def _hidden(
    number: int, split: str, folder: Path, labels: pd.DataFrame | None
) -> Iterator[tuple[tuple[str, str], str]]:
    """List the hidden attributes by machine and stem.

    The second column of a table is a given name or, in 2024's evaluation set, the true name without its attributes.
    """
    given = {} if labels is None else dict(zip(_true_stems(labels), labels["stem"], strict=True))
    for table in years()[number].hidden_tables(split):
        if table.file.endswith("_correspondence.csv"):
            machine = Path(table.file).parent.name
            for true, shown, *_ in table_rows(folder / table.file):
                name = stem(shown)
                yield (machine, given.get((machine, name), name)), attributes_of_name(parse_name(true).attributes)


def _true_stems(labels: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(labels["machine"], labels["true_name"].map(stem), strict=True))


def check_labels(table: pd.DataFrame, number: int, split: str, folder: Path) -> dict[str, int]:
    """Compare the published labels with the recordings, log what does not fit, and count it.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`fill_in_labels`.

    Returns
    -------
    dict of str to int
        ``listed`` clips of the machines that are there, ``without_recording`` and ``contradictory`` ones of them, and
        ``without_label`` test recordings; empty where nothing was published.
    """
    labels = _labels(number, split, folder)
    if labels is None:
        if split == "eval":
            log.warning("%d: evaluation labels are not published: scores, thresholds, decisions only", number)
        return {}
    test = table[table["split"] == "test"]
    test = test.assign(stem=test["path"].map(stem))
    labels = labels[labels["machine"].isin(set(test["machine"]))]
    _warn_of_true_names(number, split, folder, set(test["machine"]))
    both = labels.merge(test, how="outer", on=KEYS, indicator=True)
    missing = both[both["_merge"] == "left_only"]
    unlabelled = both[both["_merge"] == "right_only"]
    wrong = labels[[_contradict(*names) for names in zip(labels["name"], labels["true_name"], strict=True)]]
    problems = {
        "is listed, but there is no recording": missing,
        "has no published label": unlabelled,
        "is listed with a section or domain that contradicts its true name": wrong,
    }
    for problem, clips in problems.items():
        for machine, some in clips.groupby("machine"):
            first = some["stem"].iloc[0]
            log.warning("%d: %s/%s %s (%d of this machine)", number, machine, first, problem, len(some))
    counts = {"without_recording": len(missing), "without_label": len(unlabelled), "contradictory": len(wrong)}
    return {"listed": len(labels)} | counts


def _warn_of_true_names(number: int, split: str, folder: Path, machines: set[str]) -> None:
    """Log the sections of an evaluator whose true names contradict its labels: they have no attributes then."""
    source = _source(number, split, folder)
    for machine, section in read_evaluator(source).contradictory if source and source.is_dir() else []:
        if machine in machines:
            log.warning(
                "%d: %s section %s: the evaluator's true names contradict its labels, which are taken: no attributes",
                number, machine, section,
            )  # fmt: skip


def _contradict(given: str, true: str) -> bool:
    """Say whether the name given to participants has another section, or in 2021 domain, than the true one."""
    one, other = parse_name(given), parse_name(true)
    return one.section != other.section or one.domain not in ("unknown", other.domain)
