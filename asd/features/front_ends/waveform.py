"""The waveform itself, cut into rows, for encoders of waveforms."""

import numpy as np
from pydantic import Field

from asd.features.front_end import FRONT_ENDS, FrontEndParams


def waveform_rows(y: np.ndarray, sr: int = 16000, row: int = 320) -> np.ndarray:
    """Cut a waveform into rows; samples at the end that fill no row are left out.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    sr : int
        [Hz] Changes nothing; every front end takes it.
    row : int
        [samples] Of a row.

    Returns
    -------
    np.ndarray [shape=(samples // row, row)]

    Examples
    --------
    >>> waveform_rows(np.zeros(1000)).shape
    (3, 320)
    """
    return y[: len(y) // row * row].reshape(-1, row)


@FRONT_ENDS.register("waveform")
class WaveformParams(FrontEndParams):
    """Keywords of :func:`waveform_rows`."""

    function = waveform_rows
    samples_in_order = True

    sample_rate: int = Field(16000, ge=100)
    row: int = Field(320, ge=1, description="[samples] of a row; those of one token of WavLM and HuBERT")

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return self.row

    @property
    def least_samples(self) -> int:
        """Samples of the shortest clip that has a row."""
        return self.row

    @property
    def frames_per_second(self) -> float | None:
        """Rows of one second of sound."""
        return self.sample_rate / self.row
