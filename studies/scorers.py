"""Which scorer suits which system, and what it trades between the domains.

    python -m studies.scorers [--seeds 1000] [--size default] [--training-seeds 0 1 2] [--systems NAME ...]

Every system's embeddings are scored by every scorer. Figures are means over machines, factories and training seeds;
differences are to the system's cosine nearest neighbour, or reconstruction error, of the same trained models on the
same clips: 95 % intervals over clips and training seeds.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from asd.evaluation import joined
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.official import YEARS, averaged, headline_values, point_values, year_of
from asd.evaluation.sections import LabelledSection
from asd.scoring.trade_off import trade_off
from studies.pipeline import embeddings, parser, project, tables

YEAR = year_of("simulated")
REFERENCES = ("knn_cosine", "mse")  # what a system's other scorers are held against
HEADER = (
    "system",
    "scorer",
    "official [95 %]",
    "AUC source",
    "AUC target",
    "pAUC",
    "against nearest neighbour or MSE [95 %]",
    "is",
)
ALIGNED = ("---", "---", *["---:"] * 5, "---")


def labelled(params: dict[str, Any], factory: int) -> list[LabelledSection]:
    """Score all systems of a project by all scorers and set the scores beside the truth."""
    clips, trained = tables()
    parts = []
    for system in params["systems"]:
        found = trade_off(clips, trained, embeddings(system, clips), params["seed"])
        parts.append(found.assign(system=system + "/" + found["scorer"], threshold=np.nan, decision=0))
    table = joined.beside_truth(pd.concat(parts), clips, joined.read_truth())
    return [replace(own, machine=f"{own.machine} {factory}") for own in joined.labelled_sections(table)]


def rows(sections: list[LabelledSection], resamples: int) -> list[tuple[str, ...]]:
    """Compute the table, a row for each system and scorer."""
    points = point_values(sections, YEAR)
    values = headline_values(points, "official", YEAR)
    resampled = resampled_scores(sections, YEARS[YEAR], resamples, seed=0)
    found = []
    for name, scores in values.items():
        system, scorer = name.split("/")
        reference = next(f"{system}/{other}" for other in REFERENCES if f"{system}/{other}" in values)
        low, high = bias_corrected_interval(scores.mean(), resampled[name])
        own = points[points["system"] == name]
        aucs = [_mean(own[own["measure"] == measure]) for measure in ("auc_source", "auc_target", "pauc")]
        seeds = seed_error(scores, values[reference], same_models=True)
        apart = difference(scores.mean() - values[reference].mean(), resampled[name] - resampled[reference], seeds)
        against = f"{100 * apart.value:+.2f} [{100 * apart.low:+.1f}, {100 * apart.high:+.1f}]", apart.verdict
        against = against if name != reference else ("", "")
        official = f"{100 * scores.mean():.2f} [{100 * low:.1f}, {100 * high:.1f}]"
        found.append((system, scorer, official, *(f"{100 * auc:.2f}" for auc in aucs), *against))
    return found


def _mean(points: pd.DataFrame) -> float:
    return float(np.mean([averaged(seed, YEARS[YEAR]) for _, seed in points.groupby("seed")]))


def main() -> None:
    """Print the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    sections = []
    for seed in args.seeds:
        with project(args, seed) as params:
            sections += labelled(params, seed)
    for row in (HEADER, ALIGNED, *rows(sections, args.resamples)):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
