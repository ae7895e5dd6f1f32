"""The blocks ``systems.<name>.score`` and the section ``ensemble`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, RootModel

from asd.section import Section


class Scorer(Section):
    """What every scorer has: the quantile of training scores that is the threshold."""

    quantile: float = Field(0.9, gt=0, lt=1)


class KNNParams(Scorer):
    """Distance to the nearest normal clips."""

    scorer: Literal["knn"]
    metric: Literal["cosine", "euclidean"] = "cosine"
    neighbours: int = Field(1, ge=1)


class ValueParams(Scorer):
    """A value that the system itself gives."""

    scorer: Literal["value"]
    value: Literal["mse", "mahalanobis"] = "mse"


class ScoreParams(RootModel):
    """One block ``systems.<name>.score``, told apart by its scorer."""

    root: Annotated[KNNParams | ValueParams, Field(discriminator="scorer")]


class EnsembleParams(Section):
    """The section ``ensemble``: which systems are fused, and how."""

    members: list[str] = Field(min_length=1)
    fusion: Literal["mean"] = "mean"
    quantile: float = Field(0.9, gt=0, lt=1)
