"""Scorers against few-line references; nothing of a test clip enters another's score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.errors import UserError
from asd.scoring.fusion import fuse, standardised
from asd.scoring.knn import KNN
from asd.scoring.params import KNNParams, ValueParams
from asd.scoring.table import COLUMNS, score_table

METRICS = ("cosine", "euclidean")


def distance(a, b, metric):
    if metric == "cosine":
        return 1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return np.linalg.norm(a - b)


def reference(x, memory, domain, k, metric):
    scores = []
    for a in x:
        means = []
        for d in set(domain):
            distances = sorted(distance(a, b, metric) for b, e in zip(memory, domain, strict=True) if e == d)
            means.append(np.mean(distances[:k]))
        scores.append(min(means))
    return np.array(scores)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 3, 30])
def test_knn_against_the_definition(metric, k):
    rng = np.random.default_rng(0)
    memory, x = rng.normal(size=(20, 5)), rng.normal(size=(7, 5))
    domain = np.array(["source"] * 16 + ["target"] * 4)
    knn = KNN(k, metric).fit(memory, domain)
    np.testing.assert_allclose(knn.score(x), reference(x, memory, domain, k, metric), rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_left_out_scores_are_those_of_a_memory_without_the_recording(metric):
    rng = np.random.default_rng(0)
    memory = rng.normal(size=(12, 5))
    domain = np.array(["source"] * 10 + ["target"] * 2)
    recording = np.array([f"r{i // 2}" for i in range(12)])
    scores = KNN(2, metric).fit(memory, domain).score_left_out(recording)
    for i in range(12):
        others = recording != recording[i]
        alone = KNN(2, metric).fit(memory[others], domain[others]).score(memory[i : i + 1])
        np.testing.assert_allclose(scores[i], alone[0], rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 30))
def test_one_by_one_or_all_at_once(metric, seed):
    rng = np.random.default_rng(seed)
    knn = KNN(2, metric).fit(rng.normal(size=(30, 8)) + 50, np.repeat(["source", "target"], [25, 5]))
    x = rng.normal(size=(9, 8)) + 50
    np.testing.assert_allclose(knn.score(x), [knn.score(a[None])[0] for a in x], rtol=1e-6, atol=1e-12)


def clip_table(train=20, test=8, machine="fan"):
    n = train + test
    return pd.DataFrame(
        {
            "clip_id": [f"{machine}{i:03}" for i in range(n)],
            "machine": machine,
            "section": "00",
            "split": ["train"] * train + ["test"] * test,
            "domain": ["source"] * (train - 4) + ["target"] * 4 + ["unknown"] * test,
            "kind": "machine",
            "recording": "",
        }
    )


def two_machines():
    clips = pd.concat([clip_table(), clip_table(machine="valve")]).sort_values("clip_id").reset_index(drop=True)
    supplement = clips.iloc[:1].assign(clip_id="zzz", split="supplemental", kind="noise")
    return pd.concat([clips, supplement]).reset_index(drop=True)


def test_score_table_holds_every_machine_clip_and_decides_by_the_training_quantile():
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    table = score_table(clips, {0: values, 1: values}, KNNParams(scorer="knn", quantile=0.9))
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 56
    assert "zzz" not in set(table["clip_id"]) | set(table["nearest"])
    fan = table[(table["machine"] == "fan") & (table["seed"] == 0)]
    train = fan[fan["split"] == "train"]
    assert fan["threshold"].iloc[0] == pytest.approx(np.quantile(train["score"], 0.9))
    assert (fan["decision"] == (fan["score"] > fan["threshold"])).all()
    assert (fan.loc[fan["split"] == "test", "nearest"].isin(train["clip_id"])).all()
    assert (fan.loc[fan["split"] == "train", "nearest"] == "").all()


def test_machines_do_not_feel_each_other_and_test_clips_neither():
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    params = KNNParams(scorer="knn")
    whole = score_table(clips, {0: values}, params).set_index("clip_id")["score"]
    some = clips[(clips["machine"] == "fan") & ((clips["split"] == "train") | (clips["clip_id"] == "fan025"))]
    alone = score_table(some.reset_index(drop=True), {0: values[some.index]}, params).set_index("clip_id")["score"]
    np.testing.assert_allclose(whole[alone.index], alone, rtol=1e-6)


def test_values_are_taken_as_they_are():
    clips = clip_table()
    values = np.arange(2.0 * len(clips), dtype=np.float32).reshape(-1, 2)
    table = score_table(clips, {0: values}, ValueParams(scorer="value", value="mahalanobis"))
    assert list(table["score"]) == list(values[:, 1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c, v: (c[c["split"] == "test"], v), "fan section 00 has test clips but no normal training clip"),
        (lambda c, v: (c[c["clip_id"] >= "fan019"], v), "fan has one normal training clip"),
        (lambda c, v: (c, v * np.nan), "what was extracted is not finite"),
    ],
)
def test_what_cannot_be_scored_is_one_line(change, says):
    clips, values = change(clip_table(), np.ones((28, 1, 3), dtype=np.float32))
    with pytest.raises(UserError, match=says):
        score_table(clips.reset_index(drop=True), {0: values[: len(clips)]}, KNNParams(scorer="knn"))


def scores_of(seed, scale=1.0):
    values = np.random.default_rng(seed).normal(size=(57, 1, 6)).astype(np.float32)
    table = score_table(two_machines(), {0: values}, KNNParams(scorer="knn", metric="euclidean"))
    return table.assign(score=scale * table["score"])


def test_standardised_by_training_scores_alone():
    table = standardised(scores_of(0))
    train = table[table["split"] == "train"].groupby("machine")["score"]
    np.testing.assert_allclose(train.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(ddof=0), 1)


def test_fusion_does_not_feel_a_member_s_scale():
    one = fuse({"a": scores_of(0), "b": scores_of(1)}, 0.9)
    two = fuse({"a": scores_of(0, scale=1000.0), "b": scores_of(1)}, 0.9)
    np.testing.assert_allclose(one["score"], two["score"])
    expected = (standardised(scores_of(0))["score"] + standardised(scores_of(1))["score"]) / 2
    np.testing.assert_allclose(one["score"], expected)


def test_members_of_other_clips_are_refused():
    with pytest.raises(UserError, match="b scored other clips"):
        fuse({"a": scores_of(0), "b": scores_of(1).iloc[1:]}, 0.9)
