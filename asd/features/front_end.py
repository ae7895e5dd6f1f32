"""Front ends: functions from a waveform to rows of features, and the blocks of params.yaml that configure them.

A front end is one file of :mod:`asd.features.front_ends`: a function ``f(y, sr, ...)`` and, beside it, the class of its
block in params.yaml, registered by its ``kind``. The fields of the block are the function's keywords.
"""

import math
from collections.abc import Callable
from inspect import signature
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    RootModel,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from asd.core.registry import Registry, by_name
from asd.core.section import Section


class InputParams(Section):
    """The waveform that a front end takes as input; see :func:`asd.features.prepare.prepare_waveform`."""

    sample_rate: int = Field(ge=100, description="[Hz]; files of another rate are resampled")
    channel: Literal["near", "far", "mean", "cancel"] = Field("near", description="cancel: the far out of the near")
    cancel_by: Literal["clip", "noise"] = Field(
        "clip", description="the canceller is fitted to every clip by itself, or the machine's noise-only clips"
    )
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


class FrontEndParams(InputParams):
    """A block ``features.<name>`` of params.yaml, which is stored with its arrays; every kind derives from it.

    Attributes
    ----------
    function : callable
        ``function(y, sr, **keywords)`` -> rows ``(n_frames, n_features)``, float32.
    spectrogram : bool
        Whether its rows are frames of a spectrogram, which can be masked or exchanged band by band.
    samples_in_order : bool
        Whether its rows are the waveform, cut into pieces.
    encodable : bool
        Whether an encoder can take its rows as input.
    seconds_in_python : float
        [s] Of Python's lock for a clip of ten; where it is much, clips are computed by processes instead of threads.
    """

    kind: str
    function: ClassVar[Callable[..., np.ndarray]]
    spectrogram: ClassVar[bool] = False
    samples_in_order: ClassVar[bool] = False
    encodable: ClassVar[bool] = True
    seconds_in_python: ClassVar[float] = 0.0
    highest: ClassVar[str] = "f_max"
    """The field that holds the highest frequency, and is lowered for recordings of a lower rate."""

    @model_validator(mode="after")
    def _length_holds_a_row(self) -> Self:
        length = round(self.trim_or_pad_seconds * self.sample_rate)
        if 0 < length < self.least_samples:
            least = f"{self.least_samples / self.sample_rate:.4g} s"
            raise ValueError(f"trim_or_pad_seconds is {self.trim_or_pad_seconds:g}: a row takes {least}")
        return self

    def compute(self, y: np.ndarray) -> np.ndarray:
        """Compute the front end of a waveform ``(samples,)`` at ``sample_rate``: ``(n_frames, n_features)`` float32."""
        keywords = [name for name in signature(type(self).function).parameters if name in type(self).model_fields]
        return type(self).function(y, self.sample_rate, **{name: getattr(self, name) for name in keywords})

    @property
    def n_features(self) -> int:
        """Width of a row."""
        raise NotImplementedError

    @property
    def least_samples(self) -> int:
        """Samples of the shortest clip that has a row."""
        return 1

    @property
    def frames_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip has one row, or rows of another meaning."""
        return None

    @property
    def n_rows(self) -> int | None:
        """Rows of every clip; None where their number depends on the clip."""
        return None

    @property
    def highest_frequency(self) -> float:
        """Highest frequency [Hz] that a recording must contain."""
        return float(getattr(self, self.highest, self.sample_rate / 2))

    def lowered(self, sample_rate: int) -> Self:
        """Lower the highest frequency to what recordings of a rate [Hz] contain, if the block allows it."""
        if self.low_rate != "lower" or sample_rate >= 2 * self.highest_frequency:
            return self
        return self.model_copy(update={self.highest: sample_rate / 2})

    @property
    def fits_to_spectra(self) -> bool:
        """Whether something is left open that is fitted to the spectra of a machine's clips."""
        return self.high_pass == "auto"

    def fitted_to_spectra(self, machine: np.ndarray, noise: np.ndarray) -> Self:
        """Fit other open keys to power spectra ``(clips, cells)`` of machine and noise-only clips."""
        return self


FRONT_ENDS: Registry[type[FrontEndParams]] = Registry("asd.features.front_ends")
AnyFrontEnd = Annotated[SerializeAsAny[FrontEndParams], BeforeValidator(by_name("kind", FRONT_ENDS))]


class FrontEnd(RootModel[AnyFrontEnd]):
    """One block of ``features``, for :func:`asd.core.section.load`: its ``root`` is the block of its kind."""


class Framed(FrontEndParams):
    """Front ends with a time axis made of frames of a Fourier transform."""

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
        low = info.data.get("f_min", 0)
        wide = above(above(value, low, "f_min"), low + 1, "f_min + 1")  # [Hz] bands of no width have no power
        return at_most(wide, nyquist(info), "half the sample_rate")

    @property
    def frames_per_second(self) -> float | None:
        """Rows of one second of sound."""
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
