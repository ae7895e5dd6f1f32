"""Groups where there are groups, one where there are none, the same for any order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from asd.core.compute import ComputeParams
from asd.pseudo_labels import trees
from asd.pseudo_labels.auto import auto, choice_of, evidence, product
from asd.pseudo_labels.counts import RULES, number_of_groups
from asd.pseudo_labels.evidence import clip_stability, resamples, stability
from asd.pseudo_labels.grouping import Clips
from asd.pseudo_labels.label import groupings, label
from asd.pseudo_labels.labellers.hierarchical import Hierarchical, hierarchical
from asd.pseudo_labels.params import LABELLERS, PseudoLabelParams
from asd.pseudo_labels.spaces import space, spectra
from asd.pseudo_labels.trees import by_size, merged

PARAMS = PseudoLabelParams.model_validate(
    {
        "hierarchical": {},
        "spectrum": {"features": "log_mel"},
        "frequency": {"features": "frequencies"},
        "gmm": {},
        "hdbscan": {},
        "auto": {},
    }
)


SOURCE = np.full(120, "source")


def blobs(groups=4, each=15, dims=8, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), each)
    return rng.normal(size=(groups, dims))[truth] + spread * rng.normal(size=(len(truth), dims)), truth


def clips(truth, by_ear=None, by_line=None, seed=0, domain=None):
    """Clips whose embeddings and spectra tell ``by_ear`` and whose frequencies tell ``by_line``."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    centres = rng.normal(size=(20, 12))
    heard = np.zeros(n, dtype=int) if by_ear is None else by_ear
    x = centres[heard] + 0.1 * rng.normal(size=(n, 12))
    hz = np.zeros((n, 3)) if by_line is None else np.c_[7.3 * 1.31**by_line, rng.uniform(22, 27, n), np.zeros(n)]
    domain = np.full(n, "source") if domain is None else domain
    return Clips(
        domain, x, x + 0.1 * rng.normal(size=x.shape), hz * (1 + 0.001 * rng.normal(size=hz.shape)), 5.0 * (hz > 0)
    )


def table(count, machine="bearing", attribute=""):
    names = [f"{(7919 * i) % 104729:06x}" for i in range(count)]
    return pd.DataFrame({"clip_id": names, "machine": machine, "section": "00", "domain": "source", "label": attribute})


@pytest.mark.parametrize("groups", [2, 3, 7, 12])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_counts_groups_that_lie_apart(rule, groups):
    x, truth = blobs(groups, dims=16)
    params = Hierarchical(n_clusters_rule=rule)
    found = hierarchical(x, np.full(len(x), "source"), params, 2, 20)
    assert adjusted_rand_score(truth, found.groups) == 1
    assert found.numbers == {"source": groups}


def test_gap_rule_on_a_tree_worked_out_by_hand():
    # 6 points: merges at 1, 1, 1 leave 3 groups; the next costs 5, then 6. Largest ratio 5 / 1 at k = 3.
    line = merged(np.arange(6.0)[:, None])
    tree = line.tree.copy()
    tree[:, 2] = [1, 1, 1, 5, 6]
    assert number_of_groups(line._replace(tree=tree), "gap", 2, 20) == 3
    tree[:, 2] = [1, 1, 1, 5, 60]
    assert number_of_groups(line._replace(tree=tree), "gap", 2, 20) == 2
    assert number_of_groups(line._replace(tree=tree), "gap", 3, 20) == 3


def test_target_clips_join_the_nearest_group_or_stay_apart():
    x, truth = blobs(3)
    domain = np.where(np.arange(len(x)) % 5 == 0, "target", "source")
    joined = hierarchical(x, domain, Hierarchical(target_groups="nearest", n_clusters_rule="silhouette"), 2, 20)
    apart = hierarchical(x, domain, Hierarchical(target_groups="separate", n_clusters_rule="silhouette"), 2, 20)
    assert adjusted_rand_score(truth, joined.groups) == 1
    assert adjusted_rand_score(truth * 2 + (domain == "target"), apart.groups) == 1
    assert set(apart.groups[domain == "source"]) == {0, 1, 2}
    assert set(apart.trees) == {"source", "target"}
    assert len(joined.trees["source"][1].tree) == (domain == "source").sum() - 1  # all of it is kept


def test_product_splits_and_lets_no_cell_get_small():
    first, second = np.repeat([0, 1], 30), np.tile(np.repeat([0, 1], 15), 2)
    assert adjusted_rand_score(2 * first + second, product([first, second])) == 1
    second[:2] = 1 - second[:2]
    rare = np.where(np.arange(60) < 2, 2, second)  # two clips alone: they join the larger cell
    assert len(set(product([first, rare]))) == 4
    assert product([first]) is first


def test_stability_is_one_where_groups_return_and_chance_where_they_are_drawn():
    groups = np.repeat([0, 1, 2], 20)
    turns = resamples(60)
    rng = np.random.default_rng(0)
    assert stability(groups, turns, [groups[some] for some in turns]) == 1
    assert (clip_stability(groups, turns, [groups[some] for some in turns]) == 1).all()
    drawn = [rng.integers(0, 3, len(some)) for some in turns]
    assert abs(stability(groups, turns, drawn)) < 0.05
    assert clip_stability(groups, turns, drawn).max() < 0.4
    assert stability(np.zeros(60, dtype=int), turns, drawn) == 0


def test_auto_takes_what_there_is():
    ear, line = np.tile([0, 1], 60), np.repeat(np.arange(4), 30)
    for by_ear, by_line, methods in (
        (ear, line, ("frequency", "spectrum")),
        (None, line, ("frequency",)),
        (ear, None, ("spectrum",)),
    ):
        found = groupings(clips(line, by_ear, by_line), PARAMS)
        choice = auto(found, evidence(found, SOURCE), PARAMS.auto)
        assert choice.methods[0] == methods[0]
        assert len(choice.methods) == len(methods)
    both = groupings(clips(line, ear, line), PARAMS)
    assert adjusted_rand_score(2 * line + ear, auto(both, evidence(both, SOURCE), PARAMS.auto).groups) > 0.95


def test_confidence_is_low_where_the_group_is_wrong():
    x, truth = blobs(3, each=40, spread=0.5, dims=6)
    own = clips(truth)._replace(embeddings=x)
    found = groupings(own, PARAMS.model_copy(update={"max_groups": 3, "min_groups": 3}))
    choice = choice_of(found, evidence(found, SOURCE), ("hierarchical",))
    names = np.array([np.bincount(truth[choice.groups == g]).argmax() for g in range(3)])
    wrong = names[choice.groups] != truth
    assert wrong.any()
    assert choice.confidence[wrong].mean() < choice.confidence[~wrong].mean()


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_rows_gives_the_same(seed):
    truth = np.repeat(np.arange(4), 12)
    rows, own = table(48), clips(truth, truth % 2, truth)
    order = np.random.default_rng(seed).permutation(48)
    one, other = label(rows, own, PARAMS), label(rows.iloc[order], Clips(*(v[order] for v in own)), PARAMS)
    assert one.metrics == other.metrics
    for name in (*LABELLERS, "auto"):
        assert one.tables[name].to_csv() == other.tables[name].to_csv()
    for name in one.figures:
        assert one.figures[name].to_csv() == other.figures[name].to_csv()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("what", ["unlike", "alike", "nan", "some_nan", "target", "infinite"])
def test_degenerate_clips_are_defined(count, what):
    own = clips(np.arange(count) % 2, seed=1, domain=np.full(count, "target" if what == "target" else "source"))
    if what == "alike":
        own = own._replace(embeddings=np.ones((count, 4)), spectra=np.zeros((count, 4)))
    bad = {"nan": slice(None), "some_nan": slice(0, 1), "infinite": slice(0, 1)}.get(what)
    if bad is not None:
        own.embeddings[bad] = np.inf if what == "infinite" else np.nan
        own.spectra[bad] = np.nan
    found = label(table(count), own, PARAMS)
    for name in (*LABELLERS, "auto"):
        rows = found.tables[name]
        assert len(rows) == count
        assert (rows["label"] != "").all()
        assert rows["confidence"].between(0, 1).all()
        groups = found.metrics["bearing"]["section_00"][name]["groups"]
        assert 1 <= groups <= count
        if what in ("alike", "nan"):
            assert groups == 1
    if what == "nan":
        assert (found.tables["hierarchical"]["confidence"] == 0).all()
    if what == "some_nan":
        first = found.tables["hierarchical"].set_index("clip_id")["confidence"][table(count)["clip_id"][0]]
        assert first == 0


def test_target_clips_alone_are_grouped_like_source():
    x, truth = blobs(3)
    found = hierarchical(x, np.full(len(x), "target"), Hierarchical(target_groups="separate"), 2, 20)
    assert adjusted_rand_score(truth, found.groups) == 1


def test_a_clip_that_is_not_finite_leaves_the_others_alone():
    truth = np.repeat(np.arange(3), 20)
    own = clips(truth, truth)
    spoilt = own._replace(embeddings=own.embeddings.copy())
    spoilt.embeddings[0] = np.nan
    before, after = (groupings(c, PARAMS)["hierarchical"].groups[1:] for c in (own, spoilt))
    assert adjusted_rand_score(before, after) == 1


def test_given_labels_stay_and_missing_ones_are_filled():
    truth = np.repeat(np.arange(4), 10)
    fan, bearing = table(40, "fan"), table(40)
    fan["label"] = [f"speed={t};side={t % 2}" for t in truth]
    bearing["clip_id"] = [f"f{name}" for name in bearing["clip_id"]]
    own = clips(np.r_[truth, truth], np.r_[truth, truth] % 2, np.r_[truth, truth])
    found = label(pd.concat([fan, bearing]), own, PARAMS)
    for labels in found.tables.values():
        assert labels["clip_id"].is_monotonic_increasing
        assert (labels["label"] != "").all()
        given = labels[labels["machine"] == "fan"]
        assert (given["method"] == "given").all()
        assert (given["confidence"] == 1).all()
        assert dict(zip(given["clip_id"], given["label"], strict=True)) == dict(
            zip(fan["clip_id"], fan["label"], strict=True)
        )
        assert not labels.loc[labels["machine"] == "bearing", "method"].eq("given").any()
    judged = found.metrics["fan"]["section_00"]
    assert judged["frequency"]["given"]["speed"] == pytest.approx(
        dict.fromkeys(("ami", "ari", "v_measure", "purity"), 1)
    )
    assert judged["spectrum"]["given"]["side"]["ami"] == pytest.approx(1)
    assert judged["spectrum"]["given"]["product"]["purity"] == pytest.approx(0.5)
    assert "given" not in found.metrics["bearing"]["section_00"]["frequency"]
    assert set(judged["gmm"]["agreement"]) == set(LABELLERS) - {"gmm"}


def test_the_whole_tree_is_kept():
    found = label(table(30), clips(np.arange(30) % 3, np.arange(30) % 3), PARAMS).figures["trees"]
    for method in ("hierarchical", "spectrum"):
        own = found[found["method"] == method]
        assert len(own) == 29
        assert own["clips"].iloc[-1] == 30
        leaves = {end for end in (*own["left"], *own["right"]) if isinstance(end, str)}
        assert leaves == set(table(30)["clip_id"])
        assert own["height"].is_monotonic_increasing


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_numbers_go_by_size(raw):
    groups = by_size(np.array(raw))
    counts = np.bincount(groups)
    assert (np.diff(counts) <= 0).all()
    assert adjusted_rand_score(raw, groups) == 1


def test_spectra_lose_level_and_broad_colour_and_keep_lines():
    rng = np.random.default_rng(0)
    bands = np.arange(128)
    line = 12.0 * (bands == 40)
    tilt = 10 * np.sin(bands / 60)
    noise = rng.normal(size=(50, 128))
    plain, coloured, lined = spectra([noise, noise + 20 + tilt, noise + line], 3.0)
    assert np.abs(coloured - plain)[8:120].max() < 0.5
    assert (lined - plain)[40] > 9
    assert np.abs(spectra([noise + 20], 0)[0, :128] - noise.mean(axis=0) - 20).max() < 1e-9


def test_space_scales_reduces_and_leaves_nan_alone():
    x, _ = blobs(dims=8)
    assert np.linalg.norm(space(x), axis=1) == pytest.approx(np.ones(len(x)))
    assert space(x, components=3).shape == (len(x), 3)
    x[4] = np.nan
    assert np.isnan(space(x, components=3)).any(axis=1).sum() == 1


def test_stable_embeddings_that_agree_with_nothing_do_not_count():
    """Distance and room come back in embeddings as well as any attribute."""
    line, ear = np.repeat(np.arange(4), 30), np.tile([0, 1], 60)
    nuisance = np.random.default_rng(3).permutation(ear)
    own = clips(line, ear, line)
    found = groupings(own._replace(embeddings=clips(nuisance, nuisance).embeddings, spectra=0 * own.spectra), PARAMS)
    known = evidence(found, SOURCE)
    assert known.stability["hierarchical"] > 0.9
    assert auto(found, known, PARAMS.auto).methods == ("frequency",)


# --- more clips than are clustered


@pytest.mark.parametrize("name", ["hierarchical", "spectrum", "gmm", "hdbscan"])
def test_of_many_clips_a_sample_is_clustered_and_the_others_join(name, monkeypatch):
    truth = np.random.default_rng(5).integers(4, size=400)
    own = clips(truth, by_ear=truth, domain=np.where(np.arange(400) % 10, "source", "target"))
    whole = groupings(own, PARAMS)[name].groups
    monkeypatch.setattr(trees, "MOST", 60)
    few = groupings(own, PARAMS)[name]
    assert few.groups.min() == 0
    assert adjusted_rand_score(whole, few.groups) > 0.95
    assert all(len(tree.x) <= 60 for _, tree in few.trees.values())


def test_a_sample_is_all_clips_or_as_many_as_are_clustered(monkeypatch):
    assert trees.sample(0).tolist() == []
    assert trees.sample(7).tolist() == list(range(7))
    monkeypatch.setattr(trees, "MOST", 60)
    rows = trees.sample(1000)
    assert len(set(rows)) == 60
    assert (rows[0], rows[-1]) == (0, 999)


def test_metrics_say_that_a_sample_was_clustered(monkeypatch):
    truth = np.random.default_rng(5).integers(4, size=80)
    own = clips(truth, by_ear=truth)
    assert "clustered" not in label(table(80), own, PARAMS).metrics["bearing"]["section_00"]["auto"]
    monkeypatch.setattr(trees, "MOST", 60)
    assert label(table(80), own, PARAMS).metrics["bearing"]["section_00"]["auto"]["clustered"] == 60


@pytest.mark.slow
def test_machines_are_labelled_alike_by_any_number_of_workers():
    truth = np.random.default_rng(5).integers(4, size=80)
    both = pd.concat([table(40, "fan"), table(40, "valve").assign(clip_id=lambda t: "v" + t["clip_id"])])
    alone = label(both, clips(truth, by_ear=truth), PARAMS, ComputeParams(jobs=1))
    for backend in ("threading", "loky"):
        done = label(both, clips(truth, by_ear=truth), PARAMS, ComputeParams(jobs=2, backend=backend))
        assert done.metrics == alone.metrics
        for name, rows in (alone.tables | alone.figures).items():
            pd.testing.assert_frame_equal((done.tables | done.figures)[name], rows, check_exact=True)
