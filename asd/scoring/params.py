"""The blocks ``score`` of systems and the section ``ensemble`` of params.yaml."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from asd.core.section import Section

Metric = Literal["cosine", "euclidean"]
Count = Annotated[int, Field(ge=1)]


class ThresholdParams(Section):
    """The section ``decision``: from normal clips' scores to the threshold; see :mod:`asd.scoring.thresholds`."""

    threshold: Literal["worst_block", "quantile", "gamma", "conformal"] = "worst_block"
    quantile: float = Field(0.9, gt=0, lt=1, description="of normal scores: 1 less the stated false-alarm rate")


class ScorerBlock(ThresholdParams):
    """Keys of every scorer's block; further ones are the options of the estimator, see :mod:`asd.scoring.registry`."""

    estimator: ClassVar[type]

    scorer: str
    per_band: bool = Field(False, description="one scorer a frequency band, scores averaged")
    whiten: bool = Field(False, description="by the covariance of normal clips within their domains")
    domain_quantiles: Literal["none", "soft", "hard"] = Field(
        "none", description="scores as quantiles of their domain's"
    )
    pooling: float = Field(0.0, ge=0, allow_inf_nan=False, description="clips of all domains a domain's count beside")

    @property
    def input(self) -> str:
        """What is scored: ``embeddings``, or ``values`` that the system itself gives."""
        return str(self.estimator.input)  # type: ignore[attr-defined]

    def options(self) -> dict[str, Any]:
        """Pick the arguments of the estimator's constructor."""
        return self.model_dump(exclude=set(ScorerBlock.model_fields))

    @model_validator(mode="after")
    def _only_embeddings_have_directions(self) -> Self:
        if self.whiten and self.input == "values":
            raise ValueError(f"whiten is for embeddings, {self.scorer} scores values: set it to false")
        if self.domain_quantiles != "none" and self.input == "values":
            raise ValueError(f"domain_quantiles is for embeddings, {self.scorer} scores values: set it to none")
        if self.pooling and self.domain_quantiles == "none":
            raise ValueError("pooling is that of domain_quantiles: set them to soft or hard, or pooling to 0")
        return self


def _members(value: Any) -> str | list[str]:
    named = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if not (value in ("auto", "all") if isinstance(value, str) else named and len(set(value)) == len(value)):
        raise ValueError("auto, all, or a list of distinct systems is wanted")
    return value


def _weights(value: Any) -> str | dict[str, float]:
    if isinstance(value, dict) and value:
        numbers = [type(weight) in (int, float) and 0 < weight < float("inf") for weight in value.values()]
        if all(numbers):
            return {str(name): float(weight) for name, weight in value.items()}
    elif value in ("auto", "forward", "equal"):
        return str(value)
    raise ValueError("auto, forward, equal, or a number above 0 by system is wanted")


class EnsembleParams(ThresholdParams):
    """The section ``ensemble``: which systems are fused, and how; see :mod:`asd.selection.choice`."""

    members: Annotated[str | list[str], PlainValidator(_members)] = "auto"
    scorers: Literal["auto", "own"] = "auto"
    fusion: Literal["mean", "log", "rank"] = "mean"
    weights: Annotated[str | dict[str, float], PlainValidator(_weights)] = "auto"

    @model_validator(mode="after")
    def _weights_are_of_the_members(self) -> Self:
        named = self.members if isinstance(self.members, list) else []
        if isinstance(self.weights, dict) and set(self.weights) != set(named):
            raise ValueError("weights by name are those of the members in a list, each above 0")
        return self
