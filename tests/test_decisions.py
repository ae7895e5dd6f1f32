"""F1, precision, recall and F1-EV, against scikit-learn, sums by hand and the authors' program."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import made_clips, made_scores
from sklearn.metrics import f1_score, precision_recall_fscore_support

from asd.evaluation.by_attribute import attribute_table
from asd.evaluation.decision_figures import decision_values, f1_ev, f1_ev_bounded, precision_recall_f1
from asd.evaluation.labelled_scores import join_truth

DOZEN = np.array([1, 4, 5, 3, 7, 10, 2, 6, 8, 7, 10, 11.0])
ANOMALOUS = np.repeat([False, True], 6)
FLAGS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


@given(FLAGS)
def test_precision_recall_f1_are_those_of_scikit_learn(flags):
    anomalous, decided = np.array(flags).T
    expected = precision_recall_fscore_support(anomalous, decided, average="binary", zero_division=0)[:3]
    assert precision_recall_f1(anomalous, decided) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "ev", "bounded"),
    [(DOZEN, 0.5922335344394168, 0.7417582417582418), (-DOZEN, 0.32708471267294803, 0.18181818181818182)],
)
def test_f1_ev_is_what_the_authors_program_prints(scores, ev, bounded):
    """The second has its best threshold below the mean of the normal scores."""
    assert f1_ev(ANOMALOUS, scores) == pytest.approx(ev, abs=1e-12)
    assert f1_ev_bounded(ANOMALOUS, scores) == pytest.approx(bounded, abs=1e-12)


@pytest.mark.slow
def test_f1_ev_is_the_mean_over_uniform_thresholds():
    thresholds = np.linspace(1, 11, 20001)[:-1] + 0.00025
    mean = np.mean([f1_score(ANOMALOUS, threshold < DOZEN) for threshold in thresholds[::20]])
    assert f1_ev(ANOMALOUS, DOZEN) == pytest.approx(mean, abs=2e-3)


def test_f1_ev_rewards_a_wide_gap_that_no_auc_sees():
    narrow, wide = np.r_[0, 1, 2, 3, 4, 5.0], np.r_[0, 1, 2, 13, 14, 15.0]
    anomalous = np.repeat([False, True], 3)
    assert f1_ev(anomalous, wide) > f1_ev(anomalous, narrow)


def test_f1_ev_of_equal_scores_is_that_of_no_alarm():
    assert f1_ev(ANOMALOUS, np.ones(12)) == 0


def made_table(**how):
    clips, _, truth = made_clips(**how)
    scores = made_scores(clips, truth, "frozen", seeds=(0, 1)).assign(system="frozen")
    truth["anomaly"] = pd.to_numeric(truth["anomaly"])
    return join_truth(scores, clips, truth)


def test_figures_of_a_domain_use_its_own_anomalies():
    table = made_table()
    values = decision_values(table).set_index(["machine", "seed", "measure"])["value"]
    own = table[(table["machine"] == "fan") & (table["seed"] == 1) & (table["domain"] == "target")]
    expected = precision_recall_fscore_support(own["anomaly"], own["decision"], average="binary", zero_division=0)
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        assert values["fan", 1, f"{name}_target"] == pytest.approx(value)


def test_without_decisions_there_is_f1_ev_alone():
    values = decision_values(made_table().assign(decision=np.nan))
    assert set(values["measure"]) == {"f1_ev", "f1_ev_bounded"}


def test_attribute_values_have_figures_of_their_own():
    table = made_table(domains=("source",))
    found = attribute_table(table).set_index(["machine", "attribute", "value"]).loc["fan", "speed", "1"]
    own = table[(table["machine"] == "fan") & (table["attributes"] == "speed=1")]
    assert (found["normal"], found["anomalous"], found["domain"]) == (3, 3, "source")
    normal = own[own["anomaly"] == 0]
    assert found["false_alarm_rate"] == pytest.approx(100 * normal["decision"].mean(), abs=0.006)
    pairs = [
        (a > n) + (a == n) / 2
        for seed in (0, 1)
        for n in normal.loc[normal["seed"] == seed, "score"]
        for a in own.loc[(own["anomaly"] == 1) & (own["seed"] == seed), "score"]
    ]
    assert found["auc_within"] == pytest.approx(100 * np.mean(pairs), abs=0.006)
    assert attribute_table(table.assign(attributes="")).empty
