"""Differences: what clips and training seeds leave sure, and the verdicts."""

import numpy as np
import pytest
from scipy import stats

from asd.evaluation.bootstrap import bias_corrected_interval
from asd.evaluation.difference import Difference, SeedError, difference, seed_error

OURS, THEIRS = np.array([0.61, 0.64, 0.62]), np.array([0.58, 0.60, 0.59, 0.57])


def test_seeds_of_both_sides_are_unrelated_draws():
    found = seed_error(OURS, THEIRS)
    welch = stats.ttest_ind(OURS, THEIRS, equal_var=False)
    assert (OURS.mean() - THEIRS.mean()) / found.std == pytest.approx(welch.statistic)
    assert found.freedom == pytest.approx(welch.df)
    assert found.basis == "3 and 4 training seeds"


def test_the_same_models_are_paired_seed_by_seed():
    found = seed_error(OURS, OURS + np.array([0.01, 0.012, 0.011]), same_models=True)
    assert found.std == pytest.approx(0.001 / 3**0.5)
    assert found.freedom == 2
    assert seed_error(OURS[:1], THEIRS[:1], same_models=True) == SeedError(0.0, np.inf, "the same trained models (1)")


def test_with_few_seeds_the_stored_deviation_counts_or_nothing():
    found = seed_error(OURS[:1], THEIRS, stored=0.008)
    assert found.std == pytest.approx(0.008 * (1 + 1 / 4) ** 0.5)
    assert found.basis == "stored seed_sd 0.80"
    assert not seed_error(OURS[:2], THEIRS).basis


def test_arms_of_clips_and_seeds_add_up_in_squares():
    resampled = np.random.default_rng(0).normal(0.03, 0.01, size=2000)
    low, high = bias_corrected_interval(0.03, resampled)
    error = seed_error(OURS, THEIRS)
    found = difference(0.03, resampled, error)
    clips = ((high - low) / 2 / 1.959964) ** 2
    freedom = (clips + error.std**2) ** 2 / (error.std**4 / error.freedom)
    quantile = stats.t.ppf(0.975, freedom)
    assert found.low == pytest.approx(0.03 - quantile * np.hypot((0.03 - low) / 1.959964, error.std))
    assert found.high == pytest.approx(0.03 + quantile * np.hypot((high - 0.03) / 1.959964, error.std))


def test_without_an_error_of_the_seeds_the_interval_is_that_of_the_clips():
    resampled = np.random.default_rng(0).normal(0.03, 0.01, size=2000)
    low, high = bias_corrected_interval(0.03, resampled)
    alone = difference(0.03, resampled, seed_error(OURS[:1], THEIRS[:1]))
    assert (alone.low, alone.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("low", "high", "basis", "verdict"),
    [
        (0.002, 0.03, "3 and 3 training seeds", "real"),
        (-0.03, -0.002, "stored seed_sd 0.80", "real"),
        (-0.004, 0.006, "3 and 3 training seeds", "noise"),
        (-0.004, 0.02, "3 and 3 training seeds", "not resolved"),
        (0.0, 0.0, "", "noise"),  # the very same scores
        (0.002, 0.03, "", "not resolved"),  # retrained, and nobody knows how far a seed moves it
        (-0.001, 0.001, "", "not resolved"),
    ],
)
def test_verdicts(low, high, basis, verdict):
    assert Difference((low + high) / 2, low, high, basis).verdict == verdict
