"""Thresholds and p-values: by definition, at their word where they give one, and silent where they can't."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from asd.scoring.params import ThresholdParams
from asd.scoring.thresholds import METHODS, Calibration, needed, p_values, threshold


def calibration(source, target=(), held_out=True):
    domain = np.repeat(["source", "target"], [len(source), len(target)])
    block = np.concatenate([np.arange(len(own)) * 5 // max(len(own), 5) for own in (source, target)])
    return Calibration(np.append(np.asarray(source, dtype=float), target), domain, block, held_out)


def test_quantile_of_all_scores():
    assert threshold(calibration(range(9), [9, 10]), ThresholdParams(threshold="quantile", quantile=0.9)) == 9


def test_the_worst_of_five_consecutive_blocks():
    drifting = np.arange(100.0)  # the last block has the scores 80 to 99
    assert threshold(calibration(drifting), ThresholdParams(quantile=0.9)) == 98, "its 19th of 20"
    assert threshold(calibration(np.tile(np.arange(20.0), 5)), ThresholdParams(quantile=0.9)) == 18


def test_few_clips_get_a_prediction_bound():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 6 + 50))
    limits = np.array([threshold(calibration(row[:6]), ThresholdParams(quantile=0.9)) for row in draws])
    alarms = (draws[:, 6:] > limits[:, None]).mean(axis=1)
    beyond = (draws[:, 6:] > draws[:, :6].max(axis=1, keepdims=True)).mean(axis=1)
    assert beyond.mean() == pytest.approx(1 / 7, abs=0.01), "the largest of six is passed by one in seven"
    assert alarms.mean() <= 0.1
    assert (limits >= draws[:, :6].max(axis=1)).all()


def test_drifting_recordings_keep_the_rate_where_a_quantile_does_not():
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(200):
        walk = np.cumsum(rng.normal(size=100)) * 0.3 + rng.normal(size=100)  # a slow change and noise
        scores, later = walk[:60], walk[60:]
        rates.append(
            [
                (later > threshold(calibration(scores), ThresholdParams(threshold=name))).mean()
                for name in ("worst_block", "quantile")
            ]
        )
    worst_block, quantile = np.mean(rates, axis=0)
    assert worst_block < 0.75 * quantile


def test_gamma_is_the_baseline_s():
    scores = np.random.default_rng(0).gamma(4.0, 2.0, size=300)
    found = threshold(calibration(scores), ThresholdParams(threshold="gamma", quantile=0.9))
    assert found == pytest.approx(stats.gamma.ppf(0.9, *stats.gamma.fit(scores)), rel=0.02)
    assert found == pytest.approx(stats.gamma.ppf(0.9, 4.0, scale=2.0), rel=0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scores", [[3.0], [1.0, 2.0], [5.0] * 20, [0.0] * 20, [0.0] * 19 + [1.0]])
def test_degenerate_calibrations_have_a_finite_threshold_near_the_scores(method, scores):
    limit = threshold(calibration(scores), ThresholdParams(threshold=method))
    assert np.isfinite(limit)
    assert min(scores) <= limit <= max(scores) + 1 + 2 * (max(scores) - min(scores))


@given(count=st.integers(9, 400), alpha=st.sampled_from([0.1, 0.05, 0.2]), seed=st.integers(0, 1000))
def test_conformal_threshold_and_p_value_are_one_decision(count, alpha, seed):
    rng = np.random.default_rng(seed)
    usual = calibration(rng.normal(size=count).round(1))  # with ties
    params = ThresholdParams(threshold="conformal", quantile=1 - alpha)
    scores = rng.normal(size=200).round(1)
    if count >= needed(1 - alpha):
        above = scores > threshold(usual, params)
        np.testing.assert_array_equal(above, p_values(scores, usual.scores) <= alpha + 1e-12)


def test_p_values_by_definition():
    usual, scores = np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.0, 2.0, 3.0, 5.0, 6.0])
    expected = [(1 + sum(u >= s for u in usual)) / 5 for s in scores]
    np.testing.assert_allclose(p_values(scores, usual), expected)
    np.testing.assert_array_equal(p_values(scores, usual[:0]), 1)


@pytest.mark.parametrize(("count", "alpha"), [(9, 0.1), (29, 0.1), (24, 0.1), (200, 0.05)])
def test_the_rate_holds_on_average_over_calibrations(count, alpha):
    rng = np.random.default_rng(count)
    params = ThresholdParams(threshold="conformal", quantile=1 - alpha)
    scores = rng.exponential(size=(4000, count + 20))
    alarms = [(row[count:] > threshold(calibration(row[:count]), params)).mean() for row in scores]
    expected = 1 - np.ceil(np.round((count + 1) * (1 - alpha), 9)) / (count + 1)
    assert expected <= alpha
    assert np.mean(alarms) == pytest.approx(expected, abs=4 * np.std(alarms) / 4000**0.5)


@pytest.mark.parametrize(("quantile", "count"), [(0.9, 9), (0.95, 19), (0.99, 99), (0.8, 4), (0.5, 1), (0.93, 14)])
def test_how_many_clips_a_rate_takes(quantile, count):
    assert needed(quantile) == count
    sure = {n: calibration(range(n)).guaranteed(ThresholdParams(threshold="conformal", quantile=quantile))
            for n in (count - 1, count) if n}  # fmt: skip
    assert sure[count] == {"source": True}
    assert sure.get(count - 1, {"source": False}) == {"source": False}


def test_one_threshold_for_both_domains_is_the_larger_of_those_that_can_be_had():
    params = ThresholdParams(threshold="conformal")
    assert threshold(calibration(range(29)), params) == 26
    assert threshold(calibration(range(29), [100] * 8), params) == 26, "8 target clips have no say"
    assert threshold(calibration(range(29), [100] * 9), params) == 100
    assert threshold(calibration(range(29), [-100] * 9), params) == 26
    assert threshold(calibration(range(5), [7]), params) == 7, "nothing is sure: the largest score of all"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("held_out", [True, False])
def test_only_conformal_thresholds_of_clips_held_out_are_guaranteed(method, held_out):
    found = calibration(range(100), [1.0] * 3, held_out).guaranteed(ThresholdParams(threshold=method))
    assert found == {"source": method == "conformal" and held_out, "target": False}
