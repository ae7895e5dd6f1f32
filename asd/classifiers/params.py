"""The blocks ``systems.<name>.train`` and the section ``train`` of params.yaml."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from asd.core.registry import Registry, chosen
from asd.core.section import Section

if TYPE_CHECKING:  # torch takes a second to import
    import numpy as np
    import pandas as pd
    import torch

    from asd.classifiers.task import Task
    from asd.features.store import FeatureStore

Fraction = Annotated[float, Field(ge=0, le=1)]
Trained = tuple[dict[str, "torch.Tensor"], dict[str, Any]]


class Objective(Section):
    """Base class of what a system is trained for: its options, and how it trains and embeds.

    A new one is a file in ``asd/classifiers/objectives/``, a new loss of the classifiers a file in
    ``asd/classifiers/losses/``.

    Attributes
    ----------
    divides_work : bool
        Whether :meth:`train` itself keeps all processors busy.
    """

    objective: str

    divides_work: ClassVar[bool] = False

    @classmethod
    def read_by(cls) -> "type[TrainParams]":
        """Read a block by its ``objective``: there is a type made for each loss."""
        return TrainParams

    def train(self, task: "Task") -> Trained:
        """Train a network.

        Returns
        -------
        dict of str to Tensor
            Weights, and whatever else :meth:`embed` needs.
        dict
            Metrics; ``losses``, if there are some, are pairs of the fraction of the training that is done and the loss.
        """
        raise NotImplementedError

    @staticmethod
    def embed(
        description: Mapping[str, Any],
        tensors: Mapping[str, "torch.Tensor"],
        clips: "pd.DataFrame",
        stores: "Sequence[FeatureStore]",
        device: "torch.device",
    ) -> "np.ndarray":
        """Embed clips by what :meth:`train` gave.

        Parameters
        ----------
        description : mapping
            Of the model; see :func:`asd.classifiers.task.model_description`.
        tensors : mapping of str to Tensor
        clips : pd.DataFrame
            Rows of the clip table.
        stores : sequence of FeatureStore
            Each clip is in one of them.
        device : torch.device

        Returns
        -------
        np.ndarray [shape=(clips, ...)], float32
            In the order of ``clips``.
        """
        raise NotImplementedError

    def description(self) -> dict[str, Any]:
        """Give what the description of a model needs besides the encoder's to make its network again."""
        return {}


class TrainedObjective(Objective):
    """Base class of objectives that change weights."""

    batch: int = Field(ge=2)
    learning_rate: float = Field(gt=0, le=1)
    hold_out: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="fraction of recordings, the last, that a second network is trained without, to see unseen clips",
    )


class Augmented(Section):
    """Augmentations of a batch: for each the fraction of clips that it changes."""

    mixup: Fraction = 0.0
    statex: Fraction = 0.0
    featex: Fraction = 0.0
    spec_augment: Fraction = 0.0
    noise_mix: Fraction = Field(0.0, description="of all clips but noise: with a noise-only clip")
    snr_low: float = Field(0.0, description="[dB] of the clip to the noise added")
    snr_high: float = Field(15.0, description="[dB]")

    @model_validator(mode="after")
    def _snr_in_order(self) -> "Augmented":
        if self.snr_low > self.snr_high:
            raise ValueError(f"snr_low is {self.snr_low:g}: at most snr_high, {self.snr_high:g}")
        return self


class ClassParams(Section):
    """Classes besides those of every machine, section and label."""

    domain_class: bool = Field(True, description="source and target apart")
    clean_class: Literal["none", "machine", "normal"] = Field(
        "none", description="of clean clips: left out, a class a machine, or that of the machine's source clips"
    )
    noise_class: Literal["none", "shared", "machine"] = Field("none", description="of noise-only clips")
    further_machines: bool = Field(
        True, description="those of dataset.auxiliary and dataset.pretrain, if there are any"
    )


class FineTuneParams(Section):
    """How an encoder is fine-tuned; all but ``full`` and 0 are for transformers alone."""

    fine_tune: Literal["full", "lora"] = "full"
    rank: int = Field(4, ge=1, description="of a LoRA branch")
    branches: int = Field(1, ge=1, description="of LoRA, connected with each other")
    mixing: Literal["fixed", "learnt", "gated", "plain"] = Field(
        "fixed", description="how they are connected; plain: one of branches x rank"
    )
    alpha: float = Field(8.0, gt=0, description="alpha / rank scales what LoRA adds")
    groups: Annotated[int, Field(ge=0)] | Annotated[list[str], Field(min_length=1)] = Field(
        0, description="of machines, an adapter each: so many by clustering, machines joined by + each, or 0: none"
    )
    bottleneck: int = Field(16, ge=1, description="dimensions within an adapter")

    @field_validator("groups")
    @classmethod
    def _in_one_group(cls, groups: int | list[str]) -> int | list[str]:
        named = [] if isinstance(groups, int) else [machine for group in groups for machine in group.split("+")]
        if twice := sorted({machine for machine in named if named.count(machine) > 1 or not machine}):
            raise ValueError(f"{twice[0]!r}: each machine once")
        return groups


OBJECTIVES: Registry[type[Objective]] = Registry("asd.classifiers.objectives")


class TrainParams(chosen("objective", OBJECTIVES)):  # type: ignore[misc]
    """One block ``systems.<name>.train``: its ``objective`` says which keys there are."""


class SeedsParams(Section):
    """The section ``train``: training seeds of every system."""

    seeds: list[int] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> "SeedsParams":
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise ValueError("training seeds are distinct and not negative")
        return self
