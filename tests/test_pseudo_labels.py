"""Groups where there are groups, one where there are none, the same for any order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from asd.pseudo_labels.frequency import frequency, strongest_line
from asd.pseudo_labels.hierarchical import hierarchical
from asd.pseudo_labels.label import label
from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.trees import by_size, groups_by_gap

PARAMS = PseudoLabelParams.model_validate(
    {
        "min_groups": 2,
        "max_groups": 20,
        "hierarchical": {"linkage": "ward"},
        "frequency": {"features": "envelope", "f_min": 4.0, "prominence": 4.0},
    }
)


def blobs(groups=4, each=15, dims=8, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), each)
    return rng.normal(size=(groups, dims))[truth] + spread * rng.normal(size=(len(truth), dims)), truth


@pytest.mark.parametrize("groups", [2, 3, 7, 12])
def test_hierarchical_finds_the_groups_that_are_there(groups):
    x, truth = blobs(groups, dims=16)
    assert adjusted_rand_score(truth, hierarchical(x, np.full(len(x), "source"), PARAMS)) == 1


def test_target_clips_join_the_nearest_group_of_the_source():
    x, truth = blobs(3)
    domain = np.where(np.arange(len(x)) % 15 == 0, "target", "source")
    assert adjusted_rand_score(truth, hierarchical(x, domain, PARAMS)) == 1


@given(st.integers(0, 50))
def test_order_does_not_matter(seed):
    x, _ = blobs(5)
    order = np.random.default_rng(seed).permutation(len(x))
    source = np.full(len(x), "source")
    groups = hierarchical(x, source, PARAMS)
    assert adjusted_rand_score(groups[order], hierarchical(x[order], source, PARAMS)) == 1


@pytest.mark.parametrize("clips", [1, 2, 5])
@pytest.mark.parametrize("domain", ["source", "target"])
def test_few_or_equal_clips_are_defined(clips, domain):
    alike = np.ones((clips, 4))
    assert (hierarchical(alike, np.full(clips, domain), PARAMS) == 0).all()
    assert len(hierarchical(np.random.default_rng(0).normal(size=(clips, 4)), np.full(clips, domain), PARAMS)) == clips


def test_gap_rule_on_a_tree_worked_out_by_hand():
    # 6 points: merges at 1, 1, 1 leave 3 groups; the next costs 5, then 6. Largest ratio 5 / 1 at k = 3.
    assert groups_by_gap(np.array([1, 1, 1, 5, 6.0]), 2, 20) == 3
    assert groups_by_gap(np.array([1, 1, 1, 5, 60.0]), 2, 20) == 2
    assert groups_by_gap(np.array([1, 1, 1, 5, 60.0]), 3, 20) == 3
    assert groups_by_gap(np.zeros(5), 2, 20) == 1


def test_larger_groups_come_first():
    assert by_size(np.array([5, 9, 9, 9, 2, 2])).tolist() == [2, 0, 0, 0, 1, 1]


def spectrum(line, height=8.0, seed=0):
    rng = np.random.default_rng(seed)
    cells = np.exp(0.3 * rng.normal(size=801) - np.linspace(0, 2, 801))
    if line:
        cells[round(line / 0.25)] *= height
    return cells


@pytest.mark.parametrize("line", [5.0, 24.75, 120.0, 199.5])
def test_a_line_is_found_where_it_stands(line):
    assert strongest_line(spectrum(line), 0.25, 4.0, 4.0) == pytest.approx(line)


def test_noise_has_no_line():
    claimed = [np.isfinite(strongest_line(spectrum(0, seed=s), 0.25, 4.0, 4.0)) for s in range(200)]
    assert np.mean(claimed) <= 0.1
    assert np.isnan(strongest_line(np.zeros(801), 0.25, 4.0, 4.0))


def test_frequency_groups_by_gaps_and_joins_the_few():
    rng = np.random.default_rng(0)
    truth = np.repeat([20.0, 25.0, 31.0], 20)
    lines = truth * (1 + 0.002 * rng.normal(size=60))
    assert adjusted_rand_score(truth, frequency(lines, PARAMS)) == 1
    with_outliers = np.r_[lines, 90.0, np.nan, np.nan, np.nan]
    groups = frequency(with_outliers, PARAMS)
    assert groups[60] == groups[59]  # alone at 90 Hz: joins 31 Hz
    assert len(set(groups)) == 4  # without a line: a group of their own
    assert (frequency(np.full(9, np.nan), PARAMS) == 0).all()


def test_given_labels_stay_and_missing_ones_are_filled():
    x, truth = blobs(3, each=10)
    clips = pd.DataFrame({"clip_id": [f"{i:04}" for i in range(60)], "section": "00", "domain": "source"})
    clips["machine"] = ["fan"] * 30 + ["bearing"] * 30
    clips["label"] = [f"speed={t}" for t in truth] + [""] * 30
    lines = np.r_[np.full(30, np.nan), 20.0 + 5 * truth]
    tables, metrics = label(clips, np.r_[x, x], lines, PARAMS)
    for table in tables.values():
        assert list(table["clip_id"]) == list(clips["clip_id"])
        assert (table["label"] != "").all()
        assert (table.loc[:29, "method"] == "given").all()
        assert list(table.loc[:29, "label"]) == list(clips["label"][:30])
        assert table["confidence"].between(0, 1).all()
    assert metrics["fan"]["section_00"]["hierarchical"]["ami_given"] == pytest.approx(1)
    assert "ami_given" not in metrics["bearing"]["section_00"]["hierarchical"]
    assert metrics["fan"]["section_00"]["auto"] == "hierarchical"
