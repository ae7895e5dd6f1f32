"""Kaldi's log-mel filter bank, the input of EAT and BEATs, without torchaudio."""

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator
from scipy.signal.windows import hann

from asd.features.front_end import FRONT_ENDS, FrontEndParams, above, at_most, nyquist
from asd.features.mel import CHUNK, mel_blocks, mel_power

FRAME = 25.0  # [ms]
PRE_EMPHASIS = np.float32(0.97)
LOWEST = 20.0  # [Hz] of the first filter
FLOOR = np.finfo(np.float32).eps  # of power

Window = Literal["hanning", "povey"]


def kaldi_fbank(
    y: np.ndarray,
    sr: int = 16000,
    n_mels: int = 128,
    frame_shift: float = 10.0,
    f_max: float = 0.0,
    *,
    window: Window = "hanning",
    scale: float = 1.0,
    zero_mean: bool = True,
) -> np.ndarray:
    """Compute Kaldi's log-mel filter bank, by default as EAT takes it; no dither.

    Each frame of 25 ms less its mean is pre-emphasised (0.97), windowed, and transformed at the next power of two
    (Kaldi's ``compute-fbank-feats --htk-compat --use-energy=false``). Rows are not normalised: ``mean`` and ``std`` of
    the block in params.yaml are for the reader.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,), dtype=float32]
        Waveform, full scale 1.
    sr : int
        [Hz] Sample rate.
    n_mels : int
        Number of mel bands, from 20 Hz.
    frame_shift : float
        [ms] Between frames.
    f_max : float
        [Hz] Upper edge of the last band; 0: half the sample rate.
    window : str
        ``hanning`` (EAT), or ``povey``: a Hann window to the power of 0.85 (BEATs).
    scale : float
        Of the waveform; BEATs takes it as 16-bit numbers, 32768.
    zero_mean : bool
        Whether the clip's mean is subtracted first (EAT).

    Returns
    -------
    np.ndarray [shape=(n_frames, n_mels), dtype=float32]
        [natural log of power]; whole frames only, so none of a clip shorter than 25 ms.

    References
    ----------
    W. Chen et al., "EAT: Self-supervised pre-training with efficient audio transformer", IJCAI 2024; S. Chen et al.,
    "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023.

    Examples
    --------
    >>> kaldi_fbank(np.zeros(16000, np.float32)).shape
    (98, 128)
    """
    length, shift = (int(sr * ms / 1000) for ms in (FRAME, frame_shift))
    if len(y) < length:
        return np.empty((0, n_mels), np.float32)
    signal = (y - y.mean() if zero_mean else y) * np.float32(scale)
    frames = sliding_window_view(signal.astype(np.float32, copy=False), length)[::shift]
    n_fft = 1 << (length - 1).bit_length()
    blocks = mel_blocks(sr, n_fft, n_mels, LOWEST, f_max or sr / 2, "kaldi", np.float64)
    power = mel_power(
        frames, lambda some: _windowed(some, window).astype(np.float64), n_fft, blocks, max(1, CHUNK // (2 * length))
    )
    single = np.maximum(power, FLOOR, out=power).astype(np.float32)
    return np.log(single, out=single)


def _windowed(frames: np.ndarray, window: str) -> np.ndarray:
    """Take the means away, pre-emphasise and window, in single precision: so loud tones leak as they do in Kaldi."""
    frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    frames[:, 1:] -= PRE_EMPHASIS * frames[:, :-1]
    frames[:, 0] -= PRE_EMPHASIS * frames[:, 0]
    frames *= _window(frames.shape[1], window)
    return frames


@lru_cache
def _window(length: int, name: str) -> np.ndarray:
    window: np.ndarray = hann(length)
    return (window**0.85 if name == "povey" else window).astype(np.float32)


@FRONT_ENDS.register("kaldi_fbank")
class KaldiFbankParams(FrontEndParams):
    """Keywords of :func:`kaldi_fbank`; by default those of EAT."""

    function = kaldi_fbank
    spectrogram: ClassVar[bool] = True

    sample_rate: int = Field(16000, ge=100)
    n_mels: int = Field(128, ge=4)
    frame_shift: FiniteFloat = Field(10, ge=1, le=25, description="[ms], at most the frame of 25 ms")
    f_max: FiniteFloat = Field(0, ge=0, description="[Hz], 0: half the sample_rate")
    window: Window = "hanning"
    scale: FiniteFloat = Field(1, ge=1e-6, le=1e9, description="of the waveform; 32768: as 16-bit numbers")
    zero_mean: bool = Field(True, description="subtract the clip's mean")
    mean: FiniteFloat = Field(-4.268, description="[nat] of the encoder's training data; applied by the reader")
    std: FiniteFloat = Field(4.569, ge=1e-6, description="[nat]; the reader divides by twice this")

    @field_validator("frame_shift")
    @classmethod
    def _shift_moves(cls, value: float, info: ValidationInfo) -> float:
        if (rate := info.data.get("sample_rate")) and int(rate * value / 1000) < 1:
            raise ValueError(f"must be a sample at least ({1000 / rate:g} ms)")
        return value

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        if value:
            above(value, LOWEST, "the lower edge of the first band")
        return at_most(value, nyquist(info), "half the sample_rate")

    @property
    def highest_frequency(self) -> float:
        """Highest frequency [Hz] that a recording must contain."""
        return self.f_max or self.sample_rate / 2

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return self.n_mels

    @property
    def least_samples(self) -> int:
        """Samples of the shortest clip that has a row."""
        return int(self.sample_rate * FRAME / 1000)

    @property
    def frames_per_second(self) -> float | None:
        """Rows of one second of sound."""
        return 1000 / self.frame_shift


@FRONT_ENDS.register("beats_fbank")
class BeatsFbankParams(KaldiFbankParams):
    """Input of BEATs (Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023)."""

    window: Window = "povey"
    scale: FiniteFloat = Field(32768, ge=1e-6, le=1e9)
    zero_mean: bool = False
    mean: FiniteFloat = 15.41663
    std: FiniteFloat = Field(6.55582, ge=1e-6)
