"""Log-mel spectrograms: the baseline's, and those that published encoders were trained on."""

import sys
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat, ValidationInfo, field_validator
from scipy.signal import get_window

from asd.features.front_end import FRONT_ENDS, Framed, at_most
from asd.features.mel import CHUNK, mel_blocks, mel_power

Window = Literal["periodic", "symmetric"]
Padding = Literal["zeros", "reflect"]
MelScale = Literal["slaney", "htk", "kaldi"]
Unit = Literal["dB", "nat"]
LEAST, MOST = 1e-37, 1e37  # floor of power that single precision holds


def log_mel(
    y: np.ndarray,
    sr: int = 16000,
    n_fft: int = 1024,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    *,
    window_length: int = 0,
    window: Window = "periodic",
    padding: Padding = "zeros",
    pre_emphasis: float = 0.0,
    mel_scale: MelScale = "slaney",
    floor: float = sys.float_info.epsilon,
    floor_by: Literal["maximum", "sum"] = "maximum",
    unit: Unit = "dB",
    top_db: float = 0.0,
) -> np.ndarray:
    """Compute a log-mel spectrogram.

    By default as ``10 log10(max(librosa.feature.melspectrogram(y, sr, n_fft, hop_length, n_mels, fmin, fmax), eps))``:
    periodic Hann window, frames centred on multiples of the hop with zeros beyond the ends, power, Slaney's mel scale
    and area normalisation: the front end of the DCASE baseline [1]_. Other values give those of Chu and Qian 2025,
    Dasheng and EfficientAT.

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
    window_length : int
        [samples] Of the Hann window amid the frame; 0: ``n_fft``.
    window : str
        ``periodic`` or ``symmetric``.
    padding : str
        ``zeros`` or ``reflect``, beyond the ends.
    pre_emphasis : float
        a of ``y[t + 1] - a y[t]``; 0: none. One sample less is left.
    mel_scale : str
        ``slaney``, ``htk`` or ``kaldi``; see :func:`asd.features.mel.mel_filter_bank`.
    floor : float
        Of power, before the logarithm.
    floor_by : str
        ``maximum`` of power and floor, or their ``sum``.
    unit : str
        ``dB``: 10 log10 of power; ``nat``: its natural logarithm.
    top_db : float
        [dB] Below the clip's largest value nothing is; 0: no limit.

    Returns
    -------
    np.ndarray [shape=(1 + samples // hop_length, n_mels), dtype=float32]
        [dB] or [nat] re full scale 1.

    References
    ----------
    .. [1] Harada et al., "First-shot anomaly sound detection for machine condition monitoring", EUSIPCO 2023.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> S = log_mel(y, sr=16000, n_mels=64)
    >>> S.shape
    (32, 64)
    >>> int(S[16].argmax())  # the band about 1000 Hz
    21
    """
    if pre_emphasis:
        y = y[1:] - np.float32(pre_emphasis) * y[:-1]
    frames = _framed(y.astype(np.float32, copy=False), n_fft, hop_length, "constant" if padding == "zeros" else padding)
    taper = _hann(n_fft, window_length, window == "periodic")
    blocks = mel_blocks(sr, n_fft, n_mels, f_min, sr / 2 if f_max is None else f_max, mel_scale)
    power = mel_power(frames, lambda some: some * taper, n_fft, blocks, max(1, CHUNK // n_fft))
    return _logarithm(power, floor, floor_by, unit, top_db)


def _framed(y: np.ndarray, n_fft: int, hop_length: int, padding: Any = "constant") -> np.ndarray:
    """View a waveform as frames centred on multiples of the hop, (1 + samples // hop_length, n_fft)."""
    padding = padding if len(y) > n_fft // 2 else "constant"  # too short to be reflected
    padded = np.pad(y, n_fft // 2, mode=padding)
    if len(padded) < n_fft:  # a clip of one sample and an odd n_fft
        padded = np.pad(padded, (0, n_fft - len(padded)))
    return np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]


@lru_cache
def _hann(n_fft: int, length: int = 0, periodic: bool = True) -> np.ndarray:
    """Make a Hann window (float32) of some length, by default n_fft, amid n_fft samples."""
    window: np.ndarray = get_window("hann", length or n_fft, fftbins=periodic).astype(np.float32)
    before = (n_fft - len(window)) // 2
    return np.pad(window, (before, n_fft - len(window) - before))


def _logarithm(power: np.ndarray, floor: float, floor_by: str, unit: str, top_db: float) -> np.ndarray:
    """Take the logarithm in place."""
    (np.maximum if floor_by == "maximum" else np.add)(power, np.float32(floor), out=power)
    if unit == "nat":
        return np.log(power, out=power)
    decibel: np.ndarray = np.log10(power, out=power)
    decibel *= 10
    if top_db:
        np.maximum(decibel, decibel.max() - np.float32(top_db), out=decibel)
    return decibel


@FRONT_ENDS.register("log_mel")
class LogMelParams(Framed):
    """Keywords of :func:`log_mel`; by default those of the DCASE baseline."""

    function = log_mel
    spectrogram: ClassVar[bool] = True

    n_mels: int = Field(ge=1)
    window_length: int = Field(0, ge=0, description="[samples] of the Hann window amid the n_fft; 0: n_fft")
    window: Window = "periodic"
    padding: Padding = Field("zeros", description="beyond the clip's ends")
    pre_emphasis: FiniteFloat = Field(0, ge=0, lt=1, description="y[t] = x[t + 1] - pre_emphasis x[t]; 0: none")
    mel_scale: MelScale = Field("slaney", description="slaney: of unit area; others of height 1")
    floor: FiniteFloat = Field(sys.float_info.epsilon, ge=LEAST, le=MOST, description="of power")
    floor_by: Literal["maximum", "sum"] = "maximum"
    unit: Unit = Field("dB", description="10 log10, or the natural logarithm, of power")
    top_db: FiniteFloat = Field(0, ge=0, description="[dB] below a clip's largest value where it is cut; 0: never")

    @field_validator("window_length")
    @classmethod
    def _window_within_frame(cls, value: int, info: ValidationInfo) -> int:
        return int(at_most(value, info.data.get("n_fft"), "n_fft"))

    @property
    def n_features(self) -> int:
        """Width of a row."""
        return self.n_mels


@FRONT_ENDS.register("dasheng_mel")
class DashengMelParams(LogMelParams):
    """Input of Dasheng (Dinkel et al., "Scaling up masked audio encoder learning", Interspeech 2024)."""

    sample_rate: int = Field(16000, ge=100)
    n_fft: int = Field(512, ge=2)
    hop_length: int = Field(160, ge=1)
    f_min: FiniteFloat = Field(0, ge=0)
    f_max: FiniteFloat = Field(8000, gt=0)
    n_mels: int = Field(64, ge=1)
    padding: Padding = "reflect"
    mel_scale: MelScale = "htk"
    floor: FiniteFloat = Field(1e-10, ge=LEAST, le=MOST)
    top_db: FiniteFloat = Field(120, ge=0)


@FRONT_ENDS.register("efficientat_mel")
class EfficientatMelParams(LogMelParams):
    """Input of EfficientAT (Schmid et al., "Efficient large-scale audio tagging", ICASSP 2023)."""

    sample_rate: int = Field(32000, ge=100)
    n_fft: int = Field(1024, ge=2)
    hop_length: int = Field(320, ge=1)
    f_min: FiniteFloat = Field(0, ge=0)
    f_max: FiniteFloat = Field(15000, gt=0)
    n_mels: int = Field(128, ge=1)
    window_length: int = Field(800, ge=0)
    window: Window = "symmetric"
    padding: Padding = "reflect"
    pre_emphasis: FiniteFloat = Field(0.97, ge=0, lt=1)
    mel_scale: MelScale = "kaldi"
    floor: FiniteFloat = Field(1e-5, ge=LEAST, le=MOST)
    floor_by: Literal["maximum", "sum"] = "sum"
    unit: Unit = "nat"
    mean: FiniteFloat = Field(-4.5, description="[nat] subtracted by the reader")
    std: FiniteFloat = Field(2.5, ge=1e-6, description="[nat]; the reader divides by twice this")
