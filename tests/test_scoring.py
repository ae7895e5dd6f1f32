"""The table of scores: independence of machines and test clips, thresholds, nearest clips, fusion, candidates."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from scipy.signal import lfilter

from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.section import checked, read_params
from asd.encoders.encoder_params import EncoderParams
from asd.encoders.networks import create_encoder
from asd.evaluation.trade_off import trade_off_table
from asd.features.front_end import FrontEnd
from asd.scoring.candidates import CANDIDATES, candidate_scores
from asd.scoring.fusion import FUSIONS, averaged, comparably, compressed, fuse, normalised, ranked, standardised
from asd.scoring.params import ThresholdParams
from asd.scoring.registry import ScoreParams, create_scorer
from asd.scoring.summary import guarantee, summary
from asd.scoring.table import CALIBRATING, COLUMNS, KEYS, P_VALUES, calibration, carried_over, score_table
from asd.scoring.thresholds import METHODS, p_values
from asd.scoring.unseen_clips import Gaps


def block(**keys):
    return checked(ScoreParams, keys).root


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
            "position": [*range(train - 4), *range(4), *[-1] * test],
            "fitted": False,
        }
    )


def two_machines():
    clips = pd.concat([clip_table(), clip_table(machine="valve")]).sort_values("clip_id").reset_index(drop=True)
    supplement = clips.iloc[:1].assign(clip_id="zzz", split="supplemental", kind="noise")
    return pd.concat([clips, supplement]).reset_index(drop=True)


def scored(clips, extracted, params, held_out=()):
    trained = set(clips["clip_id"]) - set(held_out)
    return score_table(clips, trained, extracted, params)


def test_score_table_holds_every_machine_clip_and_decides_by_the_worst_block():
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    table = scored(clips, {0: values, 1: values}, block(scorer="knn", quantile=0.9))
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 56
    assert "zzz" not in set(table["clip_id"]) | set(table["nearest"])
    fan = table[(table["machine"] == "fan") & (table["seed"] == 0)]
    train = fan[fan["split"] == "train"]
    assert fan["threshold"].iloc[0] == pytest.approx(train["score"].max()), "blocks of four clips: their largest"
    assert (fan["decision"] == (fan["score"] > fan["threshold"])).all()
    assert (fan.loc[fan["split"] == "test", "nearest"].isin(train["clip_id"])).all()
    assert (fan.loc[fan["split"] == "train", "nearest"] == "").all()


@pytest.mark.parametrize("params", [block(scorer="knn"), block(scorer="var_min", per_band=True)])
def test_machines_do_not_feel_each_other_and_test_clips_neither(params):
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 2, 6)).astype(np.float32)
    whole = scored(clips, {0: values}, params).set_index("clip_id")["score"]
    some = clips[(clips["machine"] == "fan") & ((clips["split"] == "train") | (clips["clip_id"] == "fan025"))]
    alone = scored(some.reset_index(drop=True), {0: values[some.index]}, params).set_index("clip_id")["score"]
    np.testing.assert_allclose(whole[alone.index], alone, rtol=1e-6)


def test_values_are_taken_as_they_are():
    clips = clip_table()
    values = np.arange(2.0 * len(clips), dtype=np.float32).reshape(-1, 2)
    table = scored(clips, {0: values}, block(scorer="value", value="mahalanobis"))
    assert list(table["score"]) == list(values[:, 1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c, v: (c[c["split"] == "test"], v), "fan section 00 has test clips but no normal training clip"),
        (lambda c, v: (c[c["clip_id"] >= "fan019"], v), "fan has one normal training clip"),
        (lambda c, v: (c, v * np.nan), "embeddings are not finite"),
    ],
)
def test_what_cannot_be_scored_is_one_line(change, says):
    clips, values = change(clip_table(), np.ones((28, 1, 3), dtype=np.float32))
    with pytest.raises(UserError, match=says):
        scored(clips.reset_index(drop=True), {0: values[: len(clips)]}, block(scorer="knn"))


@pytest.mark.parametrize("method", ["quantile", "gamma", "conformal"])
def test_few_unseen_clips_have_the_threshold_that_was_asked_for(method):
    """The gap that sections share is a part of worst_block alone."""
    clips = two_machines()
    clips["fitted"] = (clips["split"] == "train") & ~clips["clip_id"].str.endswith(("014", "015", "019"))
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    params = block(scorer="knn", threshold=method)
    table = score_table(clips, set(clips["clip_id"]), {0: values}, params)
    for _, own in table.merge(clips[["clip_id", *CALIBRATING]], on="clip_id").groupby("machine"):
        assert own["threshold"].iloc[0] == METHODS[method](calibration(own), 0.9)


@pytest.mark.parametrize("scorer", ["knn", "kmeans", "local_density", "gmm"])
def test_nearest_is_the_clip_that_the_scorer_names(scorer):
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 2, 6)).astype(np.float32)
    params = block(scorer=scorer, per_band=True)
    table = scored(clips, {0: values}, params).query("machine == 'fan'").set_index("clip_id")
    fan = clips[clips["machine"] == "fan"]
    normal, test = (fan[fan["split"] == split] for split in ("train", "test"))
    normal = normal[normal["kind"] == "machine"]
    fitted = create_scorer(params).fit(values[normal.index], normal["domain"].to_numpy())
    rows = fitted.nearest(values[test.index])
    expected = ["" if row < 0 else normal["clip_id"].iloc[row] for row in rows]
    assert list(table.loc[test["clip_id"], "nearest"]) == expected
    assert (scorer == "gmm") == (set(expected) == {""})


def scores_of(seed, scale=1.0):
    values = np.random.default_rng(seed).normal(size=(57, 1, 6)).astype(np.float32)
    table = scored(two_machines(), {0: values}, block(scorer="knn", metric="euclidean"))
    return table.assign(score=scale * table["score"])


def fused(members, **params):
    return fuse(members, two_machines(), ThresholdParams(**params))


def test_standardised_by_training_scores_alone():
    table = comparably(scores_of(0), "mean")
    train = table[table["split"] == "train"].groupby("machine")["score"]
    np.testing.assert_allclose(train.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(ddof=0), 1)


def test_fusion_does_not_feel_a_member_s_scale():
    one = fused({"a": scores_of(0), "b": scores_of(1)})
    two = fused({"a": scores_of(0, scale=1000.0), "b": scores_of(1)})
    np.testing.assert_allclose(one["score"], two["score"])
    expected = (comparably(scores_of(0), "mean")["score"] + comparably(scores_of(1), "mean")["score"]) / 2
    np.testing.assert_allclose(one["score"], expected)


def test_ranks_are_shares_of_training_scores_below_and_go_on_beyond_them():
    table = comparably(scores_of(0), "rank")
    for _, own in scores_of(0).assign(rank=table["score"]).groupby("machine"):
        train = own.loc[own["split"] == "train", "score"].to_numpy()
        inside = own["score"].between(train.min(), train.max()).to_numpy()
        shares = np.array([((train < s).sum() + (train <= s).sum()) / 2 / len(train) for s in own["score"]])
        assert np.abs(own["rank"] - shares)[inside].max() <= 1 / len(train)
        above = own[own["score"] >= train.max()].sort_values("score")
        slopes = np.diff(above["rank"]) / np.diff(above["score"])
        np.testing.assert_allclose(slopes, 1 / train.std() / len(train))
        assert (own["rank"].rank() == own["score"].rank()).all()


def test_ranks_of_ties_and_of_scores_that_do_not_vary():
    np.testing.assert_allclose(ranked(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 3.0])), [1 / 3, 7 / 12, 5 / 6])
    np.testing.assert_allclose(ranked(np.array([1.0, 2.0]), np.array([2.0, 2.0])), [0.0, 0.5])
    np.testing.assert_allclose(standardised(np.array([1.0, 2.0]), np.array([2.0, 2.0])), [-1.0, 0.0])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_no_test_clip_enters_the_fused_score_of_another(fusion):
    members = {"a": scores_of(0), "b": scores_of(1)}
    whole = averaged(members, list(KEYS), fusion).set_index("clip_id")["score"]
    some = {n: t[(t["split"] == "train") | (t["clip_id"] == "fan025")] for n, t in members.items()}
    alone = averaged(some, list(KEYS), fusion).set_index("clip_id")["score"]
    np.testing.assert_array_equal(whole[alone.index], alone)


def test_far_out_scores_are_compressed_and_keep_their_order():
    z = np.array([-30.0, -1.0, 0.0, 0.1, 1.0, 30.0])
    np.testing.assert_allclose(compressed(2 * z + 5, np.array([3.0, 7.0])), np.sign(z) * np.log1p(np.abs(z)))


@pytest.mark.parametrize("shift", [0.0, -3.0])
def test_unseen_clips_are_carried_over_from_the_second_network(shift):
    """Whatever the second's scale is, a clip's place above those that both networks know stays; others do not move."""
    known = np.linspace(0.5, 1.5, 9) + shift
    table = clip_table(train=10, test=1).assign(seed=0, score=np.append(known, [0.6 + shift, 9.0]))
    table["fitted"] = [True] * 9 + [False] * 2
    scores = np.append(known, 4.0 + shift) * 10 + (0 if shift == 0 else 7)
    second = table[table["split"] == "train"].assign(score=scores)
    made = carried_over(table, second)
    assert made["score"].iloc[9] == pytest.approx(4.0 + shift), "not 0.6, what it scores as a clip trained on"
    np.testing.assert_array_equal(made["score"].drop(index=9), table["score"].drop(index=9))


def test_training_clips_score_and_set_thresholds_as_if_no_network_had_been_trained_on_them():
    clips = two_machines()
    clips["fitted"] = (clips["split"] == "train") & ~clips["clip_id"].str.endswith(("014", "015", "019"))
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    second, reference = {0: values[clips["split"] == "train"]}, set(clips["clip_id"])
    params = block(scorer="knn", threshold="quantile")
    table = score_table(clips, reference, {0: values}, params, second=second).merge(clips[["clip_id", "fitted"]])
    left_out = score_table(clips, reference, {0: values}, params)
    train = table[table["split"] == "train"]
    sections = [rows["score"].to_numpy() for _, rows in left_out[left_out["split"] == "train"].groupby("machine")]
    known = [rows["fitted"].to_numpy(bool) for _, rows in train.groupby("machine")]
    pairs = list(zip(sections, known, strict=True))
    gaps = Gaps([scores[~own] for scores, own in pairs], [scores[own] for scores, own in pairs])
    assert [len(scores) for scores in gaps.groups] == [3, 3]
    for number, (_, rows) in enumerate(train.groupby("machine")):
        scores, own = pairs[number]
        assert list(rows.loc[~own, "score"]) == pytest.approx(list(scores[~own])), "both networks are the same here"
        assert list(rows.loc[own, "score"]) == pytest.approx(list(gaps.as_unseen(number)))
        assert (rows["threshold"] == np.quantile(rows["score"], 0.9)).all()


def test_weights_of_a_fusion_are_scaled_to_add_up_to_one():
    members = {"a": scores_of(0), "b": scores_of(1)}
    found = averaged(members, list(KEYS), "mean", {"b": 3.0, "a": 1.0})["score"]
    a, b = (comparably(table, "mean")["score"] for table in members.values())
    np.testing.assert_allclose(found, 0.25 * a + 0.75 * b)
    assert sum(normalised({"a": 0.1, "b": 7.0}).values()) == pytest.approx(1)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(UserError, match="b has scores that are no finite numbers"):
        fused({"a": scores_of(0), "b": scores_of(1).assign(score=np.nan)})


def test_members_of_other_clips_are_refused():
    with pytest.raises(UserError, match="b scored other clips"):
        fused({"a": scores_of(0), "b": scores_of(1).iloc[1:]})


def test_held_out_clips_are_in_no_memory_and_set_the_threshold():
    clips, values = clip_table(train=64), np.random.default_rng(1).normal(size=(72, 1, 6)).astype(np.float32)
    held_out = [f"fan{i:03}" for i in range(30)]
    params = block(scorer="knn", threshold="conformal")
    table = scored(clips, {0: values}, params, held_out).set_index("clip_id")
    train = table[table["split"] == "train"]
    assert list(train.index) == held_out
    assert table["threshold"].iloc[0] == train["score"].sort_values().iloc[27], "ceil(31 x 0.9)-th of 30"
    assert not set(table["nearest"]) & set(held_out)
    test = table[table["split"] == "test"]
    np.testing.assert_allclose(test["p_source"], p_values(test["score"].to_numpy(), train["score"].to_numpy()))
    assert test["p_target"].isna().all(), "no target clip calibrates"
    assert (test["decision"] == (test["p_source"] <= 0.1)).all()
    moved = values.copy()
    moved[:30] += 3  # what is held out moves the threshold, never a test clip's score
    again = scored(clips, {0: moved}, params, held_out).set_index("clip_id")
    np.testing.assert_array_equal(again.loc[test.index, "score"], test["score"])
    assert again["threshold"].iloc[0] > table["threshold"].iloc[0]


def test_supplemental_clips_are_in_no_memory():
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    other = values.copy()
    other[-1] = values[-2]
    for params in (block(scorer="knn"), block(scorer="var_min")):
        pd.testing.assert_frame_equal(scored(clips, {0: values}, params), scored(clips, {0: other}, params))


def test_what_is_not_guaranteed_is_said():
    clips = clip_table(train=64)  # the last 4 are target clips
    values = np.random.default_rng(1).normal(size=(72, 1, 6)).astype(np.float32)
    params = block(scorer="knn", threshold="conformal")
    held_out = [f"fan{i:03}" for i in range(30)] + ["fan063"]
    found = summary(scored(clips, {0: values}, params, held_out), clips, params, set(clips["clip_id"]) - set(held_out))
    assert found["fan"]["section_00"]["calibration"] == {
        "source": {"clips": 30, "guaranteed": True},
        "target": {"clips": 1, "guaranteed": False},
    }
    assert guarantee(found, params) == (
        "a false-alarm rate of 10 % cannot be guaranteed: target (1 of 1, 1 with fewer than 9 calibration clips)"
    )
    in_sample = summary(scored(clips, {0: values}, params), clips, params, set(clips["clip_id"]))
    assert guarantee(in_sample, params).startswith("a false-alarm rate of 10 % cannot be guaranteed: source (1 of 1); ")


def test_a_machine_too_small_to_hold_clips_out_is_promised_nothing():
    clips = two_machines()
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    params = block(scorer="knn", threshold="conformal")
    held_out = [f"fan{i:03}" for i in range(10)]  # none of the valve
    trained = set(clips["clip_id"]) - set(held_out)
    found = summary(scored(clips, {0: values}, params, held_out), clips, params, trained)
    assert found["fan"]["section_00"]["calibration"] == {"source": {"clips": 10, "guaranteed": True}}
    assert found["valve"]["section_00"]["calibration"]["source"] == {"clips": 16, "guaranteed": False}


def test_fused_scores_have_p_values_of_fused_training_scores():
    table = fused({"a": scores_of(0), "b": scores_of(1)})
    assert tuple(table.columns) == COLUMNS
    domain = table[["clip_id"]].merge(two_machines())["domain"]
    fan = (table["machine"] == "fan").to_numpy()
    train = table["score"][fan & (domain == "target").to_numpy()].to_numpy()
    test = table[fan & (table["split"] == "test").to_numpy()]
    np.testing.assert_allclose(test[P_VALUES["target"]], p_values(test["score"].to_numpy(), train))


def test_candidates_score_test_clips_by_every_scorer_that_fits():
    clips, rng = two_machines(), np.random.default_rng(0)
    own = block(scorer="knn")
    for shape, scorer, names in (
        ((len(clips), 2, 6), own, set(CANDIDATES["embeddings"])),
        ((len(clips), 1, 6), own, {name for name in CANDIDATES["embeddings"] if "bands" not in name}),
        ((len(clips), 2), block(scorer="value"), {"mse", "mahalanobis"}),
    ):
        values = rng.normal(size=shape).astype(np.float32)
        table = candidate_scores(clips, set(clips["clip_id"]), {0: values, 1: values}, scorer, seed=3)
        assert set(table["scorer"]) == names
        assert len(table) == len(names) * 2 * 16
    knn = scored(clips, {0: values.reshape(-1, 1, 2)}, own)
    table = candidate_scores(clips, set(clips["clip_id"]), {0: values.reshape(-1, 1, 2)}, own)
    ours = table[table["scorer"] == "knn_cosine"].set_index("clip_id")["score"]
    np.testing.assert_array_equal(ours, knn[knn["split"] == "test"].set_index("clip_id")["score"][ours.index])


def test_the_number_of_workers_changes_no_score():
    clips, own = two_machines(), block(scorer="knn", whiten=True, metric="euclidean")
    values = np.random.default_rng(0).normal(size=(len(clips), 2, 300)).astype(np.float32)
    found = []
    for jobs in (1, 2):
        workers, trained = ComputeParams(jobs=jobs), set(clips["clip_id"])
        tables = [make(clips, trained, {0: values}, own, compute=workers) for make in (candidate_scores, score_table)]
        found.append(tables)
    for one, two in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_trade_off_is_evaluated_as_a_system_is(workdir):
    clips = two_machines()
    test = clips.index[clips["split"] == "test"]
    truth = clips[["clip_id"]].assign(anomaly=np.nan, domain="", attributes="")
    truth.loc[test, "anomaly"] = np.arange(len(test)) % 2
    truth.loc[test, "domain"] = np.where(np.arange(len(test)) // 2 % 2, "source", "target")
    values = np.random.default_rng(0).normal(size=(len(clips), 1, 6)).astype(np.float32)
    values[test] += truth.loc[test, "anomaly"].to_numpy().reshape(-1, 1, 1)  # anomalies lie elsewhere
    output = workdir / "data/scores/frozen/candidates.csv"
    output.parent.mkdir(parents=True)
    own = block(scorer="knn")
    candidate_scores(clips, set(clips["clip_id"]), {0: 5 * values}, own).to_csv(output, index=False)
    table = trade_off_table(["frozen"], Path("data/scores"), clips, truth, 2026)
    assert list(table.columns) == ["system", "scorer", "official", "auc_source", "auc_target", "pauc"]
    assert set(table["system"]) == {"frozen"}
    row = table.set_index("scorer").loc["knn_euclidean"]
    scores = pd.read_csv(output).query("scorer == 'knn_euclidean'").merge(truth, on="clip_id")
    expected = []
    for _, own in scores.groupby("machine"):
        chosen = own[(own["domain"] == "source") | (own["anomaly"] == 1)]
        normal, anomalous = (chosen["score"][chosen["anomaly"] == a].to_numpy() for a in (0, 1))
        expected.append(100 * np.mean(normal[:, None] < anomalous))
    assert row["auc_source"] == pytest.approx(2 / sum(1 / np.array(expected)), abs=0.006)


def test_features_in_half_precision_move_scores_by_a_hundredth_of_their_spread():
    """Of the system `frozen`, as shipped: rows of the front end, pooled embeddings, scores of new clips."""
    params = read_params(ROOT / "params.yaml")
    front_end = checked(FrontEnd, params["features"]["log_mel"]).root
    assert front_end.precision == "float16"
    encoder = create_encoder(checked(EncoderParams, params["encoders"]["mel_bands"]).root, front_end.n_features)
    draw = np.random.default_rng(0)
    waveforms = [lfilter([1], [1, -0.9 * tilt], draw.normal(0, 0.03, 32000)) for tilt in draw.random(60)]
    scores = {}
    for precision in ("float16", "float32"):
        rows = [front_end.compute(y.astype(np.float32)).astype(precision).astype(np.float32) for y in waveforms]
        with torch.inference_mode():
            embeddings = encoder(torch.from_numpy(np.stack(rows))).numpy()  # (clips, bands, dims)
        block = params["training_free"]["frozen"]["score"]
        scorer = create_scorer(checked(ScoreParams, block).root).fit(embeddings[:40])
        scores[precision] = scorer.anomaly_score(embeddings[40:])
    moved = np.abs(scores["float16"] - scores["float32"]).max()
    assert 0 < moved < 0.01 * scores["float32"].std()
