"""The section ``selection`` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from asd.section import Section

Kind = Literal["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]


class SelectionParams(Section):
    """What pseudo anomalies are made of; see :mod:`asd.selection.pseudo_anomalies`."""

    labels: str = Field(description="whose groups are left out of the memory in turn: a file of data/labels")
    scorers: Literal["own", "all"] = Field("own", description="the system's own, or all of the trade-off too")
    kinds: Annotated[list[Kind], Field(min_length=1)]
    folds: int = Field(
        5, ge=2, description="trials of a machine at least: parts of its clips that are held out in turn"
    )
