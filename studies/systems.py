"""What each system reaches, and how far it is above the better of the yardsticks. See docs/systems.md.

    python -m studies.systems [--seeds 1000] [--size study] [--training-seeds 0 1 2] [--systems NAME ...]
                             [--steps N ...]

Every system as params.yaml has it, on the same simulated factories; the autoencoder by both of its scores. Figures are
means over training seeds, AUCs and scores harmonic means over the machines of all factories. Differences are paired:
95 % intervals over clips and training seeds together.
"""

from typing import Any

import pandas as pd

from asd.base.section import checked
from asd.evaluation.official import headline_values, point_values
from asd.evaluation.sections import LabelledSection
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table
from studies import comparison
from studies.pipeline import STEPS, embeddings, gathered, parser, tables

YARDSTICKS = ("autoencoder", "autoencoder (mahalanobis)", "statistics", "frozen")


def scorers(params: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name every row of the table: its system and its block ``score``; the autoencoder has one more."""
    found = {name: (name, system["score"]) for name, system in params["systems"].items()}
    if "autoencoder" in found:
        found["autoencoder (mahalanobis)"] = "autoencoder", found["autoencoder"][1] | {"value": "mahalanobis"}
    return found


def labelled(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project and set the scores beside the truth."""
    clips, trained = tables()
    parts = []
    for name, (system, block) in scorers(params).items():
        made = score_table(clips, trained, embeddings(system, clips), checked(ScoreParams, block).root, params["seed"])
        parts.append(made.assign(system=name))
    return comparison.labelled(pd.concat(parts), clips, factory)


def better_yardstick(sections: list[LabelledSection]) -> str:
    """Name the yardstick of the highest official score; the first system where there is none."""
    values = headline_values(point_values(sections, comparison.YEAR), "official", comparison.YEAR)
    return max(
        (name for name in YARDSTICKS if name in values), key=lambda n: values[n].mean(), default=next(iter(values))
    )


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--steps", type=int, nargs="+", default=[], help=STEPS)
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    sections = gathered(args, labelled)
    best = better_yardstick(sections)
    print(f"differences are to {best}, the better yardstick")
    comparison.show(comparison.rows(sections, lambda _: best, args.resamples, same_models=False))


if __name__ == "__main__":
    main()
