"""What studies of several systems print: official scores with intervals, AUCs, paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.difference import Difference, difference, seed_error
from asd.evaluation.official import YEARS, averaged, headline_values, point_values, year_of
from asd.evaluation.sections import LabelledSection

YEAR = year_of("simulated")


@dataclass(frozen=True)
class Figures:
    """Official scores of systems and what they are made of, shares of 1.

    Attributes
    ----------
    points : pd.DataFrame
        Of :func:`asd.evaluation.official.point_values`.
    values : dict of np.ndarray [shape=(seeds,)]
        Official score by training seed.
    resampled : dict of np.ndarray [shape=(resamples,)]
        The same on resampled clips, means over training seeds.
    """

    points: pd.DataFrame
    values: dict[str, np.ndarray]
    resampled: dict[str, np.ndarray]

    def official(self, system: str) -> str:
        """Write the official score with its interval over clips, in percent."""
        value = self.values[system].mean()
        low, high = bias_corrected_interval(value, self.resampled[system])
        return f"{100 * value:.2f} [{100 * low:.1f}, {100 * high:.1f}]"

    def averages(self, system: str, measures: Sequence[str]) -> list[str]:
        """Write harmonic means of measures over machines, means over training seeds, in percent."""
        own = self.points[self.points["system"] == system]
        return [f"{100 * _average(own[own['measure'] == measure]):.2f}" for measure in measures]

    def against(self, system: str, reference: str, same_models: bool = False) -> Difference:
        """Compare two systems on the same clips; see :mod:`asd.evaluation.difference`."""
        ours, theirs = self.values[system], self.values[reference]
        seeds = seed_error(ours, theirs, same_models=same_models)
        return difference(ours.mean() - theirs.mean(), self.resampled[system] - self.resampled[reference], seeds)


def figures(sections: list[LabelledSection], resamples: int = 1000) -> Figures:
    """Compute the figures of all systems that scored the sections."""
    points = point_values(sections, YEAR)
    values = headline_values(points, "official", YEAR)
    return Figures(points, values, resampled_scores(sections, YEARS[YEAR], resamples, seed=0))


def written(apart: Difference) -> str:
    """Write a difference with its interval, in percent."""
    return f"{100 * apart.value:+.2f} [{100 * apart.low:+.1f}, {100 * apart.high:+.1f}]"


def print_rows(*rows: Sequence[str]) -> None:
    """Print rows of a markdown table."""
    for row in rows:
        print(f"| {' | '.join(row)} |")


def _average(points: pd.DataFrame) -> float:
    return float(np.mean([averaged(seed, YEARS[YEAR]) for _, seed in points.groupby("seed")]))
