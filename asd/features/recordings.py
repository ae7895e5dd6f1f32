"""Recordings of any kind: audio files, and the MATLAB records of the MFPT data set."""

import logging
import warnings
from pathlib import Path

import numpy as np

from asd.core.errors import UserError
from asd.datasets.audio import RecordingError, header_notes, heard, problems, read, unfit

log = logging.getLogger(__name__)
LEAST_SECONDS = 1.0


def read_recording(path: Path) -> tuple[np.ndarray, int]:
    """Read the first channel of an audio file that is not dead, or of a ``.mat`` record.

    Returns
    -------
    waveform : np.ndarray [shape=(samples,)]
    sample_rate : int
        [Hz]

    Raises
    ------
    UserError
        Where it can't be read, is a folder, no recording of anything, or shorter than a second.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name one recording")
    record = path.suffix.lower() == ".mat"
    samples, sample_rate = _read_mat(path) if record else read(path)
    if len(samples) < LEAST_SECONDS * sample_rate:
        raise UserError(f"{path} lasts {len(samples) / sample_rate:.2f} s: give at least {LEAST_SECONDS:g} s")
    found = problems(samples)
    if reason := unfit(found):
        raise UserError(f"{path} {found[reason]}")
    for note in (found if record else header_notes(path) | found).values():
        log.warning("%s %s", path, note)
    return heard(samples), sample_rate


def _read_mat(path: Path) -> tuple[np.ndarray, int]:
    """Read a record of MFPT: a structure ``bearing`` with the samples ``gs`` and their rate ``sr`` [Hz]."""
    from scipy.io import loadmat

    if not path.is_file():
        raise RecordingError("missing", path, "is missing: restore it or list it no longer")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = loadmat(path, squeeze_me=True, struct_as_record=False)["bearing"]
        samples, rate = np.atleast_1d(record.gs).astype(np.float64), float(record.sr)
    except (KeyError, AttributeError, TypeError):
        raise UserError(f"{path} is no record as MFPT stores them: it needs bearing.gs and bearing.sr") from None
    except Exception as error:  # the reader has many, some of them its own
        why = " ".join(str(error).split())
        raise UserError(f"{path} is no MATLAB file that can be read ({why})") from None
    if samples.ndim != 1 or not rate >= 100:
        raise UserError(f"{path} is no record as MFPT stores them: bearing.gs is one channel, bearing.sr its rate [Hz]")
    return samples[:, None], round(rate)
