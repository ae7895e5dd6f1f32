"""The characteristic frequencies of a clip as rows of numbers, for those who label clips by them."""

from typing import ClassVar

import numpy as np
from pydantic import Field, FiniteFloat

from asd.features.fault_kinds import KINDS
from asd.features.frequencies import characteristic_frequencies
from asd.features.front_end import FRONT_ENDS, FrontEndParams

COLUMNS = ("frequency", "kind", "n_harmonics", "side_bands", "strength", "confidence")


def frequency_table(y: np.ndarray, sr: int = 16000, candidates: int = 6, false_alarms: float = 0.01) -> np.ndarray:
    """Tabulate the characteristic frequencies of a recording: one row a candidate, faults first.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Sample rate.
    candidates : int
        Rows; zeros where fewer frequencies are found.
    false_alarms : float
        Share of recordings of noise in which any frequency may be claimed.

    Returns
    -------
    np.ndarray [shape=(candidates, 6), dtype=float32]
        The columns :data:`COLUMNS`: frequency [Hz], kind (1: fault, 2: speed, 3: unknown), number of harmonics,
        distance of side bands [Hz], strength [nat], confidence.

    Examples
    --------
    >>> time = np.arange(32000) / 16000
    >>> noise = np.random.default_rng(0).standard_normal(len(time))
    >>> table = frequency_table(noise * (1 + np.cos(2 * np.pi * 25 * time)))
    >>> table.shape, bool(abs(table[0, 0] - 25) < 0.1)
    ((6, 6), True)
    """
    table = np.zeros((candidates, len(COLUMNS)), np.float32)
    found = characteristic_frequencies(y, sr, false_alarms=false_alarms, thorough=False)
    for row, c in zip(table, found, strict=False):
        row[:] = c.frequency, 1 + KINDS.index(c.kind), len(c.harmonics), c.side_bands, c.strength, c.confidence
    return table


@FRONT_ENDS.register("characteristic_frequencies")
class FrequenciesParams(FrontEndParams):
    """Keywords of :func:`frequency_table`."""

    function = frequency_table
    encodable: ClassVar[bool] = False
    seconds_in_python: ClassVar[float] = 0.07

    candidates: int = Field(6, ge=1, description="rows of a clip, faults first; zeros where there are fewer")
    false_alarms: FiniteFloat = Field(0.01, gt=0, lt=1, description="share of noise in which a frequency is claimed")

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return len(COLUMNS)
