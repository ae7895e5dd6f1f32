"""Descriptions of log-mel spectrograms: the baseline's, and what published encoders were trained on."""

import sys
from typing import Literal

from pydantic import Field, FiniteFloat, ValidationInfo, field_validator

from asd.features.heard import Framed, Heard, at_most, nyquist


class MelParams(Framed):
    """What makes a log-mel spectrogram, see :func:`asd.features.mel.log_mel`."""

    n_mels: int = Field(ge=1)
    window_length: int = Field(0, ge=0, description="[samples] of the Hann window amid the n_fft; 0: n_fft")
    window: Literal["periodic", "symmetric"] = "periodic"
    padding: Literal["zeros", "reflect"] = Field("zeros", description="beyond the clip's ends")
    pre_emphasis: FiniteFloat = Field(0, ge=0, lt=1, description="y[t] = x[t + 1] - pre_emphasis x[t]; 0: none")
    mel_scale: Literal["slaney", "htk", "kaldi"] = Field(
        "slaney", description="slaney: of unit area; others of height 1"
    )
    floor: FiniteFloat = Field(sys.float_info.epsilon, gt=0, description="of power")
    floor_by: Literal["maximum", "sum"] = "maximum"
    unit: Literal["dB", "nat"] = Field("dB", description="10 log10, or the natural logarithm, of power")
    top_db: FiniteFloat = Field(0, ge=0, description="[dB] below a clip's largest value where it is cut; 0: never")

    @field_validator("window_length")
    @classmethod
    def _window_within_frame(cls, value: int, info: ValidationInfo) -> int:
        return int(at_most(value, info.data.get("n_fft"), "n_fft"))

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.n_mels


class LogMelParams(MelParams):
    """Log-mel spectrogram; by default that of the DCASE baseline."""

    kind: Literal["log_mel"]


class DashengMelParams(MelParams):
    """What Dasheng hears (Dinkel et al., "Scaling up masked audio encoder learning", Interspeech 2024)."""

    kind: Literal["dasheng_mel"]
    sample_rate: int = Field(16000, ge=100)
    n_fft: int = Field(512, ge=2)
    hop_length: int = Field(160, ge=1)
    f_min: FiniteFloat = Field(0, ge=0)
    f_max: FiniteFloat = Field(8000, gt=0)
    n_mels: int = Field(64, ge=1)
    padding: Literal["zeros", "reflect"] = "reflect"
    mel_scale: Literal["slaney", "htk", "kaldi"] = "htk"
    floor: FiniteFloat = Field(1e-10, gt=0)
    top_db: FiniteFloat = Field(120, ge=0)


class EfficientatMelParams(MelParams):
    """What EfficientAT hears (Schmid et al., "Efficient large-scale audio tagging", ICASSP 2023)."""

    kind: Literal["efficientat_mel"]
    sample_rate: int = Field(32000, ge=100)
    n_fft: int = Field(1024, ge=2)
    hop_length: int = Field(320, ge=1)
    f_min: FiniteFloat = Field(0, ge=0)
    f_max: FiniteFloat = Field(15000, gt=0)
    n_mels: int = Field(128, ge=1)
    window_length: int = Field(800, ge=0)
    window: Literal["periodic", "symmetric"] = "symmetric"
    padding: Literal["zeros", "reflect"] = "reflect"
    pre_emphasis: FiniteFloat = Field(0.97, ge=0, lt=1)
    mel_scale: Literal["slaney", "htk", "kaldi"] = "kaldi"
    floor: FiniteFloat = Field(1e-5, gt=0)
    floor_by: Literal["maximum", "sum"] = "sum"
    unit: Literal["dB", "nat"] = "nat"
    mean: FiniteFloat = Field(-4.5, description="[nat] subtracted by the reader")
    deviation: FiniteFloat = Field(2.5, gt=0, description="[nat]; the reader divides by twice this")


class FbankParams(Heard):
    """What makes Kaldi's log-mel filter bank, see :func:`asd.features.kaldi.kaldi_fbank`."""

    n_mels: int = Field(ge=4)
    frame_shift: FiniteFloat = Field(ge=1, le=25, description="[ms], at most the frame of 25 ms")
    f_max: FiniteFloat = Field(0, ge=0, description="[Hz], 0: half the sample_rate")
    window: Literal["hanning", "povey"] = "hanning"
    scale: FiniteFloat = Field(1, gt=0, description="of the waveform; 32768: as 16-bit numbers")
    zero_mean: bool = Field(True, description="subtract the clip's mean")
    mean: FiniteFloat = Field(description="[natural log units] of the encoder's training data; applied by the reader")
    deviation: FiniteFloat = Field(gt=0, description="[natural log units]; the reader divides by twice this")

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return at_most(value, nyquist(info), "half the sample_rate")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.f_max or self.sample_rate / 2

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.n_mels

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return 1000 / self.frame_shift


class KaldiFbankParams(FbankParams):
    """Kaldi's log-mel filter bank; by default that of EAT."""

    kind: Literal["kaldi_fbank"]
    sample_rate: int = Field(16000, ge=100)
    n_mels: int = Field(128, ge=4)
    frame_shift: FiniteFloat = Field(10, ge=1, le=25)
    mean: FiniteFloat = -4.268
    deviation: FiniteFloat = Field(4.569, gt=0)


class BeatsFbankParams(FbankParams):
    """What BEATs hears (Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023)."""

    kind: Literal["beats_fbank"]
    sample_rate: int = Field(16000, ge=100)
    n_mels: int = Field(128, ge=4)
    frame_shift: FiniteFloat = Field(10, ge=1, le=25)
    window: Literal["hanning", "povey"] = "povey"
    scale: FiniteFloat = Field(32768, gt=0)
    zero_mean: bool = False
    mean: FiniteFloat = 15.41663
    deviation: FiniteFloat = Field(6.55582, gt=0)
