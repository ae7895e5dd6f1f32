"""Waveforms that recordings hold as they are, but for a factor: they are referred to instead of stored once more."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from asd.core import wav_header
from asd.core.compute import ComputeParams, parallel
from asd.features.front_end import FrontEndParams
from asd.features.prepare import gain
from asd.features.store import Recorded


def recorded(path: Path | str, params: FrontEndParams) -> Recorded | None:
    """Find the samples of a recording that are a front end's waveform but for a factor.

    Parameters
    ----------
    path : Path or str
    params : FrontEndParams

    Returns
    -------
    Recorded or None
        None where they are not: no file, no WAV file of 16 bits, a header that is wrong, several channels, another
        rate, a high-pass, another length.
    """
    file = Path(path)
    if params.high_pass or params.loop_seconds or params.trim_or_pad_seconds or not file.is_file():
        return None
    header = wav_header.right(file)
    if header is None or not header.is_plain or header.sample_rate != params.sample_rate:
        return None
    n_samples = header.stated // 2
    if n_samples < max(1, params.least_samples):  # a stated length of 0 is none, for whoever decodes
        return None
    scale = 1 / 32768
    if params.level == "normalise":
        scale *= gain(np.fromfile(file, "<i2", n_samples, offset=header.start) * np.float32(scale))
    return Recorded(str(path), header.start, n_samples, scale)


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
