"""Reading recordings, and knowing bad ones."""

import struct
from pathlib import Path

import numpy as np
import soundfile

from asd.core.errors import UserError

STREAMED = 0x7FFF0000  # [bytes] sizes from here on are written by recorders that can't go back to the header
BYTE_ORDERS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<"}
FULL_SCALE = 0.99  # 8-bit recordings end at 127/128
CLIPPED_RUN = 3  # [samples] equal ones at full scale


class RecordingError(UserError):
    """A recording that can't be read; ``reason`` is one of missing, empty, unreadable, truncated."""

    def __init__(self, reason: str, path: Path | str, what: str) -> None:
        super().__init__(reason, path, what)  # all of them, so that it comes back from another process
        self.reason, self.path, self.what = reason, path, what

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


def read(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode a recording of any format, rate, subtype and number of channels that libsndfile reads.

    Parameters
    ----------
    path : Path or str
        The file.

    Returns
    -------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
        Full scale 1.
    sample_rate : int
        [Hz]

    Raises
    ------
    RecordingError
        A :class:`~asd.core.errors.UserError`: the file is missing, empty, no audio, or shorter than its header says.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError("missing", path, "is missing: restore it or list it no longer")
    if path.stat().st_size == 0:
        raise RecordingError("empty", path, "is an empty file: record it again or leave it out")
    try:
        with soundfile.SoundFile(path) as file:
            promised, sample_rate = file.frames, file.samplerate
            samples = _decoded(file)
    except (soundfile.LibsndfileError, OSError) as error:
        why = str(getattr(error, "error_string", error)).rstrip(".")
        raise RecordingError("unreadable", path, f"is no audio that libsndfile reads ({why}): leave it out") from None
    if len(samples) < promised or missing_bytes(path):
        raise RecordingError("truncated", path, "is truncated, its header promises more: copy it again or leave it out")
    if len(samples) == 0:
        raise RecordingError("empty", path, "holds no samples: record it again or leave it out")
    return samples, sample_rate


def _decoded(file: soundfile.SoundFile) -> np.ndarray:
    """Read all samples; 16-bit ones as they are and then scaled, the same numbers three times faster."""
    if file.subtype != "PCM_16":
        return file.read(dtype="float32", always_2d=True)
    return file.read(dtype="int16", always_2d=True) * np.float32(1 / 32768)


def missing_bytes(path: Path) -> int:
    """Count the audio bytes that a WAV header promises and the file lacks; libsndfile shortens such files silently.

    Headers of streams, which give the size as 0 or as a huge number, promise nothing; nor do other formats, whose
    decoders notice.
    """
    size = path.stat().st_size
    long_data = 0
    with open(path, "rb") as file:
        head = file.read(12)
        order = BYTE_ORDERS.get(head[:4], "")
        while order and len(chunk := file.read(8)) == 8:
            name, length = struct.unpack(f"{order}4sI", chunk)
            if name == b"data":
                promised = long_data or (length if length < STREAMED else 0)
                return max(0, promised - (size - file.tell()))
            if name == b"ds64":
                long_data = struct.unpack("<8xQ", file.read(16))[0]
                length -= 16
            file.seek(length + length % 2, 1)
    return 0


def problems(samples: np.ndarray) -> list[str]:
    """Name what is wrong with decoded samples.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels)]
        Full scale 1.

    Returns
    -------
    list of str
        Of ``nan`` (not a number, or infinite), ``silent`` (all samples zero) and ``clipped`` (three equal samples in
        a row at full scale; such a recording is usable).
    """
    if not np.isfinite(samples).all():
        return ["nan"]
    peak = np.abs(samples).max(initial=0.0)
    if peak == 0:
        return ["silent"]
    return ["clipped"] if peak >= FULL_SCALE and _flat_topped(samples) else []


def _flat_topped(samples: np.ndarray) -> bool:
    flat = (np.abs(samples[1:]) >= FULL_SCALE) & (samples[1:] == samples[:-1])
    run = CLIPPED_RUN - 1
    windows = np.lib.stride_tricks.sliding_window_view(flat, run, axis=0) if len(flat) >= run else np.zeros((1, 1, 1))
    return bool(windows.all(axis=-1).any())
