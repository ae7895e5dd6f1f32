"""What every front end's description says of the waveform that it hears, and of its frames."""

import math
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat, ValidationInfo, field_validator

from asd.base.section import Section


class Heard(Section):
    """What every front end says of the waveform that it hears; see :func:`asd.features.waveform.heard`."""

    TOP: ClassVar[str] = "f_max"
    """The field that is lowered for recordings of a lower rate."""

    sample_rate: int = Field(ge=100, description="[Hz]; files of another rate are resampled")
    channel: Literal["near", "far", "mean", "cancel"] = Field("near", description="cancel: the far out of the near")
    cancel_by: Literal["clip", "noise"] = Field(
        "clip", description="what the canceller is fitted to: every clip by itself, or the machine's noise-only clips"
    )
    canceller: list[float] = Field([], description="fitted weights of noise, not for params.yaml")
    low_rate: Literal["refuse", "lower", "resample"] = Field(
        "refuse",
        description="files below twice the highest frequency: refuse them, lower it for their machine, or leave "
        "empty what they lack, as an encoder that was trained at a higher rate wants it",
    )
    loop_seconds: FiniteFloat = Field(0, ge=0, description="[s] shorter clips are repeated to this length, 0: never")
    trim_or_pad_seconds: FiniteFloat = Field(0, ge=0, description="[s] every clip gets this length, 0: its own")
    high_pass: float | Literal["auto"] = Field(0.0, description="[Hz] cut-off before the frames, 0: none; or auto")
    phase: Literal["causal", "zero"] = Field("causal", description="of the high-pass; zero: there and back")
    level: Literal["keep", "normalise"] = Field("keep", description="normalise: the same for every clip")
    clips: Literal["all", "train"] = Field("all", description="train: normal training clips, which alone are labelled")
    precision: Literal["float32", "float16"] = Field("float32", description="of the stored rows; half: 5e-4 of a value")

    @field_validator("high_pass", mode="before")
    @classmethod
    def _high_pass_passes_something(cls, value: Any, info: ValidationInfo) -> Any:
        if value == "auto":
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise ValueError("must be a frequency [Hz], 0 for none, or auto")
        return float(below(value, nyquist(info), "half the sample_rate"))

    @field_validator("trim_or_pad_seconds")
    @classmethod
    def _one_way_to_a_length(cls, value: float, info: ValidationInfo) -> float:
        if value and info.data.get("loop_seconds"):
            raise ValueError("must be 0 beside loop_seconds: clips are looped, or trimmed and padded")
        return value

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return float(getattr(self, self.TOP))

    def lowered(self, sample_rate: int) -> Self:
        """Lower the highest frequency to what recordings of a rate [Hz] contain, if the description allows it."""
        if self.low_rate != "lower" or sample_rate >= 2 * self.highest_frequency:
            return self
        return self.model_copy(update={self.TOP: sample_rate / 2 * (0.99 if self.TOP == "band_high" else 1)})


class Framed(Heard):
    """What front ends with a time axis say of their frames."""

    n_fft: int = Field(ge=2, description="[samples] of a Fourier transform")
    hop_length: int = Field(ge=1, description="[samples] between frames")
    f_min: FiniteFloat = Field(ge=0, description="[Hz]")
    f_max: FiniteFloat = Field(gt=0, description="[Hz]")

    @field_validator("hop_length")
    @classmethod
    def _hop_within_frame(cls, value: int, info: ValidationInfo) -> int:
        return int(at_most(value, info.data.get("n_fft"), "n_fft"))

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return at_most(above(value, info.data.get("f_min"), "f_min"), nyquist(info), "half the sample_rate")

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return self.sample_rate / self.hop_length


def nyquist(info: ValidationInfo) -> float | None:
    """Half the sample rate [Hz], if that is valid."""
    rate = info.data.get("sample_rate")
    return rate / 2 if rate else None


def at_most(value: float, limit: float | None, name: str) -> float:
    """Refuse a value above a limit of that name."""
    if limit is not None and value > limit:
        raise ValueError(f"must be at most {name} ({limit:g})")
    return value


def below(value: float, limit: float | None, name: str) -> float:
    """Refuse a value that is not below a limit of that name."""
    if limit is not None and value >= limit:
        raise ValueError(f"must be below {name} ({limit:g})")
    return value


def above(value: float, limit: float | None, name: str) -> float:
    """Refuse a value that is not above a limit of that name."""
    if limit is not None and value <= limit:
        raise ValueError(f"must be above {name} ({limit:g})")
    return value
