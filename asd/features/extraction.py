"""From recordings to rows: clips in parallel, given in order, few at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asd.base.compute import ComputeParams, parallel
from asd.base.errors import UserError
from asd.features.params import FrontEndParams
from asd.features.registry import LOCKED, front_end
from asd.features.waveform import load_waveform

TOGETHER = 16, 2**23  # [clips], [bytes of files] of one task: handing it out costs as much as a short clip


def extract(path: Path | str, params: FrontEndParams) -> np.ndarray:
    """Compute one front end of one recording.

    Returns
    -------
    np.ndarray [shape=(rows, bands)]
        float32, or float16 where ``params.precision`` says so.

    Raises
    ------
    UserError
        Where the file can't be decoded, its rate is too low, or it is shorter than one frame.
    """
    rows = front_end(params.kind)(load_waveform(path, params), params)
    if not len(rows):
        raise UserError(f"{path} is shorter than one frame of the {params.kind}: leave the file out")
    return rows.astype(params.precision, copy=False)


def extract_all(
    files: Mapping[str, str], params: FrontEndParams, compute: ComputeParams
) -> Iterator[tuple[str, np.ndarray]]:
    """Compute one front end of many recordings by ``compute.jobs`` workers.

    Parameters
    ----------
    files : mapping
        Path of each clip id.

    Yields
    ------
    clip_id : str
        In the order of ``files``.
    rows : np.ndarray [shape=(rows, bands)]
    """
    work, tasks = partial(_extract_some, params=params), list(_tasks(files))
    locked = LOCKED.get(params.kind, 0.0) * len(files)
    done = parallel(work, ([files[clip_id] for clip_id in task] for task in tasks), compute, locked)
    for task, rows in zip(tasks, done, strict=True):
        yield from zip(task, rows, strict=True)


def _extract_some(paths: Sequence[str], params: FrontEndParams) -> list[np.ndarray]:
    return [extract(path, params) for path in paths]


def _tasks(files: Mapping[str, str]) -> Iterator[list[str]]:
    """Divide clip ids into runs of not too many clips and not too many bytes."""
    task: list[str] = []
    size = 0
    for clip_id, path in files.items():
        own = Path(path).stat().st_size if Path(path).is_file() else 0  # a missing one is for the reader to name
        if task and (len(task) == TOGETHER[0] or size + own > TOGETHER[1]):
            yield task
            task, size = [], 0
        task.append(clip_id)
        size += own
    if task:
        yield task
