"""Clips that a network was trained on, scored as if it had not been."""

import numpy as np
import pandas as pd
import pytest

from asd.scoring.params import ThresholdParams
from asd.scoring.table import as_unseen
from asd.scoring.thresholds import Calibration, threshold
from asd.scoring.unseen_clips import Gaps, predict, spread_of


def alarms(sections, unseen, between, drifting=0.0, times=60):
    """Rates of false alarms and of faults found, by section.

    New normal clips lie 10 times as far out as the 12 of a section that a network was trained on, faults 100 times;
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
        normal = [np.append(gaps.as_unseen(i), held[i]) for i in range(sections)]
        limits = np.array([limit_of(scores) for scores in normal])[:, None]
        new = scales[:, None] * np.exp(means[:, None] + rng.normal(0, 0.5, (sections, 100)))
        found.append([(new > limits).mean(axis=1), (10 * new > limits).mean(axis=1)])
    return np.mean(found, axis=0)


def limit_of(scores):
    block = np.arange(len(scores)) * 5 // len(scores)
    return threshold(Calibration(scores, np.full(len(scores), "source"), block, False), ThresholdParams())


@pytest.mark.parametrize("between", [0.0, 0.3])
@pytest.mark.parametrize(("sections", "unseen"), [(12, (1, 2)), (12, (2, 3)), (12, (8, 9)), (12, (0, 3)), (3, (2, 4))])
def test_thresholds_keep_about_the_stated_rate_however_few_clips_are_unseen(sections, unseen, between):
    rates, found = alarms(sections, unseen, between)
    assert 0.02 < rates.mean() < 0.12
    assert found.mean() > 0.8


def test_of_one_machine_and_two_unseen_clips_more_pass_for_two_say_little():
    assert alarms(1, (2, 3), 0.0, times=400)[0] < 0.25
    assert alarms(1, (5, 6), 0.0, times=400)[0] < 0.15


def test_a_machine_that_drifts_does_not_deafen_the_others():
    """A gap that all sections share would be that of the first one: no fault of the others would be found."""
    rates, found = alarms(12, (2, 5), 0.15, drifting=5.0)
    assert rates[1:].mean() < 0.1
    assert found[1:].mean() > 0.6
    assert rates[0] < 0.3


def test_one_or_two_clips_that_happen_to_agree_do_not_say_that_all_do():
    spread = spread_of([np.array([1.0, 1.0]), np.array([3.0]), np.array([5.0])])
    assert spread.within > 1.5
    assert spread_of([np.array([1.0, 1.1, 0.9, 1.0] * 30), np.array([5.0, 5.1, 4.9, 5.0] * 30)]).within < 0.2


def test_a_section_is_predicted_from_its_own_clips_the_more_it_has():
    spread = spread_of([np.array([0.0, 0.2, 0.1]), np.array([2.0, 2.2, 2.1]), np.array([4.0, 4.2, 4.1])])
    few, many = predict(np.array([4.0]), spread), predict(np.full(50, 4.0), spread)
    assert spread.mean < few[0] < many[0] < 4
    assert few[1] > many[1] > spread.within**0.5
    variance = spread.within + spread.between + spread.error
    assert predict(np.empty(0), spread) == pytest.approx((spread.mean, variance**0.5))


def test_of_one_section_the_prediction_is_that_of_its_clips():
    clips = np.array([1.0, 2.0, 4.0, 5.0])
    spread = spread_of([clips])
    assert spread.within == pytest.approx(clips.var(ddof=1))
    assert predict(clips, spread) == pytest.approx((3.0, clips.std(ddof=1) * (1 + 1 / 4) ** 0.5))


@pytest.mark.parametrize("shift", [0.0, -5.0])
def test_clips_trained_on_score_like_unseen_ones_and_keep_their_order(shift):
    rng = np.random.default_rng(0)
    fitted = [np.exp(rng.normal(0, 0.1, 50)) + shift for _ in range(8)]
    unseen = [np.exp(rng.normal(1, 0.4, 12)) + shift for _ in range(8)]
    gaps = Gaps(unseen, fitted)
    made = [gaps.as_unseen(number) for number in range(8)]
    assert all((new.argsort() == known.argsort()).all() for new, known in zip(made, fitted, strict=True))
    quantiles = [np.quantile(np.concatenate(scores), [0.1, 0.5, 0.9]) - shift for scores in (made, unseen, fitted)]
    assert quantiles[0] == pytest.approx(quantiles[1], rel=0.3)
    assert (quantiles[2] < 0.7 * quantiles[1]).all()


def test_of_one_section_and_one_unseen_clip_the_gap_is_that_clip_s():
    gaps = Gaps([np.array([np.e])], [np.exp(np.array([-0.1, 0.0, 0.1]))])
    assert np.log(gaps.as_unseen(0)) == pytest.approx([0.9, 1.0, 1.1])


@pytest.mark.parametrize("value", [1.0, 0.1, -0.1])
def test_scores_that_are_all_equal_get_the_gap(value):
    gaps = Gaps([np.array([value + 1]), np.array([value + 1] * 2)], [np.full(6, value), np.full(3, value)])
    assert gaps.as_unseen(0) == pytest.approx([value + 1] * 6)


def test_scores_that_are_not_positive_have_gaps_in_deviations():
    fitted = [np.array([-1.0, 1.0]), np.array([-3.0, 1.0]), np.array([8.0, 12.0])]
    unseen = [np.array([4.0, 4.0]), np.array([7.0]), np.array([])]
    gaps = Gaps(unseen, fitted)
    assert [list(group) for group in gaps.groups] == [[4, 4], [4], []]
    made = [gaps.as_unseen(number) for number in range(3)]
    assert made == [pytest.approx(expected) for expected in ([3, 5], [5, 9], [16, 20])]


def test_sections_of_which_no_clip_was_trained_on_stay_as_they_are():
    table = pd.DataFrame(
        {
            "seed": [0] * 7 + [1] * 7,
            "machine": (["fan"] * 5 + ["pump"] * 2) * 2,
            "section": "00",
            "split": "train",
            "fitted": ([True] * 4 + [False] * 3) * 2,
            "score": [1, 1.1, 0.9, 1.05, 9, 2, 3, 2, 2.2, 1.8, 2.1, 4, 5, 6],
        }
    )
    made = as_unseen(table)
    assert list(made["score"][4:7]) == [9, 2, 3]
    assert (made["score"][:4] > 8).all()
    alone = as_unseen(table[table["machine"] == "fan"])
    assert list(made["score"][made["machine"] == "fan"]) == list(alone["score"])
    assert np.log(made["score"][7:11]).mean() == pytest.approx(np.log(4)), "every seed by itself"
