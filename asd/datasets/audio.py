"""Reading recordings, and knowing bad ones."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile

from asd.core import wav_header
from asd.core.errors import UserError
from asd.core.wav_header import WithHeader

AT_ONCE = 2**28  # samples that are decoded in one piece; a header may promise more than there are
ENDLESS = 2**62  # frames that libsndfile gives where a stream's header does not: a FLAC file of no stated length
BLOCK = 2**20  # frames of a piece

CLIPPED = 0.99  # of full scale: 8-bit recordings end at 127/128
CLIPPED_RUN = 3  # [samples] equal ones at full scale
CLIPPED_SHARE = 0.01  # of all samples at the highest or lowest value, and
CLIPPED_SPIKE = 10  # times as many as at the next one, are clipped at any level
NO_SIGNAL = 3  # different values, those of one bit of noise
COARSE = 16  # different values from which on quantisation is not heard first
STUCK = 0.5  # of the length in one run of equal samples
GAPS, GAP = 0.25, 256  # of the length in runs of so many [samples] and more
LOUD, SENSELESS = 100.0, 2.0**32  # times full scale; accelerations in g, and numbers of 32 bit, stay below
FAINT = 1e-6  # of full scale, the peak: -120 dB
UNEVEN = 100.0  # times as loud is one channel as another: 40 dB

LEAVE = "leave features.*.channel at near"
AGAIN = "record it again or leave it out"
UNFIT = {  # no recording of anything
    "nan": f"holds samples that are no finite numbers: {AGAIN}",
    "senseless": f"holds values of more than 32 bit of full scale: {AGAIN}",
    "silent": f"holds nothing but zeros: {AGAIN}",
    "constant": f"holds one value alone, as of an input without a signal: {AGAIN}",
    "one bit": f"holds {NO_SIGNAL} different values at most, as of an input without a signal: {AGAIN}",
    "stuck": "holds one value without a break for half of its length or more: cut that away or leave it out",
}
USABLE = {
    "clipped": "is clipped: record it again with less gain",
    "loud": "is 40 dB and more above full scale: divide it, by 32768 where it holds 16-bit numbers saved as floats",
    "faint": "stays 120 dB below full scale: scale it, or record it again with more gain",
    "coarse": f"holds {COARSE} different values at most: record it again with more gain",
    "gaps": "holds one value without a break for a quarter of its length or more, in several gaps: record it again "
    "or leave it out, unless its machine stands still there",
    "offset": "has a mean as large as its sound: take it away, or set features.*.high_pass",
}
DOUBTS = {
    "truncated": "is truncated, its header promises more: copy it again or leave it out; where the recorder was cut "
    "off, ffmpeg -i IN -c copy OUT mends the header",
    "unclear": "holds more than its header says, but neither whole samples nor chunks of WAV: open it in an editor and "
    "save it again, or leave it out",
}


class RecordingError(UserError):
    """A recording that can't be read; ``reason`` is one of missing, empty, unreadable, truncated, unclear."""

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
    with opened(path) as file:
        samples, sample_rate, promised = _decoded(file), file.samplerate, file.frames
    if len(samples) < promised < ENDLESS:
        raise RecordingError("truncated", path, DOUBTS["truncated"])
    if len(samples) == 0:
        raise RecordingError("empty", path, f"holds no samples: {AGAIN}")
    return samples, sample_rate


@contextmanager
def opened(path: Path | str) -> Iterator[soundfile.SoundFile]:
    """Open a recording; the header of a WAV file that is wrong about the file's length is mended, not the file.

    Raises
    ------
    RecordingError
        Where it can't be opened, or, within the context, decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError("missing", path, "is missing: restore it or list it no longer")
    if path.stat().st_size == 0:
        raise RecordingError("empty", path, f"is an empty file: {AGAIN}")
    try:
        with _source(path) as source, soundfile.SoundFile(source) as file:
            if file.frames >= ENDLESS:
                file.seekable = lambda: False  # soundfile would seek behind the last sample, and fail
            yield file
    except soundfile.LibsndfileError as error:
        raise _unreadable(path, error.error_string) from None


def _source(path: Path) -> AbstractContextManager[Path | WithHeader]:
    """Give libsndfile the file itself, or its samples behind a header that is true of them."""
    try:
        mended = wav_header.mended(path)
        if mended and mended.doubt:
            raise RecordingError(mended.doubt, path, DOUBTS[mended.doubt])
        return WithHeader(path, mended) if mended else nullcontext(path)
    except OSError as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, why: str) -> RecordingError:
    why = why.rstrip(".")
    return RecordingError("unreadable", path, f"is no audio that libsndfile reads ({why}): leave it out")


def blocks(file: soundfile.SoundFile, frames: int, dtype: str) -> Iterator[np.ndarray]:
    """Decode an open recording in pieces ``(frames, channels)`` until nothing is left, whatever its header says."""
    while len(block := file.read(frames, dtype=dtype, always_2d=True)):
        yield block


def _decoded(file: soundfile.SoundFile) -> np.ndarray:
    """Read all samples; 16-bit ones as they are and then scaled, the same numbers three times faster."""
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    if file.frames * file.channels < AT_ONCE:
        samples = file.read(dtype=dtype, always_2d=True)
    else:
        samples = np.concatenate([np.zeros((0, file.channels), dtype), *blocks(file, BLOCK, dtype)])
    return samples * np.float32(1 / 32768) if dtype == "int16" else samples


def header_notes(path: Path | str) -> dict[str, str]:
    """Say under ``header`` what was wrong with the header of a recording that was read; empty where nothing was."""
    mended = wav_header.mended(Path(path))
    if mended is None or mended.header.stated == mended.length:
        return {}
    says = "does not say how long it is" if mended.header.of_stream else f"says {mended.header.stated}"
    what = f"holds {mended.length} bytes of samples, its header {says}: all are read; save it again to mend the header"
    return {"header": what}


def heard(samples: np.ndarray) -> np.ndarray:
    """Take the first channel, ``(frames,)`` of ``(frames, channels)``; where it is dead, the first that is not."""
    return samples[:, int(np.argmin(dead(samples)))]


def dead(samples: np.ndarray) -> np.ndarray:
    """Find the channels that hold no signal, beside others that do.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels)]

    Returns
    -------
    np.ndarray [shape=(channels,), dtype=bool]
        All False where no channel holds a signal.
    """
    if samples.shape[1] == 1:
        return np.zeros(1, dtype=bool)
    without = np.array([_few_values(channel, NO_SIGNAL) for channel in samples.T])
    return without & ~without.all()


def problems(samples: np.ndarray) -> dict[str, str]:
    """Say what is wrong with decoded samples.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
        Full scale 1.

    Returns
    -------
    dict of str to str
        What to say of a recording, by a name: one of :data:`UNFIT`, where it is no recording of anything, else any of
        :data:`USABLE`, ``dead channel`` and ``quiet channel``.
    """
    unfit = _unfit(samples)
    if unfit:
        return {unfit: UNFIT[unfit]}
    one = heard(samples)
    peak = np.abs(samples).max()
    found = {
        "clipped": (peak >= CLIPPED and _flat_topped(samples)) or _cut_off(one),
        "loud": peak >= LOUD,
        "faint": peak < FAINT,
        "coarse": _few_values(one, COARSE),
        "gaps": _runs(one, GAP).sum() >= GAPS * len(one),
        "offset": abs(one.mean(dtype=np.float64)) >= one.std(dtype=np.float64) > 0,
    }
    return {name: USABLE[name] for name, here in found.items() if here} | _channel_problems(samples)


def unfit(found: Iterable[str]) -> str:
    """Choose of the names of :func:`problems` what makes a recording unfit for any use; empty where nothing does."""
    return "".join(name for name in found if name in UNFIT)


def _unfit(samples: np.ndarray) -> str:
    """Name what makes samples no recording of anything; empty where nothing does."""
    low, high = samples.min(initial=0.0), samples.max(initial=0.0)
    if not np.isfinite([low, high]).all():  # a NaN is passed on by both
        return "nan"
    if low == high:
        return "silent"
    if max(-low, high) >= SENSELESS:
        return "senseless"
    one = heard(samples)
    if _few_values(one, NO_SIGNAL):
        return "one bit" if np.ptp(one) else "constant"
    return "stuck" if _runs(one, GAP).max(initial=0) >= STUCK * len(one) else ""


def _channel_problems(samples: np.ndarray) -> dict[str, str]:
    """Say which channels are dead, or whether the first is much quieter than another."""
    without = dead(samples)
    if without.any():
        which = ", ".join(str(number + 1) for number in np.flatnonzero(without))
        other = int(np.argmin(without)) + 1
        remedy = f"channel {other} is heard in its place" if other > 1 else LEAVE
        remedy += "; set features.*.channel to far" if other == 2 else ""
        return {"dead channel": f"has no signal in channel {which} of {len(without)}: {remedy}, or mend the cable"}
    levels = samples.std(axis=0, dtype=np.float64) if len(without) > 1 else np.ones(1)
    if levels[0] * UNEVEN > levels.max():
        return {}
    loudest = int(np.argmax(levels)) + 1
    return {
        "quiet channel": f"is 40 dB and more quieter in channel 1 than in channel {loudest}: mend the cable, or "
        "set features.*.channel to far or mean"
    }


def _few_values(waveform: np.ndarray, most: int) -> bool:
    """Say whether there are so many different values at most; most recordings show more at their begin."""
    enough = len(waveform) > 4 * most
    return enough and all(len(np.unique(part)) <= most for part in (waveform[:1024], waveform))


def _runs(waveform: np.ndarray, least: int) -> np.ndarray:
    """Measure the runs of equal samples [samples], those of a least length."""
    same = waveform[1:] == waveform[:-1]
    if np.count_nonzero(same) < least - 1:
        return np.zeros(0, dtype=np.int64)
    lengths = np.diff(np.flatnonzero(~same), prepend=-1, append=len(same))
    return lengths[lengths >= least]


def _flat_topped(samples: np.ndarray) -> bool:
    flat = (np.abs(samples[1:]) >= CLIPPED) & (samples[1:] == samples[:-1])
    run = CLIPPED_RUN - 1
    windows = np.lib.stride_tricks.sliding_window_view(flat, run, axis=0) if len(flat) >= run else np.zeros((1, 1, 1))
    return bool(windows.all(axis=-1).any())


def _cut_off(waveform: np.ndarray) -> bool:
    """Say whether the highest or the lowest value, other than zero, is far more frequent than the next one to it."""
    return any(_spike(top) >= CLIPPED_SPIKE for top in (waveform, -waveform))


def _spike(waveform: np.ndarray) -> float:
    """Divide how often the highest value occurs by how often the next one does; 0 where the highest is rare or 0."""
    highest = waveform.max()
    count = np.count_nonzero(waveform == highest)
    if not highest or count < max(CLIPPED_RUN, CLIPPED_SHARE * len(waveform)):
        return 0.0
    below = waveform[waveform < highest]
    return float(count / np.count_nonzero(below == below.max())) if len(below) else 0.0
