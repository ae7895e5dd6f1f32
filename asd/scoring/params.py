"""The blocks ``systems.<name>.score`` and the section ``ensemble`` of params.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, RootModel, model_validator

from asd.base.section import Section

Metric = Literal["cosine", "euclidean"]
Count = Annotated[int, Field(ge=1)]


class ThresholdParams(Section):
    """From normal clips' scores to the threshold; see :mod:`asd.scoring.thresholds`."""

    threshold: Literal["worst_block", "quantile", "gamma", "conformal"] = "worst_block"
    quantile: float = Field(0.9, gt=0, lt=1, description="of normal scores: 1 less the stated false-alarm rate")


class ScorerBlock(ThresholdParams):
    """What every scorer's block has; its own keys are the scorer's options."""

    scorer: str
    per_band: bool = Field(False, description="one memory a frequency band, scores averaged")
    whiten: bool = Field(False, description="by the covariance of normal clips within their domains")

    def options(self) -> dict[str, Any]:
        """Pick what the scorer's constructor takes."""
        return self.model_dump(exclude=set(ScorerBlock.model_fields))


class KNNParams(ScorerBlock):
    """Distance to the nearest normal clips."""

    scorer: Literal["knn"]
    metric: Metric = "cosine"
    neighbours: Count = 1
    domains: Literal["apart", "together"] = "apart"


class SmoteParams(ScorerBlock):
    """Distance to the nearest normal clips, the target's joined by drawn ones."""

    scorer: Literal["smote"]
    ratio: float = Field(0.2, ge=0, le=1)
    between: Count = 2
    metric: Metric = "cosine"
    neighbours: Count = 1
    domains: Literal["apart", "together"] = "apart"


class KMeansParams(ScorerBlock):
    """Distance to centres of the source domain and to all target clips."""

    scorer: Literal["kmeans"]
    centres: Count = 16
    metric: Metric = "cosine"


class MahalanobisParams(ScorerBlock):
    """Mahalanobis distance to the nearer domain."""

    scorer: Literal["mahalanobis"]
    shrinkage: float = Field(0.1, gt=0, le=1)


class RobustMahalanobisParams(ScorerBlock):
    """Mahalanobis distance to the nearer domain, from medians and cut residuals."""

    scorer: Literal["robust_mahalanobis"]


class ShrunkMahalanobisParams(ScorerBlock):
    """Squared Mahalanobis distance to the nearer domain, one covariance shrunk by Ledoit's and Wolf's estimate."""

    scorer: Literal["shrunk_mahalanobis"]


class LocalOutlierFactorParams(ScorerBlock):
    """Local outlier factor."""

    scorer: Literal["local_outlier_factor"]
    metric: Metric = "cosine"
    neighbours: Count = 20


class LocalDensityParams(ScorerBlock):
    """Distance normalised by the spread of normal clips."""

    scorer: Literal["local_density"]
    form: Literal["ratio", "difference", "log"] = "ratio"
    metric: Metric = "cosine"
    neighbours: Count = 4


class DomainDensityParams(ScorerBlock):
    """Distance over the spread of the normal clips of a domain."""

    scorer: Literal["domain_density"]
    metric: Metric = "euclidean"
    source_neighbours: Count = 16
    target_neighbours: Count = 9


class VarMinParams(ScorerBlock):
    """Distance less a share of the spread of normal clips."""

    scorer: Literal["var_min"]
    metric: Metric = "cosine"
    neighbours: Count = 4


class GMMParams(ScorerBlock):
    """Likelihood under a mixture of Gaussians."""

    scorer: Literal["gmm"]
    components: Count = 4


class ValueParams(ScorerBlock):
    """A value that the system itself gives."""

    scorer: Literal["value"]
    whiten: Literal[False] = False
    value: Literal["mse", "mahalanobis"] = "mse"


Block = (
    KNNParams
    | SmoteParams
    | KMeansParams
    | MahalanobisParams
    | RobustMahalanobisParams
    | ShrunkMahalanobisParams
    | LocalOutlierFactorParams
    | LocalDensityParams
    | DomainDensityParams
    | VarMinParams
    | GMMParams
    | ValueParams
)


class ScoreParams(RootModel):
    """One block ``systems.<name>.score``, told apart by its scorer."""

    root: Annotated[Block, Field(discriminator="scorer")]


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
    fusion: Literal["mean", "log", "rank"] = "log"
    weights: Annotated[str | dict[str, float], PlainValidator(_weights)] = "auto"

    @model_validator(mode="after")
    def _whose(self) -> Self:
        if isinstance(self.weights, dict) and set(self.weights) != set(self.members):
            raise ValueError("weights by name are those of the members in a list, each above 0")
        return self
