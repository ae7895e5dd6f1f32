"""Systems on simulated factories: their scores, all scorers on their embeddings, their false alarms. docs/systems.md.

    python -m studies.systems [--seeds 1000] [--size study] [--training-seeds 0 1 2] [--systems NAME ...]
                              [--steps N ...]
    python -m studies.systems scorers|conformal [options]

``--help`` after the name of a study says what it measures.
"""

import argparse
import sys
from typing import Any

import pandas as pd

from asd.core.project import TRUTH, systems_of
from asd.core.section import checked
from asd.evaluation.labelled_scores import read_truth
from asd.evaluation.official import official_scores, point_values
from asd.evaluation.sections import LabelledSection
from asd.scoring.candidates import candidate_scores
from asd.scoring.registry import ScoreParams
from asd.scoring.table import score_table
from studies import comparison
from studies.shared import STEPS, Commands, gathered, kept_project, system_embeddings, system_options, tables

BASELINES = ("autoencoder", "autoencoder (mahalanobis)", "statistics", "frozen")
REFERENCES = ("knn_cosine", "mse")  # scorers that a system's other scorers are compared with
NEAR = 0.02  # of the stated rate, in the source domain
KEYS = ["system", "threshold", "domain"]


def systems(args: argparse.Namespace) -> None:
    """Compare all systems with the better of the baselines.

    Every system as params.yaml has it, on the same simulated factories; the autoencoder by both of its scores. Figures
    are means over training seeds, AUCs and scores harmonic means over the machines of all factories. Differences are
    paired: 95 % intervals over clips and training seeds together.
    """
    sections = gathered(args, labelled)
    best = better_baseline(sections)
    print(f"differences are to {best}, the better baseline")
    comparison.show(comparison.rows(sections, lambda _: best, args.resamples, same_models=False))


def score_blocks(params: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name every row of the table: its system and its block ``score``; the autoencoder has one more."""
    found = {name: (name, system["score"]) for name, system in systems_of(params).items()}
    if "autoencoder" in found:
        found["autoencoder (mahalanobis)"] = "autoencoder", found["autoencoder"][1] | {"value": "mahalanobis"}
    return found


def labelled(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project and set the scores beside the truth."""
    clips, reference = tables()
    parts = []
    for name, (system, block) in score_blocks(params).items():
        made = score_table(
            clips, reference, system_embeddings(system, clips), checked(ScoreParams, block).root, params["seed"]
        )
        parts.append(made.assign(system=name))
    return comparison.labelled(pd.concat(parts), clips, factory)


def better_baseline(sections: list[LabelledSection]) -> str:
    """Name the baseline of the highest official score; the first system where there is none."""
    values = official_scores(point_values(sections, comparison.YEAR), "official", comparison.YEAR)
    return max(
        (name for name in BASELINES if name in values), key=lambda n: values[n].mean(), default=next(iter(values))
    )


def scorers(args: argparse.Namespace) -> None:
    """Score every system's embeddings by every scorer.

    Figures are means over machines, factories and training seeds; differences are to the system's cosine nearest
    neighbour, or reconstruction error, of the same trained models on the same clips: 95 % intervals over clips and
    training seeds.
    """
    sections = gathered(args, labelled_by_scorer)
    names = set(sections[0].scores)

    def reference_of(name: str) -> str:
        system = name.split("/")[0]
        return next(f"{system}/{other}" for other in REFERENCES if f"{system}/{other}" in names)

    comparison.show(comparison.rows(sections, reference_of, args.resamples, same_models=True))


def labelled_by_scorer(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project by all scorers and set the scores beside the truth."""
    clips, reference = tables()
    parts = []
    for system, block in systems_of(params).items():
        own = checked(ScoreParams, block["score"]).root
        found = candidate_scores(clips, reference, system_embeddings(system, clips), own, params["seed"])
        parts.append(found.assign(system=system + "/" + found["scorer"]))
    return comparison.labelled(pd.concat(parts), clips, factory)


def conformal(args: argparse.Namespace) -> None:
    """Check that thresholds keep the false-alarm rate that they state.

    A part of the normal training recordings (``--share``) is kept out of training and of the reference, and every
    system is scored as params.yaml says. Two thresholds for the same scores of the same models: split conformal, of the
    clips held out, and in-sample, the quantile of the scores of clips that the system was trained on (nearest
    neighbours: each left out of the memory bank, as the pipeline does without a calibration). Rates are of normal test
    clips, pooled over machines, factories and training seeds; the standard error is that of machines and factories.
    Exit status 1 where the source domain's rate is further than two points from the stated one.
    """
    parts = []
    for seed in args.seeds:
        with kept_project(args, seed, calibration_fraction=args.share) as params:
            parts.append(decisions(params, seed))
            stated = {name: 1 - system["score"]["quantile"] for name, system in systems_of(params).items()}
    found = rates(pd.concat(parts))
    print("| system | threshold | false alarms, source | target |\n| --- | --- | ---: | ---: |")
    for (system, name), rows in found.reset_index().groupby(["system", "threshold"], sort=False):
        percent = 100 * rows.set_index("domain")[["rate", "deviation"]]
        cells = ["{:.1f} % +- {:.1f}".format(*percent.loc[domain]) for domain in ("source", "target")]
        print(f"| {' | '.join([str(system), str(name), *cells])} |")
    off = abs(found.loc[("all", "split conformal", "source"), "rate"] - sum(stated.values()) / len(stated))
    print(f"\nall systems, split conformal, source: {100 * off:.1f} points from the stated rate")
    sys.exit(int(off > NEAR))


def decisions(params: dict[str, Any], factory: int) -> pd.DataFrame:
    """Decide about the normal test clips of a project by both thresholds."""
    clips, reference = tables()
    normal = read_truth(TRUTH).query("anomaly == 0")[["clip_id", "domain"]]
    seen = (clips["split"] != "train") | (clips["kind"] != "machine") | clips["clip_id"].isin(reference)
    parts = []
    for system, block in systems_of(params).items():
        found = system_embeddings(system, clips)
        for name, method, some in (("split conformal", "conformal", seen | True), ("in-sample", "quantile", seen)):
            score = checked(ScoreParams, block["score"] | {"threshold": method}).root
            chosen = {seed: values[some] for seed, values in found.items()}
            table = score_table(clips[some].reset_index(drop=True), reference, chosen, score, params["seed"])
            parts.append(
                table.merge(normal, on="clip_id")
                .drop(columns="threshold")
                .assign(system=system, threshold=name, factory=factory)
            )
    return pd.concat(parts)


def rates(found: pd.DataFrame) -> pd.DataFrame:
    """Pool decisions: rate, its deviation, how many clips, by system, threshold and domain; ``all`` are all systems."""
    found = pd.concat([found, found.assign(system="all")])
    of_machines = found.groupby([*KEYS, "factory", "machine"])["decision"].mean().groupby(KEYS, sort=False)
    pooled = found.groupby(KEYS, sort=False)["decision"].agg(rate="mean", clips="size")
    return pooled.assign(deviation=of_machines.std() / of_machines.size() ** 0.5)


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__, default="systems")
    made = system_options(commands.add("systems", systems))
    made.add_argument("--steps", type=int, nargs="+", default=[], help=STEPS)
    made.add_argument("--resamples", type=int, default=1000)
    made = system_options(commands.add("scorers", scorers))
    made.add_argument("--resamples", type=int, default=1000)
    made = system_options(commands.add("conformal", conformal), [1000, 1001, 1002])
    made.set_defaults(training_seeds=[0])
    made.add_argument("--share", type=float, default=0.25, help="index.calibration_fraction")
    commands.run()


if __name__ == "__main__":
    main()
