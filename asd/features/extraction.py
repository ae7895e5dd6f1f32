"""From recordings to rows: clips in parallel, given in order, few at a time."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from asd.compute import ComputeParams, parallel
from asd.errors import UserError
from asd.features.params import FrontEndParams
from asd.features.registry import front_end
from asd.features.waveform import load_waveform

AT_ONCE = 256  # [clips] computed ahead of the one that is taken: what bounds the memory


def extract(path: Path | str, params: FrontEndParams) -> np.ndarray:
    """Compute one front end of one recording.

    Returns
    -------
    np.ndarray [shape=(rows, bands), dtype=float32]

    Raises
    ------
    UserError
        Where the file can't be decoded, its rate is too low, or it is shorter than one frame.
    """
    rows = front_end(params.kind)(load_waveform(path, params), params)
    if not len(rows):
        raise UserError(f"{path} is shorter than one frame of the {params.kind}: leave the file out")
    return rows


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
    rows : np.ndarray [shape=(rows, bands), dtype=float32]
    """
    clip_ids = list(files)
    for start in range(0, len(clip_ids), AT_ONCE):
        some = clip_ids[start : start + AT_ONCE]
        rows = parallel(partial(extract, params=params), (files[clip_id] for clip_id in some), compute)
        yield from zip(some, rows, strict=True)
