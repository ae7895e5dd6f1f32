"""The blocks of ``encoders:`` in params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from asd.section import Section


class AdaptParams(Section):
    """Self-supervised adaptation of an encoder to the training clips; asd/adaptation does it."""

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    clones: int = Field(ge=1)
    mask: float = Field(gt=0, lt=1)
    block: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    decay: float = Field(ge=0, le=1)
    decay_end: float = Field(ge=0, le=1)


class EncoderBlock(Section):
    """What every encoder's block has: the front end it hears through."""

    features: str


class PooledMel(EncoderBlock):
    """Mean and deviation over time of log-mel: no weights."""

    architecture: Literal["pooled_mel"]


class Dense(EncoderBlock):
    """The organisers' autoencoder."""

    architecture: Literal["dense"]


class SEResNet18(EncoderBlock):
    """ResNet-18 with squeeze and excitation."""

    architecture: Literal["se_resnet18"]
    width: int = Field(64, ge=4)


class Tiny(EncoderBlock):
    """A small vision transformer of EAT's architecture."""

    architecture: Literal["tiny"]
    dims: int = Field(128, ge=8, multiple_of=8)
    depth: int = Field(4, ge=1)
    heads: int = Field(4, ge=1)
    frames: int = Field(256, ge=16, multiple_of=16)
    adapt: AdaptParams | None = None


class EncoderParams(RootModel):
    """One block of ``encoders:``, told apart by its architecture."""

    root: Annotated[PooledMel | Dense | SEResNet18 | Tiny, Field(discriminator="architecture")]


class EmbedParams(Section):
    """The section ``embed``: the encoder of the labellers."""

    encoder: str
    features: str
