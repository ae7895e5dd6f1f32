"""Index of recordings: one anonymous row a clip; labels and all that must stay hidden stand apart."""

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.clips import content_id, training
from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.core.positions import positions
from asd.core.progress import progress
from asd.datasets import audio, health, leaks

log = logging.getLogger(__name__)
KNOWN = ["machine", "section", "split", "domain", "kind", "attributes", "recording", "time", "speed_hz"]


class Index(NamedTuple):
    """Output of the stage ``index``: five tables sorted by clip_id and the metrics."""

    clips: pd.DataFrame
    files: pd.DataFrame
    positions: pd.DataFrame
    given: pd.DataFrame
    ground_truth: pd.DataFrame
    metrics: dict[str, Any]


class Decoded(NamedTuple):
    """Properties of a decoded file; ``bad`` is the reason to reject it, or empty; ``notes`` names and says more."""

    content: str = ""
    sample_rate: int = 0
    channels: int = 0
    frames: int = 0
    clipped: bool = False
    level: str = ""
    landmarks: np.ndarray = np.zeros(0, dtype=np.int64)
    bad: str = ""
    message: str = ""
    notes: tuple[tuple[str, str], ...] = ()


def make_index(recordings: pd.DataFrame, on_bad_clip: str, compute: ComputeParams | None = None) -> Index:
    """Decode all recordings, in bounded memory, and index the good ones.

    Parameters
    ----------
    recordings : pd.DataFrame
        See :meth:`asd.datasets.dataset.Dataset.recordings`.
    on_bad_clip : str
        ``fail`` or ``drop``.
    compute : ComputeParams, optional
        Its number of workers; those of :func:`asd.core.compute.configure` by default.

    Returns
    -------
    Index
        See design of the clip table in :mod:`asd.core.clips`. No test row has a domain, attributes or a label.

    Raises
    ------
    UserError
        Where a recording is bad and ``on_bad_clip`` is ``fail``, or a machine is left without normal training clips.
    """
    read = parallel(decode, recordings["path"], compute)
    decoded = pd.DataFrame(list(progress("read", "recording", len(recordings), read)))
    table = pd.concat([recordings.reset_index(drop=True), decoded], axis=1)
    bad = table[table["bad"] != ""]
    if len(bad) and on_bad_clip == "fail":
        more = f"({len(bad)} of {len(table)} recordings are bad; index.on_bad_clip=drop leaves them out)"
        raise UserError(f"{bad['message'].iloc[0]} {more}")
    for message in bad["message"]:
        log.warning("left out: %s", message)
    good = table[table["bad"] == ""].reset_index(drop=True)
    for line in health.noted(good.assign(seconds=good["frames"] / good["sample_rate"])):
        log.warning("%s", line)
    leaked = leaks.leaked(good, lambda path: audio.heard(audio.read(path)[0]))
    for machine, rows in good[leaked].groupby("machine"):
        log.warning("left out: %d clips of %s are in the test set, as %s", len(rows), machine, rows["path"].iloc[0])
    table = name_clips(anonymous(good[~leaked]))
    _check_training(trained(recordings), table)
    clips = _clips(table)
    return Index(
        clips,
        table[["clip_id", "path"]],
        _positions(table),
        _given(clips),
        _ground_truth(table),
        _metrics(table, clips, bad["bad"]) | {"leaked": _counts(good[leaked], ["machine"])},
    )


def decode(path: str) -> Decoded:
    """Decode one recording: its properties for the index."""
    samples, decoded = decode_samples(path)
    if decoded.bad:
        return decoded
    near = audio.heard(samples)
    return decoded._replace(level=leaks.level_hash(near), landmarks=leaks.landmarks(near))


def decode_samples(path: str) -> tuple[np.ndarray, Decoded]:
    """Decode one recording: its samples, and its properties but for those by which leaks are found.

    Returns
    -------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
        Full scale 1; none where the recording can't be read.
    decoded : Decoded
        Without ``level`` and ``landmarks``.
    """
    try:
        samples, sample_rate = audio.read(path)
    except audio.RecordingError as error:
        return np.zeros((0, 1), np.float32), Decoded(bad=error.reason, message=str(error))
    problems = audio.problems(samples)
    if unfit := audio.unfit(problems):
        return samples, Decoded(bad=unfit, message=f"{path} {problems[unfit]}")
    frames, channels = samples.shape
    notes = tuple((problems | audio.header_notes(path)).items())
    content, clipped = content_id(samples, sample_rate), "clipped" in problems
    return samples, Decoded(content, sample_rate, channels, frames, clipped, notes=notes)


def anonymous(table: pd.DataFrame) -> pd.DataFrame:
    """Remove domain and attributes, which the task does not give, from test rows."""
    test = table["split"] == "test"
    return table.assign(
        domain=table["domain"].mask(test, "unknown"),
        attributes=table["attributes"].mask(test, ""),
        speed_hz=pd.to_numeric(table["speed_hz"]).astype(float),
    )


def name_clips(table: pd.DataFrame) -> pd.DataFrame:
    """Give each clip its ``clip_id`` and sort by it.

    Clips of equal content are numbered (``<id>-2``), training clips first, by what the clip table says of them; only
    where that is equal too does the file name decide, and then the clip table is the same either way.
    """
    table = table.assign(tested=table["split"] == "test").sort_values(["content", "tested", *KNOWN, "path"])
    number = table.groupby("content").cumcount()
    ids = table["content"].where(number == 0, table["content"] + "-" + (number + 1).astype(str))
    return table.assign(clip_id=ids, twin=number > 0).sort_values("clip_id").reset_index(drop=True)


def trained(recordings: pd.DataFrame) -> set[str]:
    """Name the machines that must have normal training clips: all that are not mere supplements."""
    return set(recordings["machine"][recordings["split"] != "supplemental"])


def _check_training(machines: Iterable[str], table: pd.DataFrame) -> None:
    if without := sorted(set(machines) - set(training(table)["machine"])):
        raise UserError(f"{without[0]} has no normal training clip left: add some or leave it out of dataset.machines")


def _clips(table: pd.DataFrame) -> pd.DataFrame:
    clips = table[["clip_id", *KNOWN, "sample_rate", "channels"]]
    return clips.assign(seconds=table["frames"] / table["sample_rate"])


def _positions(table: pd.DataFrame) -> pd.DataFrame:
    """List the order of recording of the normal training clips."""
    normal = table.assign(position=positions(table))
    return training(normal)[["clip_id", "position"]]


def _given(clips: pd.DataFrame) -> pd.DataFrame:
    """Make labels of the attributes of normal training clips, empty where they are hidden."""
    normal = training(clips)[["clip_id", "machine", "attributes"]].rename(columns={"attributes": "label"})
    return normal.assign(method="given", confidence=1.0)[["clip_id", "machine", "method", "label", "confidence"]]


def _ground_truth(table: pd.DataFrame) -> pd.DataFrame:
    truth = table[["clip_id", "anomaly", "true_domain", "true_attributes"]]
    return truth.rename(columns={"true_domain": "domain", "true_attributes": "attributes"}).reset_index(drop=True)


def _metrics(table: pd.DataFrame, clips: pd.DataFrame, bad: pd.Series) -> dict[str, Any]:
    normal = training(clips)
    values = normal[normal["attributes"] != ""].groupby("machine")["attributes"].nunique()
    machines = sorted(set(normal["machine"]))
    labelled = set(table["machine"][(table["split"] == "test") & (table["anomaly"] != "")])
    return {
        "clips": _counts(clips, ["machine", "split", "domain"]),
        "seconds": clips.groupby("machine")["seconds"].sum().to_dict(),
        "attributes": values.to_dict(),
        "hidden_attributes": {machine: True for machine in machines if machine not in values},
        "unlabelled": {machine: True for machine in machines if machine not in labelled},
        "duplicates": int(table["twin"].sum()),
        "rejected": bad.value_counts().to_dict(),
        "clipped": int(np.sum(table["clipped"])),
    }


def _counts(table: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    """Count rows, nested by columns."""
    if not columns:
        return len(table)  # type: ignore[return-value]
    return {str(value): _counts(rows, columns[1:]) for value, rows in table.groupby(columns[0])}
