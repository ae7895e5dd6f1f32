"""The blocks of ``encoders:`` in params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, RootModel, model_validator

from asd.base.section import Section

ADAPTED = ("tiny", "small", "eat_", "sslam", "beats_", "dasheng_")  # what the names of encoders that can be begin with
TRANSFORMERS = (*ADAPTED, "wavlm_", "hubert_")  # likewise


class AdaptParams(Section):
    """Self-supervised adaptation of an encoder to the training clips; asd/adaptation does it."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="clips of a step, of all processes together")
    clones: int = Field(ge=1, description="masked copies of a clip, sharing one teacher pass")
    crop: int = Field(0, ge=0, description="rows of a crop; 0: as many as the encoder looks at at once")
    colour: float = Field(
        0.0, ge=0, description="deviation of a drawn smooth curve over bands, in units of the features"
    )
    mask: float = Field(gt=0, lt=1, description="share of patches hidden from the student")
    block: int = Field(ge=1, description="side of a visible block in patches")
    learning_rate: float = Field(gt=0, description="highest, after a warm-up over a tenth of the steps")
    decay: float = Field(ge=0, le=1, description="of the teacher, annealed to decay_end")
    decay_end: float = Field(ge=0, le=1)
    frame_weight: float = Field(1.0, ge=0)
    utterance_weight: float = Field(1.0, ge=0)
    position: Literal["keep", "remove"] = Field(
        "keep", description="in targets: what the teacher makes of the mean clip"
    )
    decoder_layers: int = Field(2, ge=1)
    clip: float = Field(4.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(1, ge=1, description="parts in which a process takes its share of the batch")
    recompute: bool = Field(False, description="activations in the backward pass: less memory, a third more time")


class PoolingParams(Section):
    """From tokens to one embedding a clip, or one a band; see :mod:`asd.encoders.pooling`."""

    kind: Literal["mean", "max", "gem", "relative_deviation", "attentive_statistics", "cls"] = "mean"
    power: FiniteFloat = Field(3.0, gt=0, description="of gem; 1: the mean")
    gamma: FiniteFloat = Field(8.0, ge=0, description="of relative_deviation; 0: the mean")
    per_band: bool = Field(False, description="one embedding a band of tokens")


class AdaptationModuleParams(Section):
    """What is trained behind the last layers of an encoder; see :mod:`asd.encoders.adaptation_module`."""

    layers: int = Field(ge=1, description="the last so many")
    dims: int = Field(ge=1, description="of a token behind the first linear layer, and of the embedding")
    pooling: PoolingParams = PoolingParams.model_validate({})

    @model_validator(mode="after")
    def _of_tokens(self) -> "AdaptationModuleParams":
        if self.pooling.kind == "cls":
            raise ValueError("pooling.kind is 'cls': the module pools tokens, choose another kind")
        return self


class EncoderBlock(Section):
    """What every encoder's block has: the front end it hears through, and whether it is adapted."""

    features: str
    adapt: AdaptParams | None = None

    @model_validator(mode="after")
    def _transformers_adapt(self) -> "EncoderBlock":
        architecture: str = self.architecture  # type: ignore[attr-defined]
        if self.adapt and not architecture.startswith(ADAPTED):
            raise ValueError(f"{architecture} is not adapted, only {', '.join(ADAPTED)}: leave adapt out")
        return self


class TokenBlock(EncoderBlock):
    """What the blocks of encoders of tokens have."""

    layers: list[Annotated[int, Field(ge=1)]] = Field([], description="pooled side by side; none: the last")
    pooling: PoolingParams = PoolingParams.model_validate({})
    precision: Literal["float32", "bfloat16", "int8"] = Field("float32", description="in which sets are embedded")


class PooledMel(EncoderBlock):
    """Mean and deviation over time of log-mel: no weights."""

    architecture: Literal["pooled_mel"]


class Texture(EncoderBlock):
    """Mean and variogram of each log-mel band: no weights."""

    architecture: Literal["texture"]
    banks: Literal["both", "mean", "variogram"] = Field("both", description="memory banks")


class MelBands(TokenBlock):
    """Log-mel itself as tokens: no weights."""

    architecture: Literal["mel_bands"]
    tokens: int = Field(8, ge=1, description="on top of each other, a divisor of the front end's bands")


class Dense(EncoderBlock):
    """The organisers' autoencoder."""

    architecture: Literal["dense"]


class SEResNet18(EncoderBlock):
    """ResNet-18 with squeeze and excitation."""

    architecture: Literal["se_resnet18"]
    width: int = Field(64, ge=4)


class DualBranch(EncoderBlock):
    """Networks of the spectrogram and of the spectrum of the whole clip, made of the waveform."""

    architecture: Literal["dual_branch"]
    width: int = Field(16, ge=2)
    branches: Literal["both", "stft", "spectrum"] = "both"
    points: int = Field(8000, ge=256, description="cells of the spectrum up to 8000 Hz")
    magnitudes: Literal["linear", "log"] = Field("linear", description="of both views")
    n_fft: int = Field(1024, ge=128, description="[samples] of the spectrogram")
    hop_length: int = Field(512, ge=1, description="[samples]")


class Tiny(TokenBlock):
    """A small vision transformer of EAT's architecture."""

    architecture: Literal["tiny"]
    dims: int = Field(128, ge=8, multiple_of=8)
    depth: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    frames: int = Field(256, ge=16, multiple_of=16)


class Small(Tiny):
    """A quarter of EAT base: 12 blocks of 384 dimensions, 21.5 M parameters."""

    architecture: Literal["small"]  # type: ignore[assignment]
    dims: int = Field(384, ge=8, multiple_of=8)
    depth: int = Field(12, ge=1)
    heads: int = Field(6, ge=1)
    frames: int = Field(1024, ge=16, multiple_of=16)


class PublishedEncoder(TokenBlock):
    """A published encoder; see :mod:`asd.encoders.published`."""

    architecture: Literal[
        "eat_base",
        "eat_large",
        "sslam",
        "beats_iter3_plus",
        "beats_iter3",
        "dasheng_base",
        "dasheng_06b",
        "dasheng_12b",
        "mn04",
        "mn10",
        "mn20",
        "wavlm_base",
        "hubert_base",
    ]
    weights: str = Field("published", description="published, random, or the path of the published file")


class EncoderParams(RootModel):
    """One block of ``encoders:``, told apart by its architecture."""

    root: Annotated[
        Texture | PooledMel | MelBands | Dense | SEResNet18 | DualBranch | Tiny | Small | PublishedEncoder,
        Field(discriminator="architecture"),
    ]


class EmbedParams(Section):
    """The section ``embed``: the encoder of the labellers."""

    encoder: str
    features: str
