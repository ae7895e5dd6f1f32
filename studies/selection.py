"""Choices without anomalies: what they lose, what an ensemble so chosen gains, which criterion is better.

    python -m studies.selection [--seeds 1000] [--size study] [--training-seeds 0 1 2] [--systems NAME ...]
    python -m studies.selection criteria [--projects FOLDER ...] [--real MANIFEST ...] [options]

``--help`` after the name of a study says what it measures; docs/selection.md has the tables.
"""

import argparse
from dataclasses import replace
from typing import Any

import pandas as pd

from asd.evaluation.official import official_scores, point_values
from asd.evaluation.sections import LabelledSection
from asd.selection.trial_scores import OWN
from studies import comparison
from studies.criteria import criteria, criteria_options
from studies.losses import loss_table
from studies.scored import Scored, candidates
from studies.shared import Commands, kept_project, system_options

BY_EVIDENCE = {"members": "auto", "scorers": "auto", "weights": "auto"}
VARIANTS: dict[str, dict[str, Any]] = {  # of the shipped section ``ensemble``
    "ensemble": {},
    "logarithms": {"fusion": "log"},
    "ranks": {"fusion": "rank"},
    "all systems": {"members": "all"},
    "by evidence": BY_EVIDENCE,
    "by evidence, own scorers": BY_EVIDENCE | {"scorers": "own"},
    "by forward selection": BY_EVIDENCE | {"weights": "forward"},
}


def fused_sections(scored: Scored, factory: int) -> list[LabelledSection]:
    """Set the ensemble, its variants and all systems, by chosen and own scorers, beside the truth."""
    made = {name: scored.fused(**how) for name, how in VARIANTS.items()}
    scorers = scored.choice(members="all", weights="equal", scorers="auto").scorers
    members = {f"member {system}": scored.scores[system, scorer] for system, scorer in scorers.items()}
    own = {f"{system} by its own scorer": scored.scores[system, OWN] for system in scorers}
    return scored.labelled(made | members | own, factory)


def choice(args: argparse.Namespace) -> None:
    """Measure what a choice by Diverse Pseudo-AUC loses, and what an ensemble so chosen gains.

    1. In every cell (factory, training seed, system) the scorer of the highest Diverse Pseudo-AUC is taken; in every
       factory and training seed the system, by its own scorer, and both at once. Its loss against the best fixed
       choice, one for all cells, found with the labels of all of them, and against the best in hindsight, chosen by
       the labels of one half of a cell's test clips and judged, as is the other, on the other half; means and the worst
       cell.
       rho is Spearman's correlation of Diverse Pseudo-AUC and official score over the candidates of a cell.
    2. The ensemble and its variants beside their members and the plain mean of all systems by their own scorers.
       Differences are paired: 95 % intervals over clips and training seeds.
    """
    found: list[pd.DataFrame] = []
    sections: list[LabelledSection] = []
    for seed in args.seeds:
        with kept_project(args, seed) as params:
            scored = Scored(params)
            found.append(candidates(scored, seed))
            sections += fused_sections(scored, seed)
            print(f"factory {seed}: {scored.choice().figures()}")
    print("\n".join(["", *loss_table(pd.concat(found, ignore_index=True)), ""]))
    values = official_scores(point_values(sections, comparison.YEAR), "official", comparison.YEAR)
    members = {name: own.mean() for name, own in values.items() if name.startswith("member ")}
    best, mean = max(members, key=lambda name: members[name]), "all systems"
    for reference, shown in {best: list(values), mean: ["ensemble", best, mean]}.items():
        print(f"\ndifferences are to {reference}")
        some = [replace(own, scores={name: own.scores[name] for name in shown}) for own in sections]
        comparison.show(comparison.rows(some, lambda _, own=reference: own, args.resamples, same_models=True))


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__, default="choice")
    made = system_options(commands.add("choice", choice), size="study")
    made.add_argument("--resamples", type=int, default=1000)
    criteria_options(commands.add("criteria", criteria))
    commands.run()


if __name__ == "__main__":
    main()
