"""The section ``selection`` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from asd.base.section import Section

Kind = Literal["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]
SCORERS = (  # those of asd.scoring.trade_off
    "knn_cosine", "knn_euclidean", "knn_4_apart", "knn_4_together", "smote", "kmeans", "mahalanobis",
    "robust_mahalanobis", "shrunk_mahalanobis", "local_outlier_factor", "density_ratio", "density_difference",
    "density_log", "domain_density", "density_whitened", "var_min", "gmm", "knn_bands", "shrunk_mahalanobis_bands",
    "var_min_bands",
)  # fmt: skip


def _scorers(value: Any) -> str | list[str]:
    known = isinstance(value, list) and all(name in SCORERS for name in value) and len(set(value)) == len(value)
    if known or value in ("own", "all"):
        return value
    raise ValueError(f"own, all, or a list out of {', '.join(SCORERS)} is wanted")


class SelectionParams(Section):
    """What pseudo anomalies are made of and which scorers have to tell them; see :mod:`asd.selection.trials`."""

    labels: str = Field(description="whose groups are left out of the memory in turn: a file of data/labels")
    scorers: Annotated[str | list[str], PlainValidator(_scorers)] = "own"
    kinds: Annotated[list[Kind], Field(min_length=1)]
    folds: int = Field(
        5, ge=2, description="trials of a machine at least: parts of its clips that are held out in turn"
    )
