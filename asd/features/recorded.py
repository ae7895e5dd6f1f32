"""Waveforms that recordings hold as they are, but for a factor: they are referred to instead of stored once more."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import soundfile

from asd.core import wav_header
from asd.core.compute import ComputeParams, parallel
from asd.datasets.audio import read
from asd.features.front_end import FrontEndParams
from asd.features.prepare import gain


class Recorded(NamedTuple):
    """Where the samples of a prepared waveform stand.

    Attributes
    ----------
    start : int
        [bytes] In the recording's file.
    n_samples : int
        16-bit integers, little-endian.
    scale : float
        Factor from these to the waveform.
    """

    start: int
    n_samples: int
    scale: float


def recorded(path: Path | str, params: FrontEndParams) -> Recorded | None:
    """Find the samples of a recording that are a front end's waveform but for a factor.

    Parameters
    ----------
    path : Path or str
    params : FrontEndParams

    Returns
    -------
    Recorded or None
        None where they are not: no WAV file of 16 bits, a header that is wrong, several channels, another rate, a
        high-pass, another length.

    Raises
    ------
    RecordingError
        Where the file can't be decoded.
    """
    if params.high_pass or params.loop_seconds or params.trim_or_pad_seconds:
        return None
    start = wav_header.start_of_samples(Path(path))
    if start is None:
        return None
    with soundfile.SoundFile(path) as file:
        kind = file.format, file.subtype, file.channels, file.samplerate
    if kind not in [(form, "PCM_16", 1, params.sample_rate) for form in ("WAV", "WAVEX")]:
        return None
    samples, _ = read(path)
    if len(samples) < params.least_samples:
        return None
    return Recorded(start, len(samples), (gain(samples) if params.level == "normalise" else 1.0) / 32768)


def all_recorded(
    files: Mapping[str, str], params: FrontEndParams, compute: ComputeParams
) -> dict[str, Recorded] | None:
    """Find the samples of many recordings by ``compute.jobs`` workers.

    Parameters
    ----------
    files : mapping
        Path of each clip id.
    params : FrontEndParams
    compute : ComputeParams

    Returns
    -------
    dict of str to Recorded, or None
        By clip id; None where one of them or more do not hold the waveform.
    """
    if not params.samples_in_order:
        return None
    work, found = partial(recorded, params=params), dict[str, Recorded]()
    for clip_id, one in zip(files, parallel(work, files.values(), compute), strict=True):
        if one is None:
            return None
        found[clip_id] = one
    return found
