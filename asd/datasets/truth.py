"""What the organisers published after a challenge: labels of the evaluation set, attributes that had been hidden.

``truth/<path in their repository>``, as published. The stage ``index`` joins them by name, for ``evaluate`` alone.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from asd.datasets.archives import provide_table
from asd.datasets.attributes import attributes_of_name, rows, stem
from asd.datasets.dcase import parse_name
from asd.datasets.label_lists import read_labels
from asd.datasets.years import Table, years

KEYS = ["machine", "stem"]


def download(number: int, split: str, mirror: str, folder: Path) -> None:
    """Provide the published tables of a year's ``dev`` or ``eval`` set."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in _tables(number, split):
        target = folder / table.file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(provide_table(table, mirror), target)


def _tables(number: int, split: str) -> list[Table]:
    year = years()[number]
    labels = [year.labels] if year.labels and split == "eval" else []
    return labels + [table for table in year.hidden if split == "eval" or "/dev_data/" in table.file]


def joined(table: pd.DataFrame, number: int, split: str, folder: Path) -> pd.DataFrame:
    """Fill in what was published of recordings that say nothing themselves.

    Parameters
    ----------
    table : pd.DataFrame
        See :class:`asd.datasets.registry.Dataset`.
    number : int
        The year.
    split : str
        ``dev`` or ``eval``.
    folder : Path
        Of :func:`download`.

    Returns
    -------
    pd.DataFrame
        With ``anomaly``, ``true_domain`` and ``true_attributes`` where they are known now.
    """
    table = table.assign(stem=table["path"].map(stem))
    if (labels := _labels(number, split, folder)) is not None:
        table = _with_labels(table, labels)
    found = dict(_hidden(number, split, folder, labels))
    attributes = [found.get(key, "") for key in zip(table["machine"], table["stem"], strict=True)]
    unknown = table["true_attributes"] == ""
    return table.assign(true_attributes=table["true_attributes"].mask(unknown, attributes)).drop(columns="stem")


def _labels(number: int, split: str, folder: Path) -> pd.DataFrame | None:
    listed = years()[number].labels
    if listed is None or split != "eval":
        return None
    labels = read_labels(folder / listed.file)
    return labels.assign(stem=labels["name"].map(stem))


def _with_labels(table: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    known = labels.rename(columns={"anomaly": "label", "domain": "listed", "attributes": "told"})
    both = table.merge(known[[*KEYS, "label", "listed", "told"]], how="left", on=KEYS, validate="many_to_one")
    fill = ((both["split"] == "test") & (both["anomaly"] == "") & both["label"].notna()).to_numpy()
    both.loc[fill, "anomaly"] = both.loc[fill, "label"].astype(int).astype(str)
    both.loc[fill, "true_domain"] = both.loc[fill, "listed"].replace("", "unknown")
    both.loc[fill, "true_attributes"] = both.loc[fill, "told"]
    return both[table.columns]


def _hidden(
    number: int, split: str, folder: Path, labels: pd.DataFrame | None
) -> Iterator[tuple[tuple[str, str], str]]:
    """List the hidden attributes by machine and stem.

    The second column of a table is a given name or, in 2024's evaluation set, the true name without its attributes.
    """
    given = {} if labels is None else dict(zip(_true_stems(labels), labels["stem"], strict=True))
    for table in _tables(number, split):
        if table.file.endswith("_correspondence.csv"):
            machine = Path(table.file).parent.name
            for true, shown, *_ in rows(folder / table.file):
                name = stem(shown)
                yield (machine, given.get((machine, name), name)), attributes_of_name(parse_name(true).attributes)


def _true_stems(labels: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(labels["machine"], labels["true_name"].map(stem), strict=True))


def cross_check(table: pd.DataFrame, number: int, split: str, folder: Path) -> dict[str, int]:
    """Hold the published labels against the recordings, say what does not fit, and count it.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`joined`.

    Returns
    -------
    dict of str to int
        ``listed`` clips of the machines that are there, ``without_recording`` and ``contradictory`` ones of them, and
        ``without_label`` test recordings; empty where nothing was published.
    """
    labels = _labels(number, split, folder)
    if labels is None:
        if split == "eval":
            print(
                f"{number}: labels of the evaluation set are not published: scores, thresholds, decisions only",
                flush=True,
            )
        return {}
    test = table[table["split"] == "test"]
    test = test.assign(stem=test["path"].map(stem))
    labels = labels[labels["machine"].isin(set(test["machine"]))]
    both = labels.merge(test, how="outer", on=KEYS, indicator=True)
    missing = both[both["_merge"] == "left_only"]
    unlabelled = both[both["_merge"] == "right_only"]
    wrong = labels[[_contradict(*names) for names in zip(labels["name"], labels["true_name"], strict=True)]]
    sayings = {
        "is listed, but there is no recording": missing,
        "has no published label": unlabelled,
        "is listed with another section or domain than its own": wrong,
    }
    for what, some in sayings.items():
        for machine, own in some.groupby("machine"):
            print(f"{number}: {machine}/{own['stem'].iloc[0]} {what} ({len(own)} of this machine)", flush=True)
    counts = {"without_recording": len(missing), "without_label": len(unlabelled), "contradictory": len(wrong)}
    return {"listed": len(labels)} | counts


def _contradict(given: str, true: str) -> bool:
    """Say whether the name given to participants tells of another section, or in 2021 domain, than the true one."""
    one, other = parse_name(given), parse_name(true)
    return one.section != other.section or one.domain not in ("unknown", other.domain)
