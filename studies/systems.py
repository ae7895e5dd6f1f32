"""What each system reaches, and how far it is above the better of the yardsticks: Must show 1 of docs/systems.md.

    python -m studies.systems [--seeds 1000] [--size study] [--training-seeds 0 1 2] [--systems NAME ...]

Every system as params.yaml has it, on the same simulated factories; the autoencoder by both of its scores. Figures are
means over training seeds, AUCs and scores harmonic means over the machines of all factories. Differences are paired:
95 % intervals over clips and training seeds together.
"""

from dataclasses import replace
from typing import Any

import pandas as pd

from asd.evaluation import joined
from asd.evaluation.sections import LabelledSection
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table
from asd.section import checked
from studies.figures import Figures, figures, print_rows, written
from studies.pipeline import embeddings, gathered, parser, tables

YARDSTICKS = ("autoencoder", "autoencoder (mahalanobis)", "statistics", "frozen")
MEASURES = ("auc_source", "auc_target", "auc_source_within", "auc_target_within", "pauc")
HEADER = (
    "system", "official [95 %]", "AUC source", "AUC target", "source within", "target within", "pAUC",
    "above the better yardstick [95 %]", "is",
)  # fmt: skip


def scorers(params: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name every row of the table: its system and its block ``score``; the autoencoder has one more."""
    found = {name: (name, system["score"]) for name, system in params["systems"].items()}
    if "autoencoder" in found:
        found["autoencoder (mahalanobis)"] = "autoencoder", found["autoencoder"][1] | {"value": "mahalanobis"}
    return found


def labelled(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project and set the scores beside the truth; machines are named after their factory."""
    clips, trained = tables()
    parts = []
    for name, (system, block) in scorers(params).items():
        made = score_table(clips, trained, embeddings(system, clips), checked(ScoreParams, block).root, params["seed"])
        parts.append(made.assign(system=name))
    table = joined.beside_truth(pd.concat(parts), clips, joined.read_truth())
    return [replace(own, machine=f"{own.machine} {factory}") for own in joined.labelled_sections(table)]


def rows(found: Figures) -> list[tuple[str, ...]]:
    """Write a row for each system, the best first."""
    yardsticks = [name for name in YARDSTICKS if name in found.values]
    best = max(yardsticks, key=lambda name: found.values[name].mean(), default="")
    written_rows = []
    for name in sorted(found.values, key=lambda name: -found.values[name].mean()):
        apart = found.against(name, best) if best and name != best else None
        beside = (f"{written(apart)}", apart.verdict) if apart else ("", "the better yardstick" if best else "")
        written_rows.append((name, found.official(name), *found.averages(name, MEASURES), *beside))
    return written_rows


def main() -> None:
    """Print the table."""
    args = parser(__doc__).parse_args()
    sections = gathered(args, labelled)
    print_rows(HEADER, ("---", *["---:"] * 7, "---"), *rows(figures(sections)))


if __name__ == "__main__":
    main()
