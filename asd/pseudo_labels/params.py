"""The section ``pseudo_label`` of params.yaml: one block a labeller, and how ``auto`` chooses among them."""

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, FiniteFloat, ModelWrapValidatorHandler, create_model, model_validator

from asd.core.registry import Registry
from asd.core.section import Section

if TYPE_CHECKING:
    from asd.pseudo_labels.grouping import Clips, Grouping


class Labeller(Section):
    """Base class of labellers, one file each in ``asd/pseudo_labels/labellers/``: options, and how clips are grouped.

    Its block of params.yaml has its name; without a block it labels nothing.
    """

    def group(self, clips: "Clips", low: int, high: int) -> "Grouping":
        """Group the clips of one machine.

        Parameters
        ----------
        clips : Clips
        low, high : int
            Least and largest number of groups, where the labeller chooses one.
        """
        raise NotImplementedError


LABELLERS: Registry[type[Labeller]] = Registry("asd.pseudo_labels.labellers")
SOURCES = ("frequency", "spectrum", "hierarchical")  # labellers among which ``auto`` chooses


class AutoParams(Section):
    """Evidence that ``auto`` asks for; see :mod:`asd.pseudo_labels.auto`."""

    min_stability: FiniteFloat = Field(0.6, ge=0, le=1, description="[adjusted Rand index] of a factor of a product")
    min_agreement: FiniteFloat = Field(0.2, ge=0, le=1, description="[AMI] of embeddings with another source")


class PseudoLabelParams(Section):
    """How clips without attributes are grouped; besides these keys there is a block for each labeller."""

    min_groups: int = Field(2, ge=2)
    max_groups: int = Field(20, ge=2)
    auto: AutoParams

    @classmethod
    def read_by(cls) -> "type[PseudoLabelParams]":
        """Read a block by this type, which makes the one with all labellers."""
        return PseudoLabelParams

    def labellers(self) -> dict[str, Any]:
        """Give the labellers that have a block, each a :class:`Labeller` with options of its own."""
        blocks = {name: getattr(self, name, None) for name in LABELLERS}
        return {name: block for name, block in blocks.items() if block is not None}

    def features(self) -> dict[str, str]:
        """Give the front ends that labellers read, by labeller."""
        return {name: own.features for name, own in self.labellers().items() if hasattr(own, "features")}

    @model_validator(mode="wrap")
    @classmethod
    def _with_labellers(cls, block: Any, handler: ModelWrapValidatorHandler["PseudoLabelParams"]) -> Any:
        """Check the blocks of the labellers, too, which are imported when asked."""
        return with_labellers().model_validate(block) if cls is PseudoLabelParams else handler(block)

    @model_validator(mode="after")
    def _ordered(self) -> "PseudoLabelParams":
        if self.max_groups < self.min_groups:
            raise ValueError(f"max_groups is {self.max_groups}: at least min_groups, {self.min_groups}")
        return self


@cache
def with_labellers() -> type[PseudoLabelParams]:
    """Make the section's type with a key for each labeller."""
    blocks: Any = {name: (kind, ...) if name in SOURCES else (kind | None, None) for name, kind in LABELLERS.items()}
    return create_model("PseudoLabelParams", __base__=PseudoLabelParams, **blocks)
