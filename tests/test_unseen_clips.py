"""Clips that a network was trained on, scored as if it had not been."""

import numpy as np
import pytest

from asd.scoring.params import ThresholdParams
from asd.scoring.thresholds import Calibration, threshold
from asd.scoring.unseen_clips import Gaps, predict, spread_of


def alarms(sections, unseen, between, drifting=0.0, times=60):
    """Rates of false alarms and of faults found on all sections but the first, and of false alarms on the first.

    New normal clips lie 10 times as far out as the 12 of a section that a network was trained on, faults 300 times;
    those of the first section farther by ``exp(drifting)``.
    """
    rng, found = np.random.default_rng(0), []
    for _ in range(times):
        counts, scales = rng.integers(*unseen, sections), 10.0 ** rng.uniform(-3, 3, sections)
        means = np.log(10) + rng.normal(0, between, sections) + drifting * (np.arange(sections) == 0)
        known = [scale * np.exp(rng.normal(0, 0.1, 12)) for scale in scales]
        drawn = zip(scales, means, counts, strict=True)
        held = [scale * np.exp(mean + rng.normal(0, 0.5, count)) for scale, mean, count in drawn]
        gaps = Gaps(held, known)
        normal = [np.append(gaps.as_unseen(scores, i), held[i]) for i, scores in enumerate(known)]
        limits = np.array([limit_of(scores) for scores in normal])[:, None]
        new = scales[:, None] * np.exp(means[:, None] + rng.normal(0, 0.5, (sections, 100)))
        found.append([(new > limits)[1:].mean(), (30 * new > limits)[1:].mean(), (new > limits)[0].mean()])
    return np.mean(found, axis=0)


def limit_of(scores):
    block = np.arange(len(scores)) * 5 // len(scores)
    return threshold(Calibration(scores, np.full(len(scores), "source"), block, False), ThresholdParams())


@pytest.mark.parametrize("between", [0.0, 0.3])
@pytest.mark.parametrize("unseen", [(1, 4), (2, 3), (8, 9), (0, 3)])
def test_thresholds_keep_the_stated_rate_however_few_clips_are_unseen(unseen, between):
    rate, found, _ = alarms(12, unseen, between)
    assert rate < 0.12
    assert found > 0.9


def test_a_machine_that_drifts_does_not_deafen_the_others():
    """A gap that all sections share would be that of the first one: no fault of the others would be found."""
    rate, found, of_first = alarms(12, (2, 5), 0.15, drifting=5.0)
    assert rate < 0.1
    assert found > 0.7
    assert of_first < 0.3


def test_one_or_two_clips_that_happen_to_agree_do_not_say_that_all_do():
    spread = spread_of([np.array([1.0, 1.0]), np.array([3.0]), np.array([5.0])])
    assert spread.within > 1.5
    assert spread_of([np.array([1.0, 1.1, 0.9, 1.0] * 30), np.array([5.0, 5.1, 4.9, 5.0] * 30)]).within < 0.2


def test_a_section_is_predicted_from_its_own_clips_the_more_it_has():
    spread = spread_of([np.array([0.0, 0.2, 0.1]), np.array([2.0, 2.2, 2.1]), np.array([4.0, 4.2, 4.1])])
    few, many = predict(np.array([4.0]), spread), predict(np.full(50, 4.0), spread)
    assert spread.mean < few[0] < many[0] < 4
    assert few[1] > many[1] > spread.within**0.5
    assert predict(np.empty(0), spread) == pytest.approx((spread.mean, (spread.within + spread.between) ** 0.5))


@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_clips_trained_on_score_like_unseen_ones_and_keep_their_order(shift):
    rng = np.random.default_rng(0)
    fitted = [np.exp(rng.normal(0, 0.1, 50)) + shift for _ in range(8)]
    unseen = [np.exp(rng.normal(1, 0.4, 12)) + shift for _ in range(8)]
    gaps = Gaps(unseen, fitted)
    made = [gaps.as_unseen(known, number) for number, known in enumerate(fitted)]
    assert all((new.argsort() == known.argsort()).all() for new, known in zip(made, fitted, strict=True))
    quantiles = [np.quantile(np.concatenate(scores), [0.1, 0.5, 0.9]) - shift for scores in (made, unseen, fitted)]
    assert quantiles[0] == pytest.approx(quantiles[1], rel=0.3)
    assert (quantiles[2] < 0.7 * quantiles[1]).all()


def test_of_one_section_and_one_unseen_clip_the_gap_is_that_clip_s():
    gaps = Gaps([np.array([np.e])], [np.exp(np.array([-0.1, 0.0, 0.1]))])
    assert np.log(gaps.as_unseen(np.exp(np.array([-0.1, 0.1])), 0)) == pytest.approx([0.9, 1.1])


def test_nothing_varies():
    gaps = Gaps([np.array([2.0]), np.array([2.0, 2.0])], [np.ones(3), np.ones(3)])
    assert gaps.as_unseen(np.ones(3), 0) == pytest.approx([2.0, 2.0, 2.0])


def test_scores_that_are_not_positive_have_gaps_in_deviations():
    fitted = [np.array([-1.0, 1.0]), np.array([-3.0, 1.0]), np.array([8.0, 12.0])]
    unseen = [np.array([4.0, 3.0]), np.array([2.0]), np.array([])]
    made = [Gaps(unseen, fitted).as_unseen(scores, number) for number, scores in enumerate(fitted)]
    other = Gaps(*([2 * scores - 7 for scores in own] for own in (unseen, fitted)))
    for number, scores in enumerate(fitted):
        assert other.as_unseen(2 * scores - 7, number) == pytest.approx(2 * made[number] - 7)
