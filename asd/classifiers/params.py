"""The blocks ``systems.<name>.train`` and the section ``train`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, RootModel, model_validator

from asd.section import Section


class Untrained(Section):
    """No training: the encoder's first weights are used as they are."""

    objective: Literal["none"]


class Reconstruction(Section):
    """The organisers' autoencoder, one for each machine."""

    objective: Literal["reconstruction"]
    epochs: int = Field(ge=1)
    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0)


class Classification(Section):
    """A classifier of machine x section x domain x label; its embeddings are what is used."""

    objective: Literal["adacos", "arcface"]
    epochs: int = Field(ge=1)
    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    mixup: float = Field(0.0, ge=0, le=1)
    crop: int = Field(0, ge=0)
    confidence: Literal["ignore", "weight", "soften"] = Field("ignore", description="what is made of unsure labels")


class TrainParams(RootModel):
    """One block ``systems.<name>.train``, told apart by its objective."""

    root: Annotated[Untrained | Reconstruction | Classification, Field(discriminator="objective")]


class SeedsParams(Section):
    """The section ``train``: training seeds of every system."""

    seeds: list[int] = Field(min_length=1)
    average: Literal["none", "scores"] = "none"

    @model_validator(mode="after")
    def _distinct(self) -> "SeedsParams":
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("training seeds are distinct and not negative")
        return self
