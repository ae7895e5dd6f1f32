"""The section ``pseudo_label`` of params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from asd.section import Section


class Hierarchical(Section):
    """Agglomerative clustering of embeddings."""

    linkage: Literal["ward", "average", "complete"] = "ward"


class Frequency(Section):
    """Groups of the strongest significant line of the envelope spectrum."""

    features: str
    f_min: float = Field(ge=0)
    prominence: float = Field(gt=0)


class PseudoLabelParams(Section):
    """How clips without attributes are grouped."""

    min_groups: int = Field(2, ge=2)
    max_groups: int = Field(20, ge=2)
    hierarchical: Hierarchical
    frequency: Frequency

    @model_validator(mode="after")
    def _ordered(self) -> "PseudoLabelParams":
        if self.max_groups < self.min_groups:
            raise ValueError(f"max_groups is {self.max_groups}: at least min_groups, {self.min_groups}")
        return self
