"""Statistics of sound texture: how each band sounds on average, and how fast it changes."""

from typing import Literal

import numpy as np
from pydantic import Field

from asd.features.front_end import FRONT_ENDS, Framed
from asd.features.front_ends.log_mel import log_mel

LAGS = (1, 2, 4, 8, 16, 32, 64)  # [frames]; 4 to 256 ms with a hop of 4 ms
FLOOR = 1e-6  # of a squared difference, in dB squared
BANKS = ("mean", "variogram")
Banks = Literal["both", "mean", "variogram"]


def texture(
    y: np.ndarray,
    sr: int = 16000,
    n_fft: int = 256,
    hop_length: int = 64,
    n_mels: int = 32,
    f_min: float = 0.0,
    f_max: float | None = None,
    *,
    banks: Banks = "both",
) -> np.ndarray:
    """Describe a clip by the mean of each log-mel band and by the band's variogram.

    The variogram of a band at a lag is the logarithm of the mean squared difference of two frames that far apart [1]_:
    it says how fast the band goes up and down, whenever it does. Means and modulations of bands are among the
    statistics by which people recognise the texture of a sound [2]_. It cannot separate: sounds with the same
    statistics in another order, relations between bands, a single event in a long clip, tones that move within a band.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
        Waveform, full scale 1.
    sr : int
        [Hz] Sample rate.
    n_fft, hop_length : int
        [samples] Length of a frame, and distance between frames.
    n_mels : int
        Number of mel bands.
    f_min, f_max : float
        [Hz] Edges of the mel bands; ``f_max`` None: half the sample rate.
    banks : str
        ``both``, ``mean`` or ``variogram``.

    Returns
    -------
    np.ndarray [shape=(banks, dims), dtype=float32]
        The mean [dB]; the variogram of all bands at the first lag, then at the next. Zeros fill up the shorter row.

    References
    ----------
    .. [1] Matheron, "Principles of geostatistics", Economic Geology 58, 1963.
    .. [2] McDermott and Simoncelli, "Sound texture perception via statistics of the auditory periphery", Neuron 71,
       2011.

    Examples
    --------
    >>> texture(np.random.default_rng(0).standard_normal(16000)).shape
    (2, 224)
    """
    x = log_mel(y, sr, n_fft, hop_length, n_mels, f_min, f_max)
    statistics = {"mean": lambda: x.mean(axis=0), "variogram": lambda: variogram(x)}
    made = [statistics[bank]() for bank in chosen(banks)]
    dims = max(map(len, made))
    return np.stack([np.pad(each, (0, dims - len(each))) for each in made])


def variogram(x: np.ndarray) -> np.ndarray:
    """Compute the logarithm of the mean squared difference between frames, at each of :data:`LAGS`.

    Parameters
    ----------
    x : np.ndarray [shape=(frames, bands)]

    Returns
    -------
    np.ndarray [shape=(lags * bands,)]
        Of a clip with no more frames than a lag: that of its first and last frame; of a single frame log(FLOOR).
    """
    lags = [min(lag, len(x) - 1) for lag in LAGS]
    squares = [np.square(x[lag:] - x[: len(x) - lag]).mean(axis=0) for lag in lags]
    return np.log(np.concatenate(squares) + np.float32(FLOOR))


def chosen(banks: Banks) -> tuple[str, ...]:
    """List the banks of a choice."""
    return BANKS if banks == "both" else (banks,)


@FRONT_ENDS.register("texture")
class TextureParams(Framed):
    """Keywords of :func:`texture`."""

    function = texture

    n_mels: int = Field(ge=1)
    banks: Banks = Field("both", description="rows of a clip, each with a memory bank of its own")

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return self.n_mels * (len(LAGS) if "variogram" in chosen(self.banks) else 1)

    @property
    def n_rows(self) -> int:
        """Rows of every clip: a bank each."""
        return len(chosen(self.banks))

    @property
    def frames_per_second(self) -> float | None:
        """None: rows are banks."""
        return None
