"""Tables of systems with paired differences, and how often their 95 % intervals hold the true value. docs/metrics.md.

    python -m studies.comparison [--sets 1000] [--resamples 1000] [--jobs 2]

prints the second; the first are printed by other studies.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.special import ndtr

from asd.core.compute import rng
from asd.core.project import TRUTH
from asd.evaluation import labelled_scores
from asd.evaluation.bootstrap import bias_corrected_interval, resampled_scores
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.official import YEARS, average_points, mean, official_scores, point_values, year_of
from asd.evaluation.sections import LabelledSection
from studies.shared import study_parser

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
GAINS = {"a": np.linspace(0.3, 1.5, 7), "b": np.linspace(0.5, 1.6, 7)}  # [deviations] of anomalies, by machine
OFFSETS = np.linspace(-0.2, 0.8, 7)  # [deviations] of the target domain
CORRELATION = 0.5  # of the two systems' scores of one clip
SEED_SHIFT = 0.15  # [deviations] between training seeds, of every machine by itself
GRID = np.linspace(-8, 10, 4001)  # thresholds of the true ROC curve
CELLS = [(domain, label) for label in (0, 1) for domain in (0, 1)]


def labelled(scores: pd.DataFrame, clips: pd.DataFrame, factory: int) -> list[LabelledSection]:
    """Set the scores of one factory (``system, seed, clip_id, machine, section, split, score``) beside the truth."""
    table = labelled_scores.join_truth(
        scores.assign(threshold=np.nan, decision=0), clips, labelled_scores.read_truth(TRUTH)
    )
    sections = labelled_scores.labelled_sections(table)
    return [replace(section, machine=f"{section.machine} {factory}") for section in sections]


def rows(
    sections: list[LabelledSection], reference_of: Callable[[str], str], resamples: int, same_models: bool
) -> list[tuple[str, ...]]:
    """Compute the table, a row a system.

    Parameters
    ----------
    sections : list of LabelledSection
        Of all factories.
    reference_of : callable
        The system that each is compared with.
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
    values = official_scores(points, "official", YEAR)
    resampled = resampled_scores(sections, YEARS[YEAR], resamples, seed=0)
    found = []
    for name, scores in values.items():
        reference = reference_of(name)
        low, high = bias_corrected_interval(scores.mean(), resampled[name])
        of_system = points[points["system"] == name]
        aucs = [_mean(of_system[of_system["measure"] == measure]) for measure in MEASURES.values()]
        seeds = seed_error(scores, values[reference], same_models=same_models)
        change = difference(scores.mean() - values[reference].mean(), resampled[name] - resampled[reference], seeds)
        against = f"{100 * change.value:+.2f} [{100 * change.low:+.1f}, {100 * change.high:+.1f}]", change.verdict
        against = against if name != reference else ("", "")
        official = f"{100 * scores.mean():.2f} [{100 * low:.1f}, {100 * high:.1f}]"
        found.append((name, official, *(f"{100 * auc:.2f}" for auc in aucs), *against))
    return found


def show(found: list[tuple[str, ...]]) -> None:
    """Print the table in markdown."""
    for row in (HEADER, ALIGNED, *found):
        print(f"| {' | '.join(row)} |")


def _mean(points: pd.DataFrame) -> float:
    return float(np.mean([average_points(seed, YEARS[YEAR]) for _, seed in points.groupby("seed")]))


def true_score(gains: np.ndarray) -> float:
    """Compute the official score of an infinite test set with equal cells."""
    values: list[float] = []
    for gain, offset in zip(gains, OFFSETS, strict=True):
        normal, anomalous = np.array([0, offset]), np.array([gain, gain + offset])
        values += [float(ndtr((anomalous - centre) / np.sqrt(2)).mean()) for centre in normal]
        values.append(_true_pauc(normal, anomalous))
    return mean(np.array(values))


def _true_pauc(normal: np.ndarray, anomalous: np.ndarray, limit: float = 0.1) -> float:
    false, true = (ndtr(centres[:, None] - GRID[::-1]).mean(axis=0) for centres in (normal, anomalous))
    rates = np.linspace(0, limit, 4001)
    area = np.trapezoid(np.interp(rates, false, true), rates)
    return float(0.5 * (1 + (area - limit**2 / 2) / (limit - limit**2 / 2)))


def expected_score(gains: np.ndarray, seeds: int) -> float:
    """Average the true score over training seeds, where there are several."""
    if seeds == 1:
        return true_score(gains)
    draws = rng("expected").normal(0, SEED_SHIFT, size=(2000, len(gains)))
    return float(np.mean([true_score(gains + shift) for shift in draws]))


def test_set(number: int, each: int, seeds: int) -> list[LabelledSection]:
    """Simulate the scores of one test set: ``each`` clips a cell, independent training seeds of both systems."""
    draw = rng("coverage", number, each, seeds)
    domain, label = np.repeat(np.array(CELLS), each, axis=0).T
    names = np.array(["source", "target"], dtype=object)[domain]
    clips = np.arange(len(label)).astype(str).astype(object)
    sections = []
    for machine, offset in enumerate(OFFSETS):
        common = draw.normal(size=len(label))
        scores = {}
        for system, gains in GAINS.items():
            gain = gains[machine] + (draw.normal(0, SEED_SHIFT, size=(seeds, 1)) if seeds > 1 else np.zeros((1, 1)))
            noise = np.sqrt(CORRELATION) * common + np.sqrt(1 - CORRELATION) * draw.normal(size=len(label))
            scores[system] = noise + offset * domain + gain * label
        sections.append(LabelledSection(f"machine {machine}", "00", label == 1, names, clips, scores))
    return sections


def holds(
    number: int, each: int, seeds: int, resamples: int, truth: dict[str, float]
) -> tuple[bool, bool, float, float]:
    """Check whether the intervals of one test set hold the score of ``a`` and the difference; give half widths, too."""
    sections = test_set(number, each, seeds)
    values = official_scores(point_values(sections, YEAR), "official", YEAR)
    resampled = resampled_scores(sections, YEARS[YEAR], resamples, seed=number)
    low, high = bias_corrected_interval(values["a"].mean(), resampled["a"])
    gain = values["b"].mean() - values["a"].mean()
    found = difference(gain, resampled["b"] - resampled["a"], seed_error(values["b"], values["a"]))
    return (
        low <= truth["a"] <= high,
        found.low <= truth["b"] - truth["a"] <= found.high,
        (high - low) / 2,
        (found.high - found.low) / 2,
    )


def main() -> None:
    """Measure how often the 95 % intervals hold the value of an infinite test set.

    Two systems score seven machines; scores are normal with unit deviation within a cell (machine x domain x label),
    the target domain is offset, and the two systems' scores of a clip are correlated. The true AUCs and pAUC are
    integrals. With training seeds, each shifts every machine's anomalies by a random amount of its own.
    """
    parser = study_parser(main.__doc__)
    parser.add_argument("--sets", type=int, default=1000, help="simulated test sets a row")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    print("| clips a cell | training seeds | score: held | half width | difference: held | half width |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for each, seeds in ((25, 1), (50, 1), (100, 1), (50, 3)):
        truth = {system: expected_score(gains, seeds) for system, gains in GAINS.items()}
        work = (delayed(holds)(number, each, seeds, args.resamples, truth) for number in range(args.sets))
        score, gain, width, gain_width = np.mean(Parallel(n_jobs=args.jobs)(work), axis=0)
        held_score = f"{100 * score:.1f} %" if seeds == 1 else "-"  # the score's interval is that of the clips alone
        print(
            f"| {each} | {seeds} | {held_score} | {100 * width:.1f} | {100 * gain:.1f} % | {100 * gain_width:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
