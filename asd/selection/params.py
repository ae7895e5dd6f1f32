"""The section ``selection`` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from asd.core.section import Section
from asd.scoring.candidates import CANDIDATES

Kind = Literal["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]
SCORERS = tuple(CANDIDATES["embeddings"])


def _scorers(value: Any) -> str | list[str]:
    known = isinstance(value, list) and all(name in SCORERS for name in value) and len(set(value)) == len(value)
    if known or value in ("own", "all"):
        return value
    raise ValueError(f"own, all, or a list out of {', '.join(SCORERS)} is wanted")


class SelectionParams(Section):
    """Which pseudo anomalies are made and which scorers are tried on them; see :mod:`asd.selection.trials`."""

    labels: str = Field(description="a file of data/labels, whose groups are left out in turn")
    scorers: Annotated[str | list[str], PlainValidator(_scorers)] = "own"
    kinds: Annotated[list[Kind], Field(min_length=1)]
    folds: int = Field(
        5, ge=2, description="trials of a machine at least: parts of its clips that are held out in turn"
    )
