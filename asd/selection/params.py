"""The section ``selection`` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator

from asd.core.section import Section
from asd.scoring.candidates import CANDIDATES, FURTHER

Kind = Literal["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]
SCORERS = (*CANDIDATES["embeddings"], *FURTHER)


def _scorers(value: Any) -> str | list[str]:
    known = isinstance(value, list) and all(name in SCORERS for name in value) and len(set(value)) == len(value)
    if known or value in ("own", "all"):
        return value
    raise ValueError(f"own, all, or a list out of {', '.join(SCORERS)} is wanted")


def _distinct(kinds: list[Any]) -> list[Any]:
    if twice := [kind for kind in kinds if kinds.count(kind) > 1]:
        raise ValueError(f"{twice[0]!r}: each kind once")
    return kinds


class SelectionParams(Section):
    """Which pseudo anomalies are made and which scorers are tried on them; see :mod:`asd.selection.trials`."""

    criterion: Literal["pseudo_auc", "domain_balance"] = Field(
        "pseudo_auc", description="by which scorers, members and weights are chosen: asd.selection.criteria"
    )
    labels: str = Field(description="a file of data/labels, whose groups are left out in turn")
    scorers: Annotated[str | list[str], PlainValidator(_scorers)] = "own"
    kinds: Annotated[list[Kind], Field(min_length=1), AfterValidator(_distinct)]
    folds: int = Field(
        5, ge=2, description="trials of a machine at least: parts of its clips that are held out in turn"
    )
