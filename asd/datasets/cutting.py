"""Recordings that are longer than a clip, cut into clips."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

from asd.core.artifacts import write_with
from asd.core.compute import ComputeParams, parallel
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.datasets import audio

KEPT = 0.5  # of a clip's length: a shorter rest is left out
CUT = "cut:"  # before the paths of clips, which stand below the folder given


def cut_long(table: pd.DataFrame, seconds: float, folder: Path, compute: ComputeParams | None = None) -> pd.DataFrame:
    """Cut recordings that are longer than a clip.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, recording, sha256`` and whatever else.
    seconds : float
        [s] of a clip; 0: nothing is cut.
    folder : Path
        Gets ``clips/<row>/<number>.wav``, of the same rate, channels and, where WAV has it, subtype.
    compute : ComputeParams, optional
        Its number of workers; those of :func:`asd.core.compute.configure` by default.

    Returns
    -------
    pd.DataFrame
        With rows for the clips instead of those recordings: ``path`` is ``cut:clips/...``, ``recording``, if it was
        empty, its digest. The last clip of a recording is shorter, but for a rest of less than half a clip.

    Raises
    ------
    UserError
        Where a recording can't be read.
    """
    if not seconds:
        return table
    cut = parallel(partial(_cut, seconds=seconds, folder=folder), enumerate(table.to_dict("records")), compute)
    cut = progress("cut", "recording", len(table), cut)
    return pd.DataFrame([row for some in cut for row in some], columns=table.columns)


def _cut(numbered: tuple[int, dict[str, Any]], seconds: float, folder: Path) -> list[dict[str, Any]]:
    number, row = numbered
    path = Path(row["path"])
    try:
        with audio.opened(path) as file:
            return _clips(file, row, number, seconds, folder)
    except audio.RecordingError:
        return [row]  # for the index to name


def _clips(
    file: soundfile.SoundFile, row: dict[str, Any], number: int, seconds: float, folder: Path
) -> list[dict[str, Any]]:
    length = round(seconds * file.samplerate)
    if length < 1:
        raise UserError(f"dataset.folder.clip_seconds is {seconds}, less than a sample of {row['path']}: give more")
    if file.frames <= length:
        return [row]
    subtype = file.subtype if soundfile.check_format("WAV", file.subtype) else "FLOAT"
    clips = []
    for part, block in enumerate(audio.blocks(file, length, "float64")):
        if len(block) >= KEPT * length:
            name = f"clips/{number:05d}/{part:05d}.wav"
            write_with(folder / name, partial(soundfile.write, data=block, samplerate=file.samplerate, subtype=subtype))
            clips.append(row | {"path": CUT + name, "recording": row["recording"] or row["sha256"][:16]})
    return clips
