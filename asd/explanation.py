"""What made a score: each band and each time of a recording in turn becomes a normal clip's, and is scored again."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.fft import irfft, rfft

from asd.core.errors import UserError
from asd.datasets.audio import heard, read
from asd.datasets.index import decode_samples
from asd.features.mel import SCALES
from asd.systems import Detector

BANDS, TIMES = 10, 8
TO_MEL, TO_HZ = SCALES["htk"]
FADE = 0.2  # of a band or interval: over so much of it one clip passes into the other at each edge
MOST_CLIPS = 64  # normal ones among which a system that names none has its nearest looked for
COLUMNS = ("file", "kind", "low", "high", "contribution", "score")


def explain(detector: Detector, file: Path | str, machine: str = "", section: str = "") -> pd.DataFrame:
    """Say how much of a recording's score each of its frequency bands and each of its time intervals makes.

    One band, or one interval, of the waveform is exchanged for that of the normal clip nearest to it, and the result is
    scored by the same detector: what the score falls by is the contribution. So it holds for any front end, network and
    scorer. Contributions of bands that act together do not sum to the score.

    Parameters
    ----------
    detector : Detector
    file : Path or str
        The recording.
    machine, section : str
        Whose it is; see :meth:`asd.detector.Detector.score`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`: ``kind`` is ``band``, ``low`` and ``high`` its edges [Hz], equally wide on the mel
        scale up to half the system's sample rate, or ``time``, edges [s]. ``contribution`` is in units of ``score``,
        the recording's; negative where the normal clip is the more anomalous.

    Raises
    ------
    UserError
        Where the recording can't be read or scored, it is not known whose it is, or the system is trained on it.

    Examples
    --------
    >>> import asd
    >>> detector = asd.load_detector("path/to/project", "texture")  # doctest: +SKIP
    >>> asd.explain(detector, "fan/one.wav").nlargest(3, "contribution")  # doctest: +SKIP
    """
    samples, decoded = decode_samples(str(file))
    if decoded.bad:
        raise UserError(decoded.message)
    if decoded.content in set(detector.clips["clip_id"]):
        raise UserError(f"{file} is one of the normal clips that {detector.name} compares with: explain another")
    rate, whose = decoded.sample_rate, (Path(file), machine, section)
    first = detector.score_samples([samples], rate, *whose).iloc[0]
    normal = _as_long(*read(_normal_clip(detector, first, samples, rate)), samples, rate)
    bands, intervals = band_edges(min(rate, detector.sample_rate)), np.linspace(0, len(samples) / rate, TIMES + 1)
    scores = detector.score_samples(exchanged(samples, normal, rate, bands, intervals), rate, *whose)["score"]
    edges = np.concatenate([np.stack([some[:-1], some[1:]], axis=1) for some in (bands, intervals)])
    kinds = np.repeat(["band", "time"], [BANDS, TIMES])
    made = {"file": str(file), "kind": kinds, "low": edges[:, 0], "high": edges[:, 1]}
    return pd.DataFrame(made | {"contribution": first["score"] - scores, "score": first["score"]})[list(COLUMNS)]


def band_edges(sample_rate: int) -> np.ndarray:
    """Divide frequencies up to half a rate [Hz] into bands equally wide on the mel scale: edges [Hz]."""
    edges: np.ndarray = TO_HZ(np.linspace(0, TO_MEL(sample_rate / 2), BANDS + 1))
    return edges


def exchanged(
    samples: np.ndarray, normal: np.ndarray, sample_rate: int, bands: np.ndarray, intervals: np.ndarray
) -> Iterator[np.ndarray]:
    """Exchange one band, then one interval, of a recording for that of a normal clip.

    Exact: what is exchanged for all bands in turn, or all intervals, adds up to the normal clip less the recording.

    Parameters
    ----------
    samples, normal : np.ndarray [shape=(frames, channels)]
    sample_rate : int
        [Hz]
    bands, intervals : np.ndarray [shape=(n + 1,)]
        Edges [Hz], equally spaced in mel; edges [s], equally spaced.

    Yields
    ------
    np.ndarray [shape=(frames, channels), dtype=float32]
    """
    difference, frames = normal - samples, len(samples)
    spectrum, hz = rfft(difference, axis=0), np.fft.rfftfreq(frames, 1 / sample_rate)
    in_bands = (irfft(part[:, None] * spectrum, frames, axis=0) for part in shares(TO_MEL(hz), TO_MEL(bands)))
    in_time = (part[:, None] * difference for part in shares(np.arange(frames) / sample_rate, intervals))
    for change in chain(in_bands, in_time):
        yield (samples + change).astype(np.float32)


def shares(axis: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Divide an axis into pieces that pass into each other at their edges: shares ``(pieces, points)`` that sum to 1.

    Parameters
    ----------
    axis : np.ndarray [shape=(points,)]
    edges : np.ndarray [shape=(pieces + 1,)]
        Equally spaced, in the unit of the axis; the first and the last piece hold what is beyond them.
    """
    fade = FADE * (edges[1] - edges[0])
    beyond = 0.5 - 0.5 * np.cos(np.pi * np.clip((axis - edges[1:-1, None]) / fade + 0.5, 0, 1))
    steps = np.vstack([np.ones(len(axis)), beyond, np.zeros(len(axis))])
    return steps[:-1] - steps[1:]


def _as_long(normal: np.ndarray, its_rate: int, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Give a normal clip the rate [Hz], the length (repeated where it is shorter) and the channels of a recording."""
    if its_rate != sample_rate:
        import soxr

        normal = soxr.resample(normal, its_rate, sample_rate)
    channels = np.arange(samples.shape[1]) % normal.shape[1]
    return normal[np.arange(len(samples)) % len(normal)][:, channels]


def _normal_clip(detector: Detector, scored: pd.Series, samples: np.ndarray, sample_rate: int) -> Path:
    """Find the normal clip that made the score; where the scorer names none, the one of the most similar spectrum.

    The mean absolute difference of levels in bands: a fault in one of them hardly changes which clip is nearest.
    """
    if scored["nearest"]:
        return detector.recordings[scored["nearest"]]
    whose = (detector.clips["machine"] == scored["machine"]) & (detector.clips["section"] == scored["section"])
    own = detector.clips.loc[whose, "clip_id"]
    some = own.iloc[np.unique(np.linspace(0, len(own) - 1, MOST_CLIPS).astype(int))]
    highest = min(sample_rate, detector.sample_rate)
    levels = _levels(samples, sample_rate, band_edges(highest))
    return min(
        (detector.recordings[clip] for clip in some), key=lambda path: np.abs(_levels_of(path, highest) - levels).mean()
    )


@lru_cache(maxsize=1024)
def _levels_of(path: Path, highest: int) -> np.ndarray:
    return _levels(*read(path), band_edges(highest))


def _levels(samples: np.ndarray, sample_rate: int, edges: np.ndarray) -> np.ndarray:
    """Compute the mean power of a recording ``(frames, channels)`` in bands, in nepers."""
    near = heard(samples)
    power = np.abs(rfft(near)) ** 2 / len(near) ** 2
    hz = np.fft.rfftfreq(len(near), 1 / sample_rate)
    return np.log([power[(hz >= low) & (hz < high)].sum() + 1e-12 for low, high in pairwise(edges)])
