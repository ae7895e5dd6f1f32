"""A table of systems: official score, what it is made of, and the paired difference to another one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from asd.evaluation import joined
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.official import YEARS, averaged, headline_values, point_values, year_of
from asd.evaluation.sections import LabelledSection

YEAR = year_of("simulated")
MEASURES = {
    "AUC source": "auc_source",
    "AUC target": "auc_target",
    "pAUC": "pauc",
    "source within": "auc_source_within",
    "target within": "auc_target_within",
}
HEADER = ("system", "official [95 %]", *MEASURES, "difference [95 %]", "is")
ALIGNED = ("---", *["---:"] * (len(HEADER) - 2), "---")


def labelled(scores: pd.DataFrame, clips: pd.DataFrame, factory: int) -> list[LabelledSection]:
    """Set the scores of one factory (``system, seed, clip_id, machine, section, split, score``) beside the truth."""
    table = joined.beside_truth(scores.assign(threshold=np.nan, decision=0), clips, joined.read_truth())
    return [replace(own, machine=f"{own.machine} {factory}") for own in joined.labelled_sections(table)]


def rows(
    sections: list[LabelledSection], reference_of: Callable[[str], str], resamples: int, same_models: bool
) -> list[tuple[str, ...]]:
    """Compute the table, a row a system.

    Parameters
    ----------
    sections : list of LabelledSection
        Of all factories.
    reference_of : callable
        Which system each is held against.
    resamples : int
    same_models : bool
        See :func:`asd.evaluation.difference.seed_error`.

    Returns
    -------
    list of tuple of str
        The columns :data:`HEADER`: means over machines, factories and training seeds in percent, with intervals over
        clips; of differences over clips and training seeds together.
    """
    points = point_values(sections, YEAR)
    values = headline_values(points, "official", YEAR)
    resampled = resampled_scores(sections, YEARS[YEAR], resamples, seed=0)
    found = []
    for name, scores in values.items():
        reference = reference_of(name)
        low, high = bias_corrected_interval(scores.mean(), resampled[name])
        own = points[points["system"] == name]
        aucs = [_mean(own[own["measure"] == measure]) for measure in MEASURES.values()]
        seeds = seed_error(scores, values[reference], same_models=same_models)
        apart = difference(scores.mean() - values[reference].mean(), resampled[name] - resampled[reference], seeds)
        against = f"{100 * apart.value:+.2f} [{100 * apart.low:+.1f}, {100 * apart.high:+.1f}]", apart.verdict
        against = against if name != reference else ("", "")
        official = f"{100 * scores.mean():.2f} [{100 * low:.1f}, {100 * high:.1f}]"
        found.append((name, official, *(f"{100 * auc:.2f}" for auc in aucs), *against))
    return found


def show(found: list[tuple[str, ...]]) -> None:
    """Print the table in markdown."""
    for row in (HEADER, ALIGNED, *found):
        print(f"| {' | '.join(row)} |")


def _mean(points: pd.DataFrame) -> float:
    return float(np.mean([averaged(seed, YEARS[YEAR]) for _, seed in points.groupby("seed")]))
