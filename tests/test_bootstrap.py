"""The bootstrap, against a loop that repeats clips, and by how often its interval holds the true value."""

from statistics import NormalDist

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asd.core.compute import rng
from asd.evaluation.bootstrap import bias_corrected_interval, resample_recordings, resampled_scores
from asd.evaluation.official import ONE_DOMAIN, YEARS, official_scores, point_values
from asd.evaluation.sections import LabelledSection

YEAR = 2025
OFFICIAL = YEARS[YEAR]


def made_section(draw, each=(9, 5, 8, 6), systems=1, seeds=1, machine="fan", recording=None, gain=1.0):
    """Binormal scores, unbalanced cells."""
    anomalous = np.repeat([False, False, True, True], each)
    domain = np.repeat(np.array(["source", "target"] * 2, dtype=object), each)
    clips = np.array([f"clip {i}" for i in range(len(anomalous))], dtype=object)
    scores = {
        f"system_{i}": draw.normal(size=(seeds, len(anomalous))).round(1) + gain * anomalous for i in range(systems)
    }
    return LabelledSection(machine, "00", anomalous, domain, clips if recording is None else recording, scores)


def test_resampled_scores_are_those_of_repeated_clips():
    section = made_section(np.random.default_rng(3), seeds=2)
    resampled = resampled_scores([section], OFFICIAL, 25, seed=1)["system_0"]
    weights = resample_recordings(section, 25, rng(1, "bootstrap", "fan", "00")).astype(int)
    for column, found in zip(weights.T, resampled, strict=True):
        take = np.repeat(np.arange(len(column)), column)
        anomalous, domain = section.anomalous[take], section.domain[take]
        by_seed = []
        for row in section.scores["system_0"]:
            score = row[take]
            aucs = [
                roc_auc_score(anomalous[keep], score[keep])
                for keep in (anomalous | (domain == "source"), anomalous | (domain == "target"))
            ]
            by_seed.append(3 / sum(1 / v for v in (*aucs, roc_auc_score(anomalous, score, max_fpr=0.1))))
        assert found == pytest.approx(np.mean(by_seed), abs=1e-12)


def test_strata_keep_their_sizes_and_recordings_stay_whole():
    section = made_section(np.random.default_rng(0))
    weights = resample_recordings(section, 50, np.random.default_rng(1))
    for anomalous in (False, True):
        for domain in ("source", "target"):
            cell = section.clips(anomalous, domain)
            assert (weights[cell].sum(axis=0) == len(cell)).all()
    pairs = np.array([f"recording {i // 2}" for i in range(28)], dtype=object)
    paired = made_section(np.random.default_rng(0), each=(8, 8, 6, 6), recording=pairs)
    weights = resample_recordings(paired, 50, np.random.default_rng(1))
    assert (weights[0::2] == weights[1::2]).all()
    assert (weights != 1).any()


def test_interval_is_the_bias_corrected_one():
    """By the formula, with the quantiles by sorting."""
    resampled = np.random.default_rng(5).normal(0.6, 0.03, size=999)
    value, normal = 0.61, NormalDist()
    bias = normal.inv_cdf(sum(v < value for v in resampled) / len(resampled))
    expected = []
    for reach in (-1.959963985, 1.959963985):
        place = normal.cdf(2 * bias + reach) * (len(resampled) - 1)
        ordered, whole = sorted(resampled), int(place)
        expected.append(ordered[whole] + (place - whole) * (ordered[whole + 1] - ordered[whole]))
    assert bias_corrected_interval(value, resampled) == pytest.approx(expected, abs=1e-9)
    assert bias_corrected_interval(value, resampled)[0] > np.quantile(resampled, 0.025)


def test_wider_confidence_wider_interval_and_it_holds_the_value():
    sections = [made_section(np.random.default_rng(i), each=(25,) * 4, machine=f"m{i}") for i in range(3)]
    value = official_scores(point_values(sections, YEAR), "official", YEAR)["system_0"].mean()
    resampled = resampled_scores(sections, OFFICIAL, 1000, seed=0)["system_0"]
    inner, outer = (bias_corrected_interval(value, resampled, confidence) for confidence in (0.8, 0.99))
    assert outer[0] < inner[0] < value < inner[1] < outer[1]


def test_same_seed_same_resamples_whatever_else_is_evaluated():
    fan, pump = (made_section(np.random.default_rng(0), machine=machine, systems=2) for machine in ("fan", "pump"))
    both = resampled_scores([fan, pump], OFFICIAL, 1200, seed=4)
    again = resampled_scores([pump, fan], OFFICIAL, 1200, seed=4)
    assert np.allclose(both["system_1"], again["system_1"], rtol=1e-14)
    assert not np.allclose(both["system_1"], resampled_scores([fan, pump], OFFICIAL, 1200, seed=5)["system_1"])
    fewer = resampled_scores([fan], OFFICIAL, 1200, seed=4)["system_0"]
    assert (fewer == resampled_scores([fan], OFFICIAL, 1200, seed=4)["system_0"]).all()


def test_identical_systems_differ_by_nothing():
    section = made_section(np.random.default_rng(0), systems=2)
    section.scores["system_1"] = section.scores["system_0"].copy()
    resampled = resampled_scores([section], OFFICIAL, 300, seed=0)
    assert bias_corrected_interval(0.0, resampled["system_0"] - resampled["system_1"]) == (0.0, 0.0)


def test_all_resamples_on_one_side_still_give_an_interval():
    assert bias_corrected_interval(2.0, np.linspace(0, 1, 11)) == pytest.approx((1.0, 1.0), abs=0.2)


def test_coverage():
    """300 test sets of binormal scores: the 95 % interval of the AUC score holds the true value in 91 to 98.5 %.

    One domain, 40 clips a class, true AUC Phi(1 / sqrt 2); the true pAUC is that of 400,000 clips.
    """
    draw = np.random.default_rng(11)
    large = made_section(draw, each=(200_000, 0, 200_000, 0))
    truth = official_scores(point_values([large], YEAR), "score_one_domain", YEAR)["system_0"][0]
    held = 0
    for number in range(300):
        section = made_section(draw, each=(40, 0, 40, 0))
        value = official_scores(point_values([section], YEAR), "score_one_domain", YEAR)["system_0"][0]
        resampled = resampled_scores([section], ONE_DOMAIN, 400, seed=number)["system_0"]
        low, high = bias_corrected_interval(value, resampled)
        held += low <= truth <= high
    assert 0.91 <= held / 300 <= 0.985
