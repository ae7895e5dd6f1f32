"""The blocks of ``encoders:`` in params.yaml; what is one architecture's own stands beside its network.

An encoder is one file of :mod:`asd.encoders.architectures`: a network and, beside it, the class of its block,
registered by the name of its architecture. The fields of the block are the keywords of the network's constructor.
"""

from collections.abc import Mapping
from inspect import signature
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import BeforeValidator, Field, FiniteFloat, RootModel, SerializeAsAny, model_validator

from asd.core.registry import Registry, by_name
from asd.core.section import Section
from asd.encoders.published import PUBLISHED

TRAINED_POOLING = ("attentive_statistics",)  # kinds of pooling that have weights
DESCRIPTION = "encoder.json"  # in a folder of data/encoders: the block of an encoder


class AdaptParams(Section):
    """Self-supervised adaptation of an encoder to the training clips; asd/adaptation does it."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1, description="clips of a step, of all processes together")
    clones: int = Field(ge=1, description="masked copies of a clip, sharing one teacher pass")
    crop: int = Field(0, ge=0, description="rows of a crop; 0: as many as the encoder looks at at once")
    band_gain_db: float = Field(
        0.0, ge=0, description="standard deviation of a random smooth gain over bands, in units of the features"
    )
    mask: float = Field(gt=0, lt=1, description="fraction of patches hidden from the student")
    block: int = Field(ge=1, description="side of a visible block in patches")
    learning_rate: float = Field(gt=0, le=1, description="highest, after a warm-up over a tenth of the steps")
    ema_decay: float = Field(ge=0, le=1, description="of the teacher, annealed to ema_decay_end")
    ema_decay_end: float = Field(ge=0, le=1)
    frame_weight: float = Field(1.0, ge=0)
    utterance_weight: float = Field(1.0, ge=0)
    position: Literal["keep", "remove"] = Field(
        "keep", description="in targets: what the teacher makes of the mean clip"
    )
    decoder_layers: int = Field(2, ge=1)
    clip: float = Field(4.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(1, ge=1, description="parts in which a process takes its rows of the batch")
    recompute: bool = Field(False, description="activations in the backward pass: less memory, a third more time")

    @model_validator(mode="after")
    def _batch_divides(self) -> "AdaptParams":
        if self.batch % self.accumulate:
            raise ValueError(f"batch is {self.batch}: it must divide by accumulate, {self.accumulate}")
        return self


class AdaptBlock(AdaptParams):
    """One block of ``adapt:``, named after an encoder."""

    features: str = Field(description="the front end of that encoder")


class PoolingParams(Section):
    """From tokens to one embedding a clip, or one a band; see :mod:`asd.encoders.pooling`."""

    kind: Literal["mean", "max", "gem", "relative_deviation", "attentive_statistics", "cls"] = "mean"
    power: FiniteFloat = Field(3.0, gt=0, description="of gem; 1: the mean")
    gamma: FiniteFloat = Field(8.0, ge=0, le=100, description="of relative_deviation; 0: the mean")
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


class FrontEndLike(Protocol):
    """The part of a front end's block that an encoder is chosen by."""

    kind: str
    sample_rate: int

    @property
    def n_features(self) -> int:
        """Width of a row."""

    @property
    def n_rows(self) -> int | None:
        """Rows of every clip; None where their number depends on the clip."""


class EncoderBlock(Section):
    """The block of an encoder; every architecture's derives from it.

    Attributes
    ----------
    network : type of nn.Module
        ``network(n_features, **keywords)``.
    has_weights : bool
        Whether there is anything to train.
    adaptable : bool
        Whether it can be adapted by self-supervision, and fine-tuned by LoRA and group adapters.
    transformer : bool
        Whether its layers are all alike, so that an adaptation module can stand behind the last few of them.
    reconstructs : bool
        Whether it gives reconstructions of frames instead of embeddings of clips.
    """

    architecture: str
    features: str

    network: ClassVar[type[Any]]
    has_weights: ClassVar[bool] = True
    adaptable: ClassVar[bool] = False
    transformer: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False

    def keywords(self) -> Mapping[str, Any]:
        """Collect the keywords of the network's constructor."""
        wanted = signature(type(self).network).parameters
        return {name: getattr(self, name) for name in type(self).model_fields if name in wanted}

    def mismatch(self, front_end: FrontEndLike) -> str:
        """Tell which front end the encoder takes instead of the one given; empty where this one fits."""
        return ""


class TokenBlock(EncoderBlock):
    """The block of an encoder of tokens."""

    layers: list[Annotated[int, Field(ge=1)]] = Field([], description="pooled side by side; none: the last")
    pooling: PoolingParams = PoolingParams.model_validate({})
    precision: Literal["float32", "bfloat16", "int8"] = Field("float32", description="in which sets are embedded")

    @property
    def n_layers(self) -> int:
        """Layers that the encoder has."""
        return int(getattr(self, "depth", 0) or type(self).network.depth)

    @model_validator(mode="after")
    def _layers_and_pooling_fit(self) -> "TokenBlock":
        network, kind = type(self).network, self.pooling.kind
        if too_deep := [layer for layer in self.layers if layer > self.n_layers]:
            raise ValueError(f"layers: {self.architecture} has no layer {too_deep[0]}: it has {self.n_layers}")
        if kind == "cls" and not network.has_cls:
            raise ValueError(f"pooling.kind is 'cls': {self.architecture} has no class token, choose another kind")
        apart = self.pooling.per_band or kind in TRAINED_POOLING
        if not network.even and set(self.layers) - {self.n_layers} and apart:
            why = f"{self.architecture}'s layers differ in shape"
            raise ValueError(f"layers: {why}: pool one of them, or all bands, by another kind")
        return self


class PublishedEncoder(TokenBlock):
    """The block of a published encoder; see :mod:`asd.encoders.published`."""

    weights: str = Field("published", description="published, random, or the path of the published file")

    @property
    def n_layers(self) -> int:
        """See :attr:`TokenBlock.n_layers`: as it was published."""
        return int(self.keywords().get("depth", 0) or type(self).network.depth)

    def keywords(self) -> Mapping[str, Any]:
        """Give the published size."""
        return PUBLISHED[self.architecture].options

    def mismatch(self, front_end: FrontEndLike) -> str:
        """See :meth:`EncoderBlock.mismatch`."""
        entry = PUBLISHED[self.architecture]
        fits = (front_end.kind, front_end.n_features) == (entry.front_end, entry.n_features)
        return "" if fits else f"takes a {entry.front_end} of {entry.n_features} features"


ENCODERS: Registry[type[EncoderBlock]] = Registry("asd.encoders.architectures")


def adaptable() -> list[str]:
    """List the architectures that can be adapted by self-supervision."""
    return sorted(name for name, block in ENCODERS.items() if block.adaptable)


AnyEncoder = Annotated[SerializeAsAny[EncoderBlock], BeforeValidator(by_name("architecture", ENCODERS))]


class EncoderParams(RootModel[AnyEncoder]):
    """One block of ``encoders:``, for :func:`asd.core.section.load`: its ``root`` is that of its architecture."""


class EmbedParams(Section):
    """The section ``embed``: the encoder used for pseudo-labels."""

    encoder: str = Field(description="a folder of data/encoders: initial/<name>, adapted/<name>")
    features: str
