"""Check of a data set: counts, lengths, rates, levels, clipping, silence, duplicates."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import content_id
from asd.core.compute import ComputeParams, parallel
from asd.datasets import audio, leaks

SPREAD = 20.0  # [dB] between the levels of one machine's recordings from which on it is named
FLOOR = 1e-10  # of full scale, below any level
RANGES = {"seconds": "{:.1f}", "sample_rate": "{:.0f}", "channels": "{:.0f}", "rms": "{:.0f}", "peak": "{:.0f}"}


class Measured(NamedTuple):
    """Measurements of one recording; ``problem`` is empty or a reason of :mod:`asd.datasets.audio`."""

    seconds: float = np.nan
    sample_rate: float = np.nan
    channels: float = np.nan
    rms: float = np.nan  # [dB] re full scale
    peak: float = np.nan  # [dB] re full scale
    problem: str = ""
    content: str = ""
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
        With the first six fields of :class:`Measured`; ``same_as``, an earlier recording of equal content, a test one
        if there is any; and ``leaked``, whether a training recording is in the test set, at any level, or trimmed.
    """
    measured = pd.DataFrame(list(parallel(measure, table["path"], compute)), columns=list(Measured._fields))
    both = pd.concat([table.reset_index(drop=True), measured], axis=1)
    usable = both["content"] != ""
    leaked = pd.Series(False, index=both.index)
    leaked[usable] = leaks.leaked(both[usable], lambda path: audio.read(path)[0][:, 0])
    ordered = both[usable].sort_values("split", key=lambda split: split != "test", kind="stable")
    first = ordered["content"].map(ordered.drop_duplicates("content").set_index("content")["path"])
    same = first.reindex(both.index).fillna("")
    both = both.assign(leaked=leaked, same_as=same.where(same != both["path"], ""))
    return both.drop(columns=["content", "level", "landmarks"])


def measure(path: str) -> Measured:
    """Measure one recording; nothing but the problem of one that can't be used."""
    try:
        samples, sample_rate = audio.read(path)
    except audio.RecordingError as error:
        return Measured(problem=error.reason)
    problem = "".join(audio.problems(samples))
    if problem == "nan":
        return Measured(problem=problem)
    frames, channels = samples.shape
    level = _decibel(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), _decibel(np.abs(samples).max())
    sound = Measured(frames / sample_rate, sample_rate, channels, *level, problem)
    if problem == "silent":
        return sound
    near = samples[:, 0]
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
    return [*_crossing(table), *_problems(table), *_duplicates(table), *_uneven(table)]


def _crossing(table: pd.DataFrame) -> Iterator[str]:
    for path, same in table.loc[table["leaked"], ["path", "same_as"]].to_numpy():
        yield f"{path} trains and is in the test set, {f'as {same}' if same else 'at another level or length'}"


def _problems(table: pd.DataFrame) -> Iterator[str]:
    for path, problem in table.loc[table["problem"] != "", ["path", "problem"]].to_numpy():
        yield f"{path} is {problem}"


def _duplicates(table: pd.DataFrame) -> Iterator[str]:
    for path, same in table.loc[(table["same_as"] != "") & ~table["leaked"], ["path", "same_as"]].to_numpy():
        yield f"{path} is the same as {same}"


def _uneven(table: pd.DataFrame) -> Iterator[str]:
    """Name machines whose recordings are unlike each other in a way that a network would learn before any fault."""
    for machine, rows in table[table["seconds"].notna() & (table["problem"] != "silent")].groupby("machine"):
        for name, plural in (("sample_rate", "rates"), ("channels", "numbers of channels")):
            if len(set(rows[name])) > 1:
                yield f"{machine} mixes {plural}: {', '.join(f'{value:.0f}' for value in sorted(set(rows[name])))}"
        if (spread := rows["rms"].max() - rows["rms"].min()) > SPREAD:
            yield f"{machine} mixes levels {spread:.0f} dB apart"
