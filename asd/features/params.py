"""The sections ``features.<name>`` of params.yaml: the description of a front end, which is stored with its arrays."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, FiniteFloat, RootModel, ValidationInfo, field_validator

from asd.features.heard import Framed, Heard, above, at_most, below, nyquist
from asd.features.mel_params import (
    BeatsFbankParams,
    DashengMelParams,
    EfficientatMelParams,
    KaldiFbankParams,
    LogMelParams,
)


class StftParams(Framed):
    """Magnitude of a short-time Fourier transform, see :func:`asd.features.spectrum.stft_magnitude`."""

    kind: Literal["stft_magnitude"]

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.n_fft // 2 + 1


class SpectrumParams(Heard):
    """Magnitude spectrum of a whole clip, see :func:`asd.features.spectrum.magnitude_spectrum`."""

    kind: Literal["magnitude_spectrum"]
    points: int = Field(ge=1, description="cells of equal width from 0 to f_max")
    f_max: FiniteFloat = Field(gt=0, description="[Hz]")

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return at_most(value, nyquist(info), "half the sample_rate")

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.points

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return None


class EnvelopeSpectrumParams(Heard):
    """Spectrum of the envelope of a band, see :func:`asd.features.envelope.envelope_spectrum`."""

    TOP: ClassVar[str] = "band_high"

    kind: Literal["envelope_spectrum"]
    band_low: FiniteFloat = Field(gt=0, description="[Hz]")
    band_high: FiniteFloat = Field(gt=0, description="[Hz]")
    resolution: FiniteFloat = Field(gt=0, description="[Hz] between bands; a whole fraction of sample_rate and f_max")
    f_max: FiniteFloat = Field(gt=0, description="[Hz] of modulation")
    band: Literal["given", "kurtogram", "spectral_kurtosis", "contrast"] = Field(
        "given",
        description="given; or within it the most impulsive one of a clip, or where the machine beats the noise",
    )
    prewhitening: Literal["none", "cepstral", "autoregressive"] = "none"
    order: int = Field(100, ge=1, description="of the autoregressive prediction")
    envelope: Literal["magnitude", "squared"] = "magnitude"

    @field_validator("band_high")
    @classmethod
    def _band_in_range(cls, value: float, info: ValidationInfo) -> float:
        return below(above(value, info.data.get("band_low"), "band_low"), nyquist(info), "half the sample_rate")

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
        return at_most(value, nyquist(info), "half the sample_rate")

    @property
    def bands(self) -> int:
        """Width of a row."""
        return round(self.f_max / self.resolution) + 1

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return None


class WaveformParams(Heard):
    """The waveform itself, cut into rows, for encoders of waveforms; see :func:`asd.features.waveform.rows_of`."""

    kind: Literal["waveform"]
    sample_rate: int = Field(16000, ge=100)
    row: int = Field(320, ge=1, description="[samples] of a row; those of one token of WavLM and HuBERT")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.sample_rate / 2

    @property
    def bands(self) -> int:
        """Width of a row."""
        return self.row

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound."""
        return self.sample_rate / self.row


class FrequenciesParams(Heard):
    """Characteristic frequencies of a clip, see :func:`asd.features.frequencies.frequency_table`."""

    kind: Literal["characteristic_frequencies"]
    candidates: int = Field(6, ge=1, description="rows of a clip, faults first; zeros where there are fewer")
    false_alarms: FiniteFloat = Field(0.01, gt=0, lt=1, description="share of noise in which a frequency is claimed")

    @property
    def highest_frequency(self) -> float:
        """What a recording must contain [Hz]."""
        return self.sample_rate / 2

    @property
    def bands(self) -> int:
        """Width of a row."""
        return 6

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip has rows of another meaning."""
        return None


class StatisticsParams(Heard):
    """One row of statistics a clip, see :func:`asd.features.statistics.statistics`."""

    kind: Literal["statistics"]
    f_min: FiniteFloat = Field(50, gt=0, description="[Hz]")
    f_max: FiniteFloat = Field(8000, gt=0, description="[Hz]")
    cells: int = Field(16, ge=1, description="bands of equal width on a logarithmic scale from f_min to f_max")
    lowest: FiniteFloat = Field(4, gt=0, description="[Hz] of a comb's fundamental")
    modulation_max: FiniteFloat = Field(120, gt=0, description="[Hz] of that of the envelope")
    tone_max: FiniteFloat = Field(400, gt=0, description="[Hz] of that of the sound itself")

    @field_validator("f_max")
    @classmethod
    def _f_max_in_range(cls, value: float, info: ValidationInfo) -> float:
        return at_most(above(value, info.data.get("f_min"), "f_min"), nyquist(info), "half the sample_rate")

    @property
    def bands(self) -> int:
        """Width of a row: the shape of the distribution, band energies, two combs."""
        return 4 + self.cells + 2 * 5

    @property
    def rows_per_second(self) -> float | None:
        """Rows of one second of sound; None where a clip is one row."""
        return None


FrontEndParams = Annotated[
    LogMelParams
    | DashengMelParams
    | EfficientatMelParams
    | KaldiFbankParams
    | BeatsFbankParams
    | StftParams
    | SpectrumParams
    | EnvelopeSpectrumParams
    | FrequenciesParams
    | WaveformParams
    | StatisticsParams,
    Field(discriminator="kind"),
]


class FrontEnd(RootModel[FrontEndParams]):
    """One block of ``features``, for :func:`asd.base.section.load`: its ``root`` is the section of its kind."""


def _whole(value: float) -> bool:
    return abs(value - round(value)) <= 1e-9 * value and round(value) >= 1
