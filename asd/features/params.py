"""The sections ``features.<name>`` of params.yaml: the description of a front end, which is stored with its arrays."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, RootModel, ValidationInfo, field_validator

from asd.section import Section


class Heard(Section):
    """What every front end says of the waveform that it hears."""

    sample_rate: int = Field(ge=100, description="[Hz]; files of another rate are resampled")
    channel: Literal["near", "mean"] = Field("near", description="near: the first one; mean: of all")


class LogMelParams(Heard):
    """Log-mel spectrogram, see :func:`asd.features.mel.log_mel`."""

    kind: Literal["log_mel"]
    high_pass: FiniteFloat = Field(0, ge=0, description="[Hz] cut-off of a filter before the frames, 0: none")
    loop_seconds: FiniteFloat = Field(0, ge=0, description="[s] shorter clips are repeated to this length, 0: never")
    n_fft: int = Field(ge=2, description="[samples] of a frame")
    hop_length: int = Field(ge=1, description="[samples] between frames")
    n_mels: int = Field(ge=1)
    f_min: FiniteFloat = Field(ge=0, description="[Hz]")
    f_max: FiniteFloat = Field(gt=0, description="[Hz]")

    @field_validator("high_pass")
    @classmethod
    def _high_pass_passes_something(cls, value: float, info: ValidationInfo) -> float:
        return _below(value, _nyquist(info), "half the sample_rate")

    @field_validator("hop_length")
    @classmethod
    def _hop_within_frame(cls, value: int, info: ValidationInfo) -> int:
        return int(_at_most(value, info.data.get("n_fft"), "n_fft"))

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return _at_most(_above(value, info.data.get("f_min"), "f_min"), _nyquist(info), "half the sample_rate")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.f_max

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.n_mels

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return self.sample_rate / self.hop_length


class KaldiFbankParams(Heard):
    """Kaldi's log-mel filter bank, see :func:`asd.features.kaldi.kaldi_fbank`."""

    kind: Literal["kaldi_fbank"]
    n_mels: int = Field(ge=4)
    frame_shift: FiniteFloat = Field(ge=1, le=25, description="[ms], at most the frame of 25 ms")
    mean: FiniteFloat = Field(description="[natural log units] of the encoder's training data; applied by the reader")
    deviation: FiniteFloat = Field(gt=0, description="[natural log units]; the reader divides by twice this")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.sample_rate / 2

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.n_mels

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return 1000 / self.frame_shift


class EnvelopeSpectrumParams(Heard):
    """Spectrum of the envelope of a band, see :func:`asd.features.envelope.envelope_spectrum`."""

    kind: Literal["envelope_spectrum"]
    band_low: FiniteFloat = Field(gt=0, description="[Hz]")
    band_high: FiniteFloat = Field(gt=0, description="[Hz]")
    resolution: FiniteFloat = Field(gt=0, description="[Hz] between bands; a whole fraction of sample_rate and f_max")
    f_max: FiniteFloat = Field(gt=0, description="[Hz] of modulation")

    @field_validator("band_high")
    @classmethod
    def _band_in_range(cls, value: float, info: ValidationInfo) -> float:
        return _below(_above(value, info.data.get("band_low"), "band_low"), _nyquist(info), "half the sample_rate")

    @field_validator("resolution")
    @classmethod
    def _divides_rate(cls, value: float, info: ValidationInfo) -> float:
        if (rate := info.data.get("sample_rate")) and not _whole(rate / value):
            raise ValueError(f"must divide sample_rate ({rate}) without rest")
        return value

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        if (resolution := info.data.get("resolution")) and not _whole(value / resolution):
            raise ValueError(f"must be a multiple of resolution ({resolution:g})")
        return _at_most(value, _nyquist(info), "half the sample_rate")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.band_high

    @property
    def bands(self) -> int:
        """Width of a row."""
        return round(self.f_max / self.resolution) + 1

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return None


FrontEndParams = Annotated[LogMelParams | KaldiFbankParams | EnvelopeSpectrumParams, Field(discriminator="kind")]


class FrontEnd(RootModel[FrontEndParams]):
    """One block of ``features``, for :func:`asd.section.load`: its ``root`` is the section of its kind."""


def _nyquist(info: ValidationInfo) -> float | None:
    rate = info.data.get("sample_rate")
    return rate / 2 if rate else None


def _at_most(value: float, limit: float | None, name: str) -> float:
    if limit is not None and value > limit:
        raise ValueError(f"must be at most {name} ({limit:g})")
    return value


def _below(value: float, limit: float | None, name: str) -> float:
    if limit is not None and value >= limit:
        raise ValueError(f"must be below {name} ({limit:g})")
    return value


def _above(value: float, limit: float | None, name: str) -> float:
    if limit is not None and value <= limit:
        raise ValueError(f"must be above {name} ({limit:g})")
    return value


def _whole(value: float) -> bool:
    return abs(value - round(value)) <= 1e-9 * value and round(value) >= 1
