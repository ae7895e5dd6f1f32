"""Log-mel at two time scales: long frames that part tones, short ones that follow impacts and modulation."""

from typing import ClassVar

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from asd.features.front_end import FRONT_ENDS, Framed, at_most
from asd.features.front_ends.log_mel import log_mel


def log_mel_two_scales(
    y: np.ndarray,
    sr: int = 16000,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float = 8000.0,
    *,
    n_fft_short: int = 256,
    steps: int = 8,
    n_mels_short: int = 32,
) -> np.ndarray:
    """Compute two log-mel spectrograms side by side: a row has one long frame and several short ones.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Waveform, full scale 1.
    sr : int
        [Hz] Sample rate.
    n_fft, hop_length : int
        [samples] Length of a long frame, and distance between rows.
    n_mels : int
        Mel bands of the long frames.
    f_min, f_max : float
        [Hz] Edges of the mel bands.
    n_fft_short : int
        [samples] Length of a short frame.
    steps : int
        Short frames in a row, evenly over the hop.
    n_mels_short : int
        Mel bands of the short frames.

    Returns
    -------
    np.ndarray [shape=(max(1, samples // hop_length), n_mels + n_mels_short * steps), dtype=float32]
        [dB] re full scale 1: the bands of the long frame, then for each band of the short ones its ``steps`` values.

    Examples
    --------
    >>> log_mel_two_scales(np.random.default_rng(0).standard_normal(16000)).shape
    (31, 384)
    """
    rows, hop_short = max(1, len(y) // hop_length), hop_length // steps
    y = np.pad(y, (0, max(0, hop_length - len(y))))  # a row at least
    coarse = log_mel(y, sr, n_fft, hop_length, n_mels, f_min, f_max)[:rows]
    fine = log_mel(y, sr, n_fft_short, hop_short, n_mels_short, f_min, f_max)[: rows * steps]
    fine = fine.reshape(rows, steps, n_mels_short).transpose(0, 2, 1)  # (rows, bands, steps)
    return np.concatenate([coarse, fine.reshape(rows, -1)], axis=1)


@FRONT_ENDS.register("log_mel_two_scales")
class TwoScalesParams(Framed):
    """Keywords of :func:`log_mel_two_scales`."""

    function = log_mel_two_scales
    spectrogram: ClassVar[bool] = True

    sample_rate: int = Field(16000, ge=100)
    n_fft: int = Field(2048, ge=2)
    hop_length: int = Field(512, ge=1)
    f_min: float = Field(0, ge=0)
    f_max: float = Field(8000, gt=0)
    n_mels: int = Field(128, ge=1)
    n_fft_short: int = Field(256, ge=2, description="[samples] of a short frame")
    steps: int = Field(8, ge=1, description="short frames in a row; hop_length divides by it")
    n_mels_short: int = Field(32, ge=1)

    @field_validator("steps")
    @classmethod
    def _hop_divides(cls, value: int, info: ValidationInfo) -> int:
        hop = info.data.get("hop_length")
        if hop and hop % value:
            raise ValueError(f"must divide hop_length ({hop})")
        return int(at_most(value, hop, "hop_length"))

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return self.n_mels + self.n_mels_short * self.steps
