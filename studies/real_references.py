"""Simple references for studies/real.py, and traps: level, length and header, which say nothing of a machine.

A reference is some numbers a clip and their squared Mahalanobis distance to a machine-section's normal training clips;
a trap is one or a few numbers that no fault should change, and how far they are from the median of these clips.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from sklearn.covariance import LedoitWolf

from asd.base.errors import UserError
from asd.datasets.audio import read
from asd.features.mel import log_mel
from asd.features.params import LogMelParams
from asd.features.waveform import heard
from asd.positions import positions
from asd.scoring.params import ThresholdParams
from asd.scoring.scorer import blocks
from asd.scoring.thresholds import Calibration, threshold

LAGS = (1, 2, 4, 8, 16, 32, 64)  # [frames of 4 ms]
MEL = partial(LogMelParams, kind="log_mel", sample_rate=16000, low_rate="resample", f_min=0, f_max=8000)
COARSE, FINE = MEL(n_fft=1024, hop_length=512, n_mels=64), MEL(n_fft=256, hop_length=64, n_mels=32)


def mean_log_mel(path: str) -> np.ndarray:
    """Average a clip's log-mel spectrogram [dB] over time: 64 bands."""
    return _log_mel(path, COARSE).mean(axis=0)


def variogram(path: str) -> np.ndarray:
    """Measure how fast each of 32 mel bands changes: log mean squared differences [dB^2] at lags of 4 to 256 ms."""
    return variogram_of(_log_mel(path, FINE))


def variogram_of(x: np.ndarray) -> np.ndarray:
    """Compute the variogram of a log-mel spectrogram (frames, bands): (lags * bands,)."""
    lags = np.minimum(LAGS, len(x) - 1)  # a very short clip has its longest lag instead
    return np.concatenate([np.log(np.mean((x[lag:] - x[: len(x) - lag]) ** 2, axis=0) + 1e-6) for lag in lags])


def level(path: str) -> np.ndarray:
    """Measure a clip's level: RMS in dB re full scale."""
    samples, _ = _read(path)
    return 10 * np.log10(np.mean(samples.astype(float) ** 2, keepdims=True)[0] + 1e-20)


def length(path: str) -> np.ndarray:
    """Measure how long a clip is [s]."""
    return np.array([soundfile.info(path).duration])


def header(path: str) -> np.ndarray:
    """List what a file's header says: sample rate, channels, subtype, bytes a second; all as logarithms."""
    info = soundfile.info(path)
    subtype = 1 + sorted(soundfile.available_subtypes()).index(info.subtype)  # any number, one a subtype
    return np.log([info.samplerate, info.channels, subtype, Path(path).stat().st_size / info.duration])


def mahalanobis(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Compute squared Mahalanobis distances, features standardised, covariance by Ledoit and Wolf."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    distances: np.ndarray = LedoitWolf().fit((train - mean) / deviation).mahalanobis((test - mean) / deviation)
    return distances


def deviation(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Sum the absolute deviations from the training clips' medians."""
    return np.abs(test - np.median(train, axis=0)).sum(axis=1)


Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
FEATURES = (mean_log_mel, variogram, level, length, header)
REFERENCES: dict[str, tuple[Callable[[str], np.ndarray], ...]] = {  # features side by side
    "mean log-mel": (mean_log_mel,),
    "variogram": (variogram,),
    "mean + variogram": (mean_log_mel, variogram),
}
TRAPS = {"level": (level,), "length": (length,), "header": (header,)}


def extracted(files: pd.Series) -> dict[str, np.ndarray]:
    """Compute the features of references and traps: (clips, dimensions) by name, in the order of the files."""
    clips = [{function: function(file) for function in FEATURES} for file in files]
    return {
        name: np.array([np.concatenate([clip[function] for function in functions]) for clip in clips], dtype=float)
        for name, functions in (REFERENCES | TRAPS).items()
    }


def reference_scores(fold: pd.DataFrame, values: dict[str, np.ndarray]) -> pd.DataFrame:
    """Score the test clips of one fold by all references and traps.

    Parameters
    ----------
    fold : pd.DataFrame
        Machine clips: ``machine, section, split, recording`` and any other columns.
    values : dict of np.ndarray [shape=(clips, dimensions)]
        Of :func:`extracted`, its rows those of the table.

    Returns
    -------
    pd.DataFrame
        The test clips with ``system, score, threshold, decision``.
    """
    parts, order = [], positions(fold.assign(domain="source", kind="machine"))
    for rows in fold.groupby(["machine", "section"]).indices.values():
        train, test = (rows[(fold["split"].to_numpy() == split)[rows]] for split in ("train", "test"))
        if len(train) < 2:
            raise UserError("a machine's section has one normal training clip: its threshold needs two")
        domain = np.full(len(train), "source")
        block = blocks(domain, order[train])
        for name, x in values.items():
            distance: Distance = deviation if name in TRAPS else mahalanobis
            usual = Calibration(left_out(distance, x[train], block), domain, block, held_out=False)
            limit = threshold(usual, ThresholdParams())
            score = distance(x[train], x[test]) if len(test) else np.empty(0)
            made = fold.iloc[test].assign(system=name, score=score, threshold=limit)
            parts.append(made.assign(decision=(score > limit).astype(int)))
    return pd.concat(parts, ignore_index=True)


def left_out(distance: Distance, train: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Score training clips, each by those of other blocks."""
    scores = np.empty(len(train))
    for number in np.unique(block):
        out = block == number
        scores[out] = distance(train[~out], train[out])
    return scores


def _log_mel(path: str, params: LogMelParams) -> np.ndarray:
    return log_mel(heard(*_read(path), params), params).astype(float)


_read = lru_cache(maxsize=1)(read)  # several features of one clip, decoded once
