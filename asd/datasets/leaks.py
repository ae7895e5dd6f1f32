"""Training clips that are also in the test set: under another name, level or length, or from another year.

Two clips are the same where their level-normalised samples are, or where landmarks that survive re-scaling and
trimming propose it and the aligned waveforms confirm it. Lossy coding or resampling is not seen through.

A landmark is where the short-time energy is larger than anywhere within :data:`REACH`. Three successive distances
between landmarks, in samples, make a key, as pairs of spectral peaks do in A. Wang, "An industrial-strength audio
search algorithm", ISMIR 2003.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

REACH = 512  # [samples] on either side of a landmark
SUMS = (1, 2, 4, 8)  # [samples] shifts that add up 16 samples of energy
GAPS = 3  # distances of a key
COMMON = 20  # test clips from which on a key is of no use: a machine's beat
VOTES = 2  # keys at one shift that propose a pair; the waveforms decide
PROPOSALS = 5  # test clips looked at for one training clip
ALIKE = 0.999  # correlation of the aligned waveforms: 27 dB of re-quantisation noise


def level_hash(waveform: np.ndarray) -> str:
    """Hash one channel ``(frames,)`` whatever its level: its samples in 8 bit of its peak."""
    peak = np.abs(waveform).max(initial=0.0)
    scaled = np.rint(waveform * (127 / peak)) if peak else waveform
    return hashlib.sha256(scaled.astype("i1").tobytes()).hexdigest()[:16]


def landmarks(waveform: np.ndarray) -> np.ndarray:
    """Find the landmarks of one channel ``(frames,)``: their positions [samples], rising."""
    energy = np.square(waveform, dtype=np.float32)
    for shift in SUMS:  # the same sum, rounded the same, wherever a clip begins
        energy = energy[:-shift] + energy[shift:]
    whole = len(energy) // REACH * REACH
    if whole == 0:
        return np.zeros(0, dtype=np.int64)
    blocks = energy[:whole].reshape(-1, REACH)
    positions = blocks.argmax(axis=1) + np.arange(0, whole, REACH)
    highest = energy[positions]
    inner = np.flatnonzero((highest[1:-1] >= highest[:-2]) & (highest[1:-1] >= highest[2:])) + 1
    return np.array([p for p in positions[inner] if _highest(energy, p)], dtype=np.int64)


def _highest(energy: np.ndarray, position: int) -> bool:
    start = position - REACH
    around = energy[start : position + REACH + 1]
    return start >= 0 and len(around) == 2 * REACH + 1 and bool(around.argmax() == REACH)


def keys(positions: np.ndarray) -> np.ndarray:
    """Make a key of every landmark's distances to the next three, ``(landmarks - 3,)``."""
    gaps = np.minimum(np.diff(positions), 2**20 - 1)
    if len(gaps) < GAPS:
        return np.zeros(0, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(gaps, GAPS)
    return windows @ (2 ** (20 * np.arange(GAPS)))


def leaked(table: pd.DataFrame, read: Callable[[str], np.ndarray]) -> np.ndarray:
    """Find the training clips that are in the test set.

    Parameters
    ----------
    table : pd.DataFrame
        ``path, split, level`` (:func:`level_hash`), ``landmarks`` (:func:`landmarks`).
    read : callable
        Gives one channel ``(frames,)`` of a path.

    Returns
    -------
    np.ndarray [shape=(rows,), dtype=bool]
        True for training and supplemental clips that occur in a test clip, or hold one.
    """
    test = (table["split"] == "test").to_numpy()
    leaks = ~test & table["level"].isin(set(table["level"][test])).to_numpy()
    paths, positions = table["path"].to_list(), table["landmarks"].to_list()
    for train, candidates in _proposed(positions, test, ~test & ~leaks).items():
        waveform = read(paths[train])
        leaks[train] = any(alike(waveform, read(paths[other]), shift) for other, shift in candidates)
    return leaks


def _proposed(positions: Sequence[np.ndarray], test: np.ndarray, train: np.ndarray) -> dict[int, list[tuple[int, int]]]:
    """Propose for each training clip the test clips and shifts on which enough keys agree, most votes first."""
    known, looked_up = _keyed(positions, np.flatnonzero(test)), _keyed(positions, np.flatnonzero(train))
    known = known[known.groupby("key")["clip"].transform("nunique") < COMMON]
    both = looked_up.merge(known, on="key", suffixes=("", "_test"))
    both["shift"] = both["position_test"] - both["position"]
    votes = both.groupby(["clip", "clip_test", "shift"]).size()
    votes = votes[votes >= VOTES].sort_values(ascending=False, kind="stable")
    proposed: dict[int, list[tuple[int, int]]] = {}
    for clip, other, shift in votes.index:
        proposed.setdefault(int(clip), []).append((int(other), int(shift)))
    return {clip: some[:PROPOSALS] for clip, some in proposed.items()}


def _keyed(positions: Sequence[np.ndarray], clips: np.ndarray) -> pd.DataFrame:
    keyed = [(keys(positions[clip]), positions[clip]) for clip in clips]
    none = np.zeros(0, dtype=np.int64)
    return pd.DataFrame(
        {
            "key": np.concatenate([rows for rows, _ in keyed] or [none]),
            "clip": np.repeat(clips, [len(rows) for rows, _ in keyed]),
            "position": np.concatenate([samples[: len(rows)] for rows, samples in keyed] or [none]),
        }
    )


def alike(one: np.ndarray, other: np.ndarray, shift: int) -> bool:
    """Say whether two waveforms are the same but for their level where they overlap, ``other`` later by ``shift``.

    Parameters
    ----------
    one, other : np.ndarray [shape=(frames,)]
    shift : int
        [samples]

    Returns
    -------
    bool
        Whether they correlate by :data:`ALIKE`.
    """
    one, other = one[max(0, -shift) :], other[max(0, shift) :]
    length = min(len(one), len(other))
    one, other = one[:length].astype(np.float64), other[:length].astype(np.float64)
    return bool(abs(one @ other) >= ALIKE * np.linalg.norm(one) * np.linalg.norm(other) > 0)
