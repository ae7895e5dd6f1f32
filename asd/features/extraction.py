"""From recordings to rows: clips in parallel, given in order, few at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.datasets.audio import read
from asd.features.fitting import FittedFrontEnd
from asd.features.prepare import checked_waveform

TOGETHER = 16, 2**23  # [clips], [bytes of files] of one task: handing it out costs as much as a short clip


def extract(path: Path | str, front_end: FittedFrontEnd) -> np.ndarray:
    """Compute one front end of one recording.

    Parameters
    ----------
    path : Path or str
    front_end : FittedFrontEnd
        ``FittedFrontEnd(params)`` where nothing was fitted.

    Returns
    -------
    np.ndarray [shape=(n_frames, n_features)]
        float32, or float16 where ``params.precision`` says so.

    Raises
    ------
    UserError
        Where the file can't be decoded, its rate is too low, it is shorter than one frame, or its values are too large.
    """
    return features_of(*read(Path(path)), front_end, path)


def features_of(samples: np.ndarray, sample_rate: int, front_end: FittedFrontEnd, path: Path | str) -> np.ndarray:
    """Compute one front end of a recording that is decoded; see :func:`extract`.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
    sample_rate : int
        [Hz]
    front_end : FittedFrontEnd
    path : Path or str
        Named in errors.

    Returns
    -------
    np.ndarray [shape=(n_frames, n_features)]
    """
    params = front_end.params
    rows = params.compute(checked_waveform(samples, sample_rate, params, front_end.canceller, path))
    if not len(rows):
        raise UserError(f"{path} is shorter than one frame of the {params.kind}: leave the file out")
    with np.errstate(over="ignore"):
        rows = rows.astype(params.precision, copy=False)
    if not np.isfinite(rows).all():
        raise UserError(
            f"{path} has no finite {params.kind} in {params.precision}: divide it by its peak or leave it out"
        )
    return rows


def extract_all(
    files: Mapping[str, str], front_end: FittedFrontEnd, compute: ComputeParams
) -> Iterator[tuple[str, np.ndarray]]:
    """Compute one front end of many recordings by ``compute.jobs`` workers.

    Parameters
    ----------
    files : mapping
        Path of each clip id.
    front_end : FittedFrontEnd
    compute : ComputeParams

    Yields
    ------
    clip_id : str
        In the order of ``files``.
    rows : np.ndarray [shape=(n_frames, n_features)]
    """
    work, tasks = partial(_extract_some, front_end=front_end), list(_tasks(files))
    locked = front_end.params.seconds_in_python * len(files)
    done = parallel(work, ([files[clip_id] for clip_id in task] for task in tasks), compute, locked)
    for task, rows in zip(tasks, done, strict=True):
        yield from zip(task, rows, strict=True)


def _extract_some(paths: Sequence[str], front_end: FittedFrontEnd) -> list[np.ndarray]:
    return [extract(path, front_end) for path in paths]


def _tasks(files: Mapping[str, str]) -> Iterator[list[str]]:
    """Divide clip ids into runs of not too many clips and not too many bytes."""
    task: list[str] = []
    size = 0
    for clip_id, path in files.items():
        more = Path(path).stat().st_size if Path(path).is_file() else 0  # a missing one is for the reader to name
        if task and (len(task) == TOGETHER[0] or size + more > TOGETHER[1]):
            yield task
            task, size = [], 0
        task.append(clip_id)
        size += more
    if task:
        yield task
