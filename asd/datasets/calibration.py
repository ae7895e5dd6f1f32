"""Which normal recordings are kept out of training and memory, to calibrate thresholds by."""

import hashlib

import numpy as np
import pandas as pd

from asd.clips import training


def held_out(clips: pd.DataFrame, share: float) -> np.ndarray:
    """Choose a share of the normal training recordings of each machine, section and domain.

    Whole recordings, as their clips are alike, in the order of a hash of their names: the same ones whatever else is
    recorded, and more of them, never others, for a larger share. The nearest whole number, but one is always left
    to train on.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table.
    share : float
        0 to less than 1.

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=bool]
    """
    normal = training(clips)
    named = normal["recording"].where(normal["recording"] != "", normal["clip_id"])
    chosen = np.zeros(len(clips), dtype=bool)
    for _, own in named.groupby([normal["machine"], normal["section"], normal["domain"]]):
        recordings = sorted(own.unique(), key=_shuffled)
        count = min(round(share * len(recordings)), len(recordings) - 1)
        chosen |= clips.index.isin(own.index[own.isin(recordings[:count])])
    return chosen


def _shuffled(recording: str) -> str:
    return hashlib.sha256(f"calibration {recording}".encode()).hexdigest()
