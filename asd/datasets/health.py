"""Check of a data set: counts, lengths, rates, levels, what can't be used and why, duplicates."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import content_id
from asd.core.compute import ComputeParams, parallel
from asd.core.progress import progress
from asd.datasets import audio, leaks

SPREAD = 20.0  # [dB] between the levels of one machine's recordings from which on it is named
SHORT = 0.25  # of the median length of a machine's recordings
FLOOR = 1e-10  # of full scale, below any level
RANGES = {"seconds": "{:.1f}", "sample_rate": "{:.0f}", "channels": "{:.0f}", "rms": "{:.0f}", "peak": "{:.0f}"}


class Measured(NamedTuple):
    """Measurements of one recording; its problems by the names of :mod:`asd.datasets.audio`, what to say of each."""

    seconds: float = np.nan
    sample_rate: float = np.nan
    channels: float = np.nan
    rms: float = np.nan  # [dB] re full scale
    peak: float = np.nan  # [dB] re full scale
    problem: str = ""  # names, joined by commas
    says: tuple[str, ...] = ()
    content: str = ""  # empty where it can't be used
    level: str = ""
    landmarks: np.ndarray = np.zeros(0, dtype=np.int64)


def measure_recordings(table: pd.DataFrame, compute: ComputeParams | None = None) -> pd.DataFrame:
    """Measure recordings.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, machine, split`` and whatever else; an empty split is a training one.
    compute : ComputeParams, optional
        Its number of workers; those of :func:`asd.core.compute.configure` by default.

    Returns
    -------
    pd.DataFrame
        With the first eight fields of :class:`Measured`; ``same_as``, an earlier recording of equal content, a test one
        if there is any; and ``leaked``, whether a training recording is in the test set, at any level, or trimmed.
    """
    read = progress("read", "recording", len(table), parallel(measure, table["path"], compute))
    measured = pd.DataFrame(list(read), columns=list(Measured._fields))
    both = pd.concat([table.reset_index(drop=True), measured], axis=1)
    usable = both["content"] != ""
    leaked = pd.Series(False, index=both.index)
    leaked[usable] = leaks.leaked(both[usable], lambda path: audio.heard(audio.read(path)[0]))
    ordered = both[usable].sort_values("split", key=lambda split: split != "test", kind="stable")
    first = ordered["content"].map(ordered.drop_duplicates("content").set_index("content")["path"])
    same = first.reindex(both.index).fillna("")
    both = both.assign(leaked=leaked, same_as=same.where(same != both["path"], ""))
    return both.drop(columns=["level", "landmarks"])


def measure(path: str) -> Measured:
    """Measure one recording; nothing but the problem of one that can't be decoded or holds no numbers."""
    try:
        samples, sample_rate = audio.read(path)
    except audio.RecordingError as error:
        return Measured(problem=error.reason, says=(error.what,))
    problems = audio.problems(samples)
    unfit = audio.unfit(problems)
    problems |= audio.header_notes(path)
    named, says = ", ".join(problems), tuple(problems.values())
    if unfit in ("nan", "senseless"):
        return Measured(problem=named, says=says)
    frames, channels = samples.shape
    level = _decibel(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), _decibel(np.abs(samples).max())
    sound = Measured(frames / sample_rate, sample_rate, channels, *level, named, says)
    if unfit:
        return sound
    near = audio.heard(samples)
    return sound._replace(
        content=content_id(samples, sample_rate), level=leaks.level_hash(near), landmarks=leaks.landmarks(near)
    )


def _decibel(value: float) -> float:
    return float(20 * np.log10(max(value, FLOOR)))


def health_table(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise measured recordings, one row a machine and split, levels in dB re full scale."""
    by = table.groupby(["machine", "split"])
    hours = by["seconds"].sum().div(3600).map("{:.2f}".format)
    problems = (table["problem"] != "").groupby([table["machine"], table["split"]]).sum()
    ranges = {name: by[name].agg(partial(_range, form=form)) for name, form in RANGES.items()}
    return pd.DataFrame({"recordings": by.size(), "problems": problems, "hours": hours, **ranges})


def _range(values: pd.Series, form: str) -> str:
    low, high = (form.format(value) for value in (values.min(), values.max()))  # of those that could be read
    return low if low == high else f"{low} to {high}"


def health_problems(table: pd.DataFrame) -> list[str]:
    """Describe what is wrong with measured recordings, the worst first, in one line each."""
    return [
        *_crossing(table),
        *(f"{path} {what}" for path, says in table[["path", "says"]].to_numpy() for what in says),
        *_duplicates(table),
        *_identical(table),
        *(line for _, line in _short(table)),
        *_uneven(table),
    ]


def noted(table: pd.DataFrame) -> list[str]:
    """Describe what is to be known of recordings that are used, each kind in one line a machine.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, machine, seconds, content`` and ``notes``, pairs of what :func:`asd.datasets.audio.problems` says.
    """
    rows = table[["path", "machine", "notes"]].to_numpy()
    said = [(machine, name, f"{path} {what}") for path, machine, notes in rows for name, what in notes]
    said += [(machine, "short", line) for machine, line in _short(table)]
    return [*grouped(said), *_identical(table)]


def grouped(said: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Choose of lines ``(machine, kind, line)`` the first of each machine and kind, and say how many there are."""
    table = pd.DataFrame(said, columns=["machine", "kind", "line"])
    for (machine, _), lines in table.groupby(["machine", "kind"], sort=False)["line"]:
        yield lines.iloc[0] + (f" ({len(lines)} recordings of {machine})" if len(lines) > 1 else "")


def _crossing(table: pd.DataFrame) -> Iterator[str]:
    for path, same in table.loc[table["leaked"], ["path", "same_as"]].to_numpy():
        yield f"{path} trains and is in the test set, {f'as {same}' if same else 'at another level or length'}"


def _duplicates(table: pd.DataFrame) -> Iterator[str]:
    twins = (table["same_as"] != "") & ~table["leaked"] & ~table["machine"].isin(_of_one_content(table))
    for path, same in table.loc[twins, ["path", "same_as"]].to_numpy():
        yield f"{path} is the same as {same}"


def _of_one_content(table: pd.DataFrame) -> dict[str, int]:
    """Count the recordings of machines whose recordings, three or more, are all the same."""
    contents = table[table["content"] != ""].groupby("machine")["content"].agg(["size", "nunique"])
    return dict(contents.loc[(contents["size"] > 2) & (contents["nunique"] == 1), "size"])


def _identical(table: pd.DataFrame) -> Iterator[str]:
    for machine, count in _of_one_content(table).items():
        yield f"{machine} has {count} recordings that are all the same: give different ones"


def _short(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Name the machine of each recording that is much shorter than most of the machine's, and say so."""
    for machine, rows in table[table["content"] != ""].groupby("machine"):
        usual = rows["seconds"].median()
        for path, seconds in rows.loc[rows["seconds"] < SHORT * usual, ["path", "seconds"]].to_numpy():
            yield str(machine), f"{path} lasts {seconds:.2f} s, most of {machine} {usual:.2f} s: leave it out"


def _uneven(table: pd.DataFrame) -> Iterator[str]:
    """Name machines whose recordings are unlike each other in a way that a network would learn before any fault."""
    for machine, rows in table[table["content"] != ""].groupby("machine"):
        for name, plural in (("sample_rate", "rates"), ("channels", "numbers of channels")):
            if len(set(rows[name])) > 1:
                yield f"{machine} mixes {plural}: {', '.join(f'{value:.0f}' for value in sorted(set(rows[name])))}"
        if (spread := rows["rms"].max() - rows["rms"].min()) > SPREAD:
            yield f"{machine} mixes levels {spread:.0f} dB apart"
