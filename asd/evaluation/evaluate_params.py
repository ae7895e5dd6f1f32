"""The section ``evaluate`` of params.yaml."""

from pydantic import Field

from asd.core.section import Section


class EvaluateParams(Section):
    """The section ``evaluate``: intervals, and whether training seeds are averaged."""

    resamples: int = Field(1000, ge=1, description="bootstrap resamples of the test clips")
    confidence: float = Field(0.95, gt=0, lt=1, description="that the interval holds the value of an infinite test set")
    average_seeds: bool = Field(False, description="the mean scores of several training seeds count as one system's")
