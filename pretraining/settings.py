"""The settings of pretraining/params.yaml."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from asd.core.section import Section, checked, read_params


class SoundParams(Section):
    """Synthetic recordings."""

    kinds: list[Literal["machines", "synthesizers", "textures"]] = Field(min_length=1)
    groups: int = Field(ge=1, description="of a block")
    same: int = Field(ge=2, description="recordings of a sound")
    near: int = Field(ge=1, description="recordings of near sounds")
    seconds: float = Field(gt=0.5, description="[s] of a recording")

    @property
    def clips(self) -> int:
        """Recordings of a group."""
        return self.same + self.near


class TrainParams(Section):
    """Objectives and steps."""

    objectives: dict[Literal["changes", "doppelgangers", "parameters", "dry", "eat"], float] = Field(min_length=1)
    steps: int = Field(ge=1)
    batch: int = Field(ge=2, description="[groups]")
    crop: int = Field(ge=16, multiple_of=16, description="[rows of 32 ms] of a recording that a step sees")
    replays: int = Field(ge=1, description="times that each recording is used")
    learning_rate: float = Field(gt=0)
    warm_up: int = Field(ge=1, description="[steps]")
    ema_decay: float = Field(ge=0, lt=1)
    temperature: float = Field(gt=0)
    like: float = Field(ge=0, le=1)
    gain_db: float = Field(ge=0)
    threads: int = Field(ge=1)
    workers: int = Field(ge=1)


class ModelParams(Section):
    """The network."""

    architecture: Literal["machine_tiny", "machine_small", "machine_base"]
    weights: str = Field(description="random, or a file that training goes on from: a further sitting, by another seed")


class PretrainingParams(Section):
    """All of the file."""

    seed: int
    sounds: SoundParams
    model: ModelParams
    train: TrainParams

    @model_validator(mode="after")
    def _batches_divide_blocks(self) -> "PretrainingParams":
        if self.sounds.groups % self.train.batch:
            raise ValueError(
                f"sounds.groups is {self.sounds.groups}: it must divide by train.batch ({self.train.batch})"
            )
        return self

    @property
    def steps_of_block(self) -> int:
        """Steps that are taken with the recordings of one block."""
        return self.sounds.groups // self.train.batch * self.train.replays


def read(path: Path) -> PretrainingParams:
    """Read and check the settings.

    Raises
    ------
    UserError
        Naming the first key that is wrong.
    """
    return checked(PretrainingParams, read_params(path), "", path)
