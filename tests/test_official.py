"""Every year's official score, against independent straightforward implementations and the organisers' figures."""

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from asd.evaluation.bootstrap import resampled_scores
from asd.evaluation.labelled_scores import labelled_sections
from asd.evaluation.official import (
    YEARS,
    average_points,
    official_scores,
    organisers_ci95,
    point_values,
    score_name,
    year_of,
)


def made_table(counts, levels, seed):
    """Scores of few levels for ``counts[machine][section] = (normal s, normal t, anomalous s, anomalous t)``."""
    draw, rows = np.random.default_rng(seed), []
    for machine, sections in enumerate(counts):
        for section, cells in enumerate(sections):
            for (anomaly, domain), count in zip(
                [(a, d) for a in (0, 1) for d in ("source", "target")], cells, strict=True
            ):
                rows += [(f"m{machine}", f"{section:02d}", domain, anomaly)] * count
    table = pd.DataFrame(rows, columns=["machine", "section", "domain", "anomaly"])
    clip = [f"clip {i:04d}" for i in draw.permutation(len(table))]
    score = draw.integers(levels, size=len(table)).astype(float)
    return table.assign(system="a", seed=0, clip_id=clip, recording=clip, score=score)


def hmean(values):
    return len(values) / sum(1 / max(v, sys.float_info.epsilon) for v in values)


def official_2020(table):
    """Mean over machines of the mean over their ids, of AUC and of pAUC; then the mean of both."""
    averages = []
    for limit in (None, 0.1):
        machines = []
        for _, machine in table.groupby("machine"):
            ids = [roc_auc_score(i["anomaly"], i["score"], max_fpr=limit) for _, i in machine.groupby("section")]
            machines.append(sum(ids) / len(ids))
        averages.append(sum(machines) / len(machines))
    return sum(averages) / 2


def official_2021(table):
    """Harmonic mean of the AUC and pAUC of every machine, section and domain by itself."""
    values = []
    for _, own in table.groupby(["machine", "section", "domain"]):
        values += [roc_auc_score(own["anomaly"], own["score"], max_fpr=limit) for limit in (None, 0.1)]
    return hmean(values)


def official_2022(table):
    """Harmonic mean of each section's AUCs of a domain's normals against all anomalies, and its pAUC of all."""
    values = []
    for _, own in table.groupby(["machine", "section"]):
        for domain in ("source", "target"):
            kept = own[(own["domain"] == domain) | (own["anomaly"] == 1)]
            values.append(roc_auc_score(kept["anomaly"], kept["score"]))
        values.append(roc_auc_score(own["anomaly"], own["score"], max_fpr=0.1))
    return hmean(values)


CELLS = st.tuples(*[st.integers(1, 9)] * 4)
COUNTS = st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=3)
STRAIGHTFORWARD = {2020: official_2020, 2021: official_2021} | dict.fromkeys(range(2022, 2027), official_2022)


@pytest.mark.slow
@pytest.mark.parametrize("year", YEARS)
@settings(max_examples=40, deadline=None)
@given(counts=COUNTS, levels=st.integers(1, 12), seed=st.integers(0, 999))
def test_official_score_of_unbalanced_cells_with_ties(year, counts, levels, seed):
    table = made_table(counts, levels, seed)
    values = official_scores(point_values(labelled_sections(table), year), "official", year)
    assert abs(values["a"][0] - STRAIGHTFORWARD[year](table)) <= 1e-12


@pytest.mark.parametrize("year", [2020, 2021, 2022])
def test_resampled_score_is_the_score_where_every_clip_is_drawn_alike(year):
    """All clips of a cell score the same, so that a resample changes nothing."""
    table = made_table([[(5, 6, 7, 8), (9, 5, 6, 7)], [(5, 5, 5, 5)]], 5, 3)
    table["score"] = table.groupby(["machine", "section", "domain", "anomaly"])["score"].transform("first")
    sections = labelled_sections(table)
    resampled = resampled_scores(sections, YEARS[year], 20, seed=0)["a"]
    assert resampled == pytest.approx(np.full(20, STRAIGHTFORWARD[year](table)), abs=1e-12)


@pytest.mark.parametrize(
    ("cells", "year", "headline"),
    [
        ((5, 0, 5, 0), 2020, "official"),
        ((5, 5, 5, 0), 2022, "official"),
        ((5, 5, 5, 0), 2021, "score_one_domain"),
        ((5, 0, 5, 5), 2022, "score_one_domain"),
    ],
)
def test_a_section_enters_the_official_score_with_the_clips_that_it_needs(cells, year, headline):
    section = labelled_sections(made_table([[cells]], 5, 0))[0]
    assert score_name(section, year) == headline


def test_years_of_data_sets():
    assert [year_of(name) for name in ("dcase2020", "dcase2021", "dcase2025", "simulated", "folder")] == [
        2020, 2021, 2025, 2026, 2026,
    ]  # fmt: skip


def test_machines_count_the_same_in_2020_and_sections_do_later():
    points = pd.DataFrame({"machine": ["a", "a", "a", "b"], "value": [0.2, 0.2, 0.2, 0.8]})
    assert average_points(points, YEARS[2020]) == pytest.approx(0.5)
    assert average_points(points, YEARS[2022]) == pytest.approx(4 / (3 / 0.2 + 1 / 0.8))


def test_organisers_interval_is_what_their_jackknife_prints():
    """0.010227703222366196: the evaluator's own function on these 24 scores, mean of its AUC and pAUC values."""
    scores = np.array([1, 4, 5, 3, 7, 10, 2, 6, 8, 7, 10, 11.0])
    table = made_table([[(6, 0, 6, 0)], [(6, 0, 6, 0)]], 5, 0)
    table["score"] = np.r_[scores, -scores]
    assert organisers_ci95(labelled_sections(table), "a") == pytest.approx(0.010227703222366196, rel=1e-12)
