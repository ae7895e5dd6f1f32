"""The official metric, against arithmetic by hand, scikit-learn, and a straightforward second implementation."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import made_clips, made_scores, write_project
from sklearn.metrics import roc_auc_score

from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.core.project import LABELS
from asd.evaluation.agreement import agreement_table
from asd.evaluation.auc import auc, partial_auc
from asd.evaluation.curves import roc
from asd.evaluation.labelled_scores import check_scores
from asd.evaluation.official import mean, official_scores, point_values
from asd.evaluation.sections import LabelledSection, section_measure
from stages import evaluate

YEAR = 2025
SCORES = st.integers(-5, 5).map(float)  # few levels: many ties


def section_of(anomalous, domain, *scores):
    clips = np.array([str(i) for i in range(len(anomalous))], dtype=object)
    scores = {f"system_{i}": np.atleast_2d(np.asarray(s, dtype=float)) for i, s in enumerate(scores)}
    return LabelledSection("fan", "00", np.array(anomalous, dtype=bool), np.array(domain, dtype=object), clips, scores)


# A dozen scores, s = source, t = target:
#   normal    s: 1 4 5    t: 3 7 10
#   anomalous s: 2 6 8    t: 7 10 11
# AUC source: of the six anomalies, above 1: 6, above 4: 5, above 5: 5                          -> 16 / 18
# AUC target: above 3: 5, above 7: 3 and one tie 3.5, above 10: 1 and one tie 1.5                -> 10 / 18
# within source: above 1: 3, 4: 2, 5: 2 -> 7 / 9;  within target: above 3: 3, 7: 2.5, 10: 1.5     -> 7 / 9
# pAUC: a normal clip is 1/6 of false-positive rate. ROC from (0, 1/6) (the 11), then the tie at 10 leads straight
#   to (1/6, 2/6): slope 1. Area up to 0.1: 0.1 (1/6 + 0.05) = 0.0216667. McClish: chance 0.1^2 / 2 = 0.005, most 0.1:
#   (1 + (0.0216667 - 0.005) / (0.1 - 0.005)) / 2                                                -> 0.587719
# official: 3 / (18/16 + 18/10 + 1/0.587719) = 3 / 4.626493                                      -> 0.648440
DOZEN = section_of(
    [0] * 6 + [1] * 6,
    ["source"] * 3 + ["target"] * 3 + ["source"] * 3 + ["target"] * 3,
    [1, 4, 5, 3, 7, 10, 2, 6, 8, 7, 10, 11],
)
BY_HAND = {
    "auc_source": 16 / 18,
    "auc_target": 10 / 18,
    "auc_source_within": 7 / 9,
    "auc_target_within": 7 / 9,
    "pauc": 0.5877193,
}


def test_a_dozen_scores_by_hand():
    points = point_values([DOZEN], YEAR)
    assert dict(zip(points["measure"], points["value"], strict=True)) == pytest.approx(BY_HAND, abs=1e-7)
    assert official_scores(points, "official", YEAR)["system_0"] == pytest.approx([0.648440], abs=1e-6)
    assert not official_scores(points, "score_one_domain", YEAR)


@given(st.lists(SCORES, min_size=1, max_size=40), st.lists(SCORES, min_size=1, max_size=40))
def test_auc_and_partial_auc_are_those_of_scikit_learn(normal, anomalous):
    truth, scores = [0] * len(normal) + [1] * len(anomalous), normal + anomalous
    own = np.array(normal), np.array(anomalous)
    assert abs(auc(*own)[0] - roc_auc_score(truth, scores)) <= 1e-12
    assert abs(partial_auc(*own)[0] - roc_auc_score(truth, scores, max_fpr=0.1)) <= 1e-12


@given(st.lists(SCORES, min_size=2, max_size=20), st.lists(SCORES, min_size=2, max_size=20), st.randoms())
def test_a_weight_is_a_repetition(normal, anomalous, random):
    normal, anomalous = np.array(normal), np.array(anomalous)
    weights = [np.array([[random.randint(0, 3)] for _ in own]) for own in (normal, anomalous)]
    weights[0][0] = weights[1][0] = 1
    repeated = [np.repeat(own, count[:, 0]) for own, count in zip((normal, anomalous), weights, strict=True)]
    for function in (auc, partial_auc):
        assert function(normal, anomalous, *weights) == pytest.approx(function(*repeated), abs=1e-12)


def straightforward(machines):
    """The definition, machine by machine and sum by sum."""
    values = []
    for anomaly, domain, score in machines:
        for d in ("source", "target"):
            keep = (anomaly == 1) | (domain == d)
            values.append(roc_auc_score(anomaly[keep], score[keep]))
        values.append(roc_auc_score(anomaly, score, max_fpr=0.1))
    return len(values) / sum(1 / max(v, sys.float_info.epsilon) for v in values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(1, 9)] * 4), min_size=1, max_size=4), st.integers(1, 12), st.integers(0, 999))
def test_official_score_of_unbalanced_cells_with_ties(cells, levels, seed):
    draw, machines = np.random.default_rng(seed), []
    for counts in cells:
        anomaly = np.repeat([0, 0, 1, 1], counts)
        domain = np.repeat(np.array(["source", "target"] * 2, dtype=object), counts)
        machines.append((anomaly, domain, draw.integers(levels, size=len(anomaly)).astype(float)))
    values = official_scores(point_values([section_of(*m) for m in machines], YEAR), "official", YEAR)
    assert abs(values["system_0"][0] - straightforward(machines)) <= 1e-12


@given(st.integers(0, 999))
def test_no_monotone_map_of_the_scores_changes_a_figure(seed):
    scores = np.random.default_rng(seed).integers(-6, 7, size=len(DOZEN.anomalous)).astype(float)
    for name in BY_HAND:
        before = section_measure(DOZEN, name, scores)
        assert section_measure(DOZEN, name, np.exp(scores / 3) - 7) == pytest.approx(before, abs=0)
        assert section_measure(DOZEN, name, scores**3) == pytest.approx(before, abs=0)


def test_harmonic_mean_survives_a_zero():
    assert mean(np.array([0.0, 0.5])) == pytest.approx(2 * sys.float_info.epsilon, rel=1e-6)


def test_roc_is_linear_through_ties_and_takes_the_top_of_a_step():
    scores, anomalous = np.array([3.0, 2, 2, 1]), np.array([True, True, False, False])
    assert roc(scores, anomalous, np.array([0, 0.25, 0.5, 1])) == pytest.approx([0.5, 0.75, 1, 1])


def evaluated(**how):
    systems = write_project(**how)
    evaluate.main()
    return read_json("metrics/evaluate.json"), systems


def test_stage_writes_figures_of_every_system(workdir):
    metrics, systems = evaluated()
    assert set(metrics) == {"data", "pseudo_label", "ensemble", *systems}
    assert metrics["data"]["name"] == "simulated"
    assert metrics["data"]["clips"] == 2 * 4 * 6
    assert len(metrics["data"]["digest"]) == 8
    assert "published" not in metrics["data"]
    best = metrics["ensemble"]
    assert 0 < best["official_low"] < best["official"] < best["official_high"] <= 100
    assert {"auc_source", "auc_target", "pauc", "auc_source_within", "false_alarm_rate", "vs_autoencoder"} <= set(best)
    assert set(best["machines"]) == {"fan", "pump"}
    assert "seed_sd" not in best
    assert "vs_autoencoder" not in metrics["autoencoder"]
    table = pd.read_csv("data/evaluation/machines.csv")
    columns = table[table["system"] == "ensemble"]["auc_source"] / 100
    assert best["auc_source"] == pytest.approx(100 * mean(columns.to_numpy()), abs=0.01)
    assert "official" not in Path("data/evaluation/scores.csv").read_text().splitlines()[0]


def test_pseudo_labels_are_judged_where_they_were_found(workdir):
    metrics, _ = evaluated()
    assert set(metrics["pseudo_label"]) == {"pump"}
    assert metrics["pseudo_label"]["pump"]["hierarchical"] == {"ami": 1.0, "ari": 1.0, "groups": 2}
    assert metrics["pseudo_label"]["pump"]["frequency"] == {"ami": 0.0, "ari": 0.0, "groups": 1}
    truth = pd.read_csv("data/ground_truth.csv", dtype={"clip_id": str}).assign(attributes="")
    assert agreement_table(truth, LABELS / "pseudo").empty


def test_official_files_bear_the_organisers_names_and_every_clip(workdir):
    _, systems = evaluated(seeds=(0, 1))
    folder = Path("data/evaluation/official") / systems[0]
    assert {f.name for f in folder.iterdir()} == {
        f"{content}_{machine}_section_00_test.csv"
        for content in ("anomaly_score", "decision_result")
        for machine in ("fan", "pump")
    }
    lines = (folder / "anomaly_score_fan_section_00_test.csv").read_text().splitlines()
    scores = pd.read_csv(f"data/scores/{systems[0]}/scores.csv", dtype={"clip_id": str})
    files = pd.read_csv("data/files.csv", dtype={"clip_id": str})
    own = scores.merge(files, on="clip_id").query("machine == 'fan' and split == 'test'")
    expected = own.assign(name=own["path"].str.split("/").str[-1]).groupby("name")["score"].mean()
    assert [line.split(",")[0] for line in lines] == list(expected.index)
    assert [float(line.split(",")[1]) for line in lines] == pytest.approx(list(expected))
    decisions = (folder / "decision_result_fan_section_00_test.csv").read_text().splitlines()
    assert [int(line.split(",")[1]) for line in decisions] == [int(v > 6.5) for v in expected]


def test_several_training_seeds_count_as_their_mean(workdir):
    metrics, systems = evaluated(seeds=(0, 1, 2))
    table = pd.read_csv("data/evaluation/scores.csv", dtype={"clip_id": str, "section": str})
    own = table[table["system"] == systems[1]]
    columns = ["anomaly", "domain", "score"]
    by_seed = [
        straightforward([[group[column].to_numpy() for column in columns] for _, group in seed.groupby("machine")])
        for _, seed in own.groupby("seed")
    ]
    assert metrics[systems[1]]["official"] == pytest.approx(100 * np.mean(by_seed), abs=0.006)
    assert metrics[systems[1]]["seed_sd"] == pytest.approx(100 * np.std(by_seed, ddof=1), abs=0.006)
    assert metrics[systems[1]]["seeds"] == 3


def test_averaged_training_seeds_are_one_system(workdir):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("average_seeds: false", "average_seeds: true"))
    metrics, systems = evaluated(seeds=(0, 1, 2))
    assert metrics[systems[0]]["seeds"] == 1
    assert "seed_sd" not in metrics[systems[0]]


def test_one_domain_has_a_headline_of_its_own(workdir):
    metrics, systems = evaluated(domains=("unknown",))
    own = metrics[systems[2]]
    assert {"score_one_domain", "score_one_domain_low", "score_one_domain_high", "auc", "pauc"} <= set(own)
    assert not {"official", "auc_source", "auc_target"} & set(own)
    columns = own["machines"]["fan"]["section_00"], own["machines"]["pump"]["section_00"]
    four = [m[name] / 100 for m in columns for name in ("auc", "pauc")]
    assert own["score_one_domain"] == pytest.approx(100 * mean(np.array(four)), abs=0.02)


@pytest.mark.parametrize(
    ("how", "reason", "alarms"),
    [({"anomalies": False}, "no anomalous test clips", True), ({"labelled": False}, "no labels", False)],
)
def test_without_anomalies_or_labels_there_is_no_auc_and_no_failure(workdir, how, reason, alarms):
    metrics, systems = evaluated(**how)
    assert metrics["data"]["unlabelled"] == {m: {"section_00": reason} for m in ("fan", "pump")}
    for system in systems:
        assert not [key for key in metrics[system] if "auc" in key or "official" in key or "score" in key]
        assert ("false_alarm_rate" in metrics[system]) == alarms
    for plot in ("roc", "scores"):
        assert Path(f"metrics/plots/{plot}.csv").read_text().startswith("system,")
    assert len(Path("metrics/plots/roc.csv").read_text().splitlines()) == 1
    assert len(pd.read_csv("data/evaluation/scores.csv")) == (len(systems) + 1) * metrics["data"]["clips"]


def test_committed_plots_stay_small(workdir):
    evaluated()
    for plot in ("roc", "scores"):
        assert 0 < len(pd.read_csv(f"metrics/plots/{plot}.csv")) <= 200


def test_order_of_rows_changes_nothing(workdir):
    _, systems = evaluated()
    outputs = [Path("metrics/evaluate.json"), *sorted(Path("data/evaluation").rglob("*.csv"))]
    before = [f.read_bytes() for f in outputs]
    for path in [Path(f"data/scores/{systems[0]}/scores.csv"), Path("data/ground_truth.csv")]:
        header, *lines = path.read_text().splitlines()
        path.write_text("\n".join([header, *lines[::-1]]) + "\n")
    evaluate.main()
    assert [f.read_bytes() for f in outputs] == before


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s: s.assign(score=s["score"].where(s.index != 3, np.nan)), "no finite number: machine"),
        (lambda s: s.assign(score=s["score"].where(s.index != 3, np.inf)), "no finite number: machine"),
        (lambda s: pd.concat([s, s.iloc[[5]]]), "two scores"),
        (lambda s: s[s["split"] == "train"].copy(), "has no score"),
        (lambda s: s.assign(clip_id=s["clip_id"].where(s.index != 3, "f" * 16)), "not in data/clips.csv"),
    ],
)
def test_bad_scores_are_named(spoil, says):
    clips, _, truth = made_clips()
    scores = spoil(made_scores(clips, truth, "frozen"))
    with pytest.raises(UserError, match=rf"^system frozen .*{says}.*clip [0-9a-f]{{16}}"):
        check_scores("frozen", scores, clips)


def judged_as(name, **how):
    """Evaluate made-up scores as if they were of that data set."""
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("name: simulated", f"name: {name}"))
    systems = write_project(**how)
    return evaluate.main(), read_json("metrics/evaluate.json"), systems


@pytest.mark.parametrize(
    ("year", "figures", "stem"),
    [
        (2020, {"auc", "pauc"}, "fan_id_00"),
        (2021, {"auc_source_within", "pauc_target_within"}, "fan_section_00_target_test"),
        (2024, {"auc_source", "pauc", "auc_source_within", "organisers_ci95"}, "fan_section_00_test"),
    ],
)
def test_each_year_has_its_own_metric_and_names(workdir, year, figures, stem):
    _, metrics, systems = judged_as(f"dcase{year}")
    own = metrics[systems[1]]
    assert figures | {"official", "official_low", "f1_ev"} <= set(own)
    assert ("auc_source" in own) == (year >= 2022)
    assert (Path("data/evaluation/official") / systems[1] / f"anomaly_score_{stem}.csv").is_file()


def test_a_run_on_real_data_is_held_against_the_published_baseline(workdir):
    line, metrics, _ = judged_as("dcase2025")
    assert metrics["data"]["published"].startswith("2025 dev ")
    assert "published 56.26" in metrics["data"]["published"]
    assert line.endswith(f"; autoencoder {metrics['data']['published']}")
