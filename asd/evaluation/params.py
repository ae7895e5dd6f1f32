"""The section ``evaluate`` of params.yaml."""

from pydantic import Field

from asd.base.section import Section


class EvaluateParams(Section):
    """How sure the figures are said to be."""

    resamples: int = Field(1000, ge=1, description="bootstrap resamples of the test clips")
    confidence: float = Field(0.95, gt=0, lt=1, description="that the interval holds the value of an infinite test set")
