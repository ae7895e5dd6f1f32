"""An uploaded recording and its score; its name is never a path, its content is kept while it is scored."""

import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd

from asd.core.errors import UserError
from asd.datasets.audio import ENDLESS, RecordingError, blocks, opened
from asd.systems import Detector

CHANNELS, RATE = 32, 2_000_000  # at most; [Hz] of acoustic emission
SAMPLES = 2**25  # of all channels at most, 5 minutes in stereo at 48 kHz: a small compressed file may hold any number
BLOCK = 2**16  # frames decoded at a time where a header does not say how many there are
NAME = re.compile(r"(?!\.\.?$)[^\x00-\x1f\x7f-\x9f/\\]{1,255}")  # of a file, in no folder


class RefusedError(UserError):
    """Why a request gets no answer; ``status`` says the same to a program."""

    def __init__(self, status: HTTPStatus, what: str) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """How large an uploaded file may be [MiB], and how long the recording in it [s]."""

    mib: float = 32.0
    seconds: float = 300.0

    @property
    def size(self) -> int:
        """[bytes]."""
        return int(self.mib * 2**20)


class Upload(NamedTuple):
    """What a request says of the recording that it carries."""

    name: str
    machine: str
    section: str


def checked_upload(said: dict[str, str], known: dict[str, list[str]]) -> Upload:
    """Check what a request says of its recording; of one machine, or section, nothing need be said.

    Parameters
    ----------
    said : dict of str to str
        Any of ``name``, ``machine``, ``section``.
    known : dict of str to list of str
        Sections by machine.

    Raises
    ------
    RefusedError
    """
    name = said.get("name", "recording")
    if not NAME.fullmatch(name):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "name is not that of a file: give one without a folder")
    machine = _one_of("machine", said.get("machine", ""), list(known))
    return Upload(name, machine, _one_of("section", said.get("section", ""), known[machine]))


def _one_of(what: str, given: str, known: list[str]) -> str:
    if not given and len(known) == 1:
        return known[0]
    if given not in known:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{what} is not known: give one of {', '.join(known)}")
    return given


def score_upload(
    detector: Detector, names: pd.Series, limits: Limits, content: bytes, upload: Upload
) -> dict[str, Any]:
    """Score a recording, which is in a temporary file meanwhile.

    Parameters
    ----------
    detector : Detector
    names : pd.Series
        Of the project's recordings, by ``clip_id``.
    limits : Limits
    content : bytes
        Of the recording's file.
    upload : Upload

    Returns
    -------
    dict
        ``name, machine, section``; ``score, threshold, decision`` as :meth:`asd.systems.Detector.score` has them;
        ``nearest``, the name of the nearest normal recording, empty where none is known; ``notes``, lines on what else
        is to be said.

    Raises
    ------
    RefusedError
        Where it can't be read or scored.
    """
    notes = _Notes()
    with TemporaryDirectory(prefix="asd-serve-") as folder:
        file = Path(folder) / "recording"
        file.write_bytes(content)
        logging.getLogger("asd").addHandler(notes)
        try:
            _check_length(file, limits)
            scored = detector.score([file], upload.machine, upload.section).iloc[0]
            if scored["error"]:
                raise UserError(scored["error"])
        except UserError as error:
            raise RefusedError(_status(error), str(error).replace(str(file), upload.name)) from None
        finally:
            logging.getLogger("asd").removeHandler(notes)
    return {
        **upload._asdict(),
        **{name: float(scored[name]) for name in ("score", "threshold")},
        "decision": int(scored["decision"]),
        "nearest": names.get(scored["nearest"], ""),
        "notes": [line.replace(str(file), upload.name) for line in dict.fromkeys(notes.lines)],
    }


class _Notes(logging.Handler):
    """Collects what is said of a recording that is scored nevertheless."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _status(error: UserError) -> HTTPStatus:
    if isinstance(error, RefusedError):
        return error.status
    unknown = isinstance(error, RecordingError) and error.reason == "unreadable"
    return HTTPStatus.UNSUPPORTED_MEDIA_TYPE if unknown else HTTPStatus.UNPROCESSABLE_ENTITY


def _check_length(file: Path, limits: Limits) -> None:
    """Refuse a recording that is too long, before memory is taken for what its header promises."""
    with opened(file) as sound:
        if sound.channels > CHANNELS or sound.samplerate > RATE:
            what = f"has {sound.channels} channels at {sound.samplerate} Hz, more than {CHANNELS} or {RATE} Hz"
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{file} {what}: leave channels out, or resample it"
            )
        most, frames = min(int(limits.seconds * sound.samplerate), SAMPLES // sound.channels), sound.frames
        if frames >= ENDLESS:
            frames = 0
            for block in blocks(sound, BLOCK, "int16"):
                frames += len(block)
                if frames > most:
                    break
        if frames > most:
            lasts = f"lasts longer than {most / sound.samplerate:g} s"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{file} {lasts}: cut it into pieces")
