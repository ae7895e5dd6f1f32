"""Which normal recordings are kept out of training and memory, to calibrate thresholds by."""

import numpy as np
import pandas as pd

from asd.clips import training


def held_out(clips: pd.DataFrame, share: float) -> np.ndarray:
    """Choose the last recordings of each machine, section and domain, a share of them.

    The last, since what is to be judged comes later still: recordings between those trained on promise too much. Whole
    recordings, by ``position``; the nearest whole number, but one is always left to train on.

    Parameters
    ----------
    clips : pd.DataFrame
        The clip table with ``position``, see :func:`asd.positions.with_positions`.
    share : float
        0 to less than 1.

    Returns
    -------
    np.ndarray [shape=(clips,), dtype=bool]
    """
    normal = training(clips)
    chosen = pd.Series(False, clips.index)
    for _, position in normal.groupby(["machine", "section", "domain"])["position"]:
        recordings = np.unique(position)
        kept = max(1, len(recordings) - round(share * len(recordings)))
        chosen[position.index] = ~position.isin(recordings[:kept])
    return chosen.to_numpy()
