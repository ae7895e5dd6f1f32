"""Long recordings become clips of one length."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

from asd.base.artifacts import write_with
from asd.base.compute import parallel
from asd.base.errors import UserError
from asd.datasets import audio

KEPT = 0.5  # of a clip's length: a shorter rest is left out
CUT = "cut:"  # before the paths of clips, which stand below the folder given


def cut_long(table: pd.DataFrame, seconds: float, folder: Path) -> pd.DataFrame:
    """Cut recordings that are longer than a clip.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, recording, sha256`` and whatever else.
    seconds : float
        [s] of a clip; 0: nothing is cut.
    folder : Path
        Gets ``clips/<row>/<number>.wav``, of the same rate, channels and, where WAV has it, subtype.

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
    cut = parallel(partial(_cut, seconds=seconds, folder=folder), enumerate(table.to_dict("records")))
    return pd.DataFrame([row for some in cut for row in some], columns=table.columns)


def _cut(numbered: tuple[int, dict[str, Any]], seconds: float, folder: Path) -> list[dict[str, Any]]:
    place, row = numbered
    path = Path(row["path"])
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError:
        return [row]  # for the index to name
    length = round(seconds * info.samplerate)
    if length < 1:
        raise UserError(f"dataset.folder.clip_seconds is {seconds}, less than a sample of {path}: give more")
    if info.frames <= length or audio.missing_bytes(path):
        return [row]
    subtype = info.subtype if soundfile.check_format("WAV", info.subtype) else "FLOAT"
    clips = []
    for number, block in enumerate(soundfile.blocks(path, length, dtype="float64", always_2d=True)):
        if len(block) >= KEPT * length:
            name = f"clips/{place:05d}/{number:05d}.wav"
            write_with(folder / name, partial(soundfile.write, data=block, samplerate=info.samplerate, subtype=subtype))
            clips.append(row | {"path": CUT + name, "recording": row["recording"] or row["sha256"][:16]})
    return clips
