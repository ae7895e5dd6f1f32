"""Domain balance: what is held out, the distance by SciPy, what it prefers, what there is without a second domain."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from test_selection import KINDS, embedded, normal_clips, project  # noqa: F401  (a fixture)

from asd.core.artifacts import read_csv, read_json
from asd.core.clips import TEXT
from asd.core.errors import UserError
from asd.core.section import checked
from asd.report import selection as shown
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.selection.balance import SPLITS, balances, figures, held_out_scores, ks_distance, measure, splits
from asd.selection.choice import Evidence, decide
from asd.selection.criteria import CRITERIA
from asd.selection.evidence import SystemEvidence, read_evidence
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import figures as pseudo_figures
from asd.selection.pseudo_auc import pseudo_aucs, pseudo_scores
from asd.selection.trial_scores import NORMAL, OWN
from stages import score

PARAMS = SelectionParams(labels="pseudo/auto", kinds=KINDS, criterion="domain_balance")
KNN = {OWN: checked(ScoreParams, {"scorer": "knn", "metric": "euclidean"}).root}


def test_params_name_the_criteria():
    for name, criterion in CRITERIA.items():
        assert checked(SelectionParams, {"labels": "given", "kinds": KINDS, "criterion": name}).criterion == name
        assert len(set(criterion.files)) == 2
    with pytest.raises(UserError, match="criterion is 'labels'"):
        checked(SelectionParams, {"labels": "given", "kinds": KINDS, "criterion": "labels"})


@pytest.mark.filterwarnings("ignore")  # of p-values
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_the_distance_is_that_of_scipy(a, b):
    assert ks_distance(np.array(a), np.array(b)) == pytest.approx(ks_2samp(a, b, method="asymp").statistic)


def test_half_of_each_domains_recordings_is_held_out():
    clips = normal_clips(each=16, target=6, groups=0)
    clips["recording"] = [f"{row.machine} {row.domain} {row.position // 2}" for row in clips.itertuples()]
    found = list(splits(clips, "fan", "00", seed=0))
    assert len(found) == SPLITS
    assert len({tuple(trial.normal) for trial in found}) > SPLITS / 2, "not the same half every time"
    for trial in found:
        held, rest = clips.iloc[trial.normal], clips.iloc[trial.reference]
        assert sorted([*trial.normal, *trial.reference]) == list(np.flatnonzero(clips["machine"] == "fan"))
        assert not set(held["recording"]) & set(rest["recording"])
        assert dict(held["domain"].value_counts()) == {"source": 8, "target": 2}  # 3 recordings of the target: one


def test_domain_balance_by_hand():
    """The same by SciPy and loops: nearest neighbour, one split after the other."""
    clips = normal_clips(each=20, target=6)
    x = embedded(clips)[:, 0]
    scores = held_out_scores(clips, {0: x[:, None]}, KNN, PARAMS)
    assert set(scores["kind"]) == {NORMAL}
    domain, values = clips["domain"].to_numpy(), []
    for machine in ("fan", "pump"):
        distances = []
        for trial in splits(clips, machine, "00", seed=0):
            nearest = [np.linalg.norm(x[trial.reference] - x[i], axis=1).min() for i in trial.normal]
            sides = [np.array(nearest)[domain[trial.normal] == name] for name in ("source", "target")]
            distances.append(ks_2samp(*sides).statistic)
        values.append(1 - np.mean(distances))
    assert figures(balances(scores))[OWN] == {"domain_balance": pytest.approx(100 * np.mean(values), abs=0.006)}
    assert measure(scores)(scores["score"].to_numpy()) == pytest.approx(np.mean(values))


def spread_clips(seed=0):
    """Few target clips that lie ten times as far apart as those of the source, two machines."""
    clips = normal_clips(each=60, target=20, groups=0)
    far = np.where(clips["domain"] == "target", 1.0, 0.1)[:, None]
    x = 5 * (clips["domain"] == "target").to_numpy()[:, None] + far * np.random.default_rng(seed).normal(size=(160, 4))
    return clips, x.astype(np.float32)[:, None]


def test_it_prefers_scorers_that_level_the_domains():
    clips, x = spread_clips()
    blocks = {
        "level": {"scorer": "local_density", "metric": "euclidean"},
        OWN: {"scorer": "knn", "metric": "euclidean"},
    }
    blocks["calibrated"] = blocks[OWN] | {"domain_quantiles": "hard"}
    scorers = {name: checked(ScoreParams, block).root for name, block in blocks.items()}
    found = figures(balances(held_out_scores(clips, {0: x}, scorers, PARAMS)))
    by_name = {name: of["domain_balance"] for name, of in found.items()}
    assert by_name[OWN] < 10
    assert min(by_name["level"], by_name["calibrated"]) > 50


@pytest.mark.parametrize("how", [{"target": 0}, {"target": 1}, {"each": 1}])
def test_without_two_recordings_of_each_domain_there_is_none(how):
    clips = normal_clips(**how)
    assert figures(balances(held_out_scores(clips, {0: embedded(clips)}, KNN, PARAMS))) == {}


def test_clips_of_both_domains_in_one_recording_are_no_error():
    clips = normal_clips(machines=("fan",), each=4, target=4, groups=0)
    clips["recording"] = ["a", "a", "b", "b"] * 2
    table = balances(held_out_scores(clips, {0: embedded(clips, dims=3)}, KNN, PARAMS))
    assert len(table) <= SPLITS
    assert table["balance"].between(0, 1).all()


def evidence_of(clips, x, **blocks):
    scorers = KNN | {name: checked(ScoreParams, block).root for name, block in blocks.items()}
    scores = held_out_scores(clips, {0: x}, scorers, PARAMS)
    return SystemEvidence(figures(balances(scores)), scores, "domain_balance")


@pytest.fixture(scope="module")
def found():
    clips, x = spread_clips()
    level = {"scorer": "local_density", "metric": "euclidean"}
    return {"a": evidence_of(clips, x, density=level), "b": evidence_of(clips, spread_clips(1)[1], density=level)}


def test_an_ensemble_is_chosen_by_it(found):
    choice = decide(EnsembleParams(), ["a", "b", "values"], found)
    assert (choice.by, choice.criterion) == ("domain balance", "domain_balance")
    assert choice.scorers == {"a": "density", "b": "density"}
    assert choice.figures()["domain_balance"] == pytest.approx(100 * choice.reached, abs=0.006)
    alone = {name: item.values["density"] for name, item in found.items()}
    assert choice.weights["a"] / choice.weights["b"] == pytest.approx(alone["a"] / alone["b"])
    forward = decide(EnsembleParams(weights="forward"), ["a", "b", "values"], found)
    assert forward.reached >= max(alone.values()) / 100 - 1e-4
    one = Evidence({"a": found["a"].of("density")}, "mean", "domain_balance")
    assert 100 * one.value(np.ones(1)) == pytest.approx(alone["a"], abs=0.006)


def test_weights_for_a_member_without_evidence_are_refused(found):
    with pytest.raises(UserError, match="weights is forward, but values has no domain balance: set equal"):
        decide(EnsembleParams(members=["values", "a"], weights="forward"), ["values", "a", "b"], found)


def test_domains_apart_in_all_members_weigh_all_the_same(found):
    choice = decide(EnsembleParams(scorers="own"), ["a", "b", "values"], found)
    assert [item.values[OWN] for item in found.values()] == [0, 0]
    assert choice.weights == {"a": 0.5, "b": 0.5}


def test_evidence_by_unlike_criteria_is_refused(found):
    clips = normal_clips()
    scores = pseudo_scores(clips, {0: embedded(clips)}, KNN, PARAMS)
    other = SystemEvidence(pseudo_figures(pseudo_aucs(scores)), scores)
    with pytest.raises(UserError, match="evidence by domain_balance and pseudo_auc: run dvc repro"):
        decide(EnsembleParams(), ["a", "b"], {"a": found["a"], "b": other})


def by_balance():
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["selection"] |= {"criterion": "domain_balance", "scorers": ["knn_euclidean", "fused_min", "knn_quantiles"]}
    Path("params.yaml").write_text(yaml.safe_dump(params))


def test_the_stage_stores_it_in_place_of_other_evidence(project):  # noqa: F811
    score.main("frozen")
    by_balance()
    said = score.main("frozen")
    assert "highest domain balance by " in said
    folder = Path("data/scores/frozen")
    assert {path.name for path in folder.glob("*.csv")} - {"best.csv"} == {
        *("scores.csv", "candidates.csv", "balance.csv", "balances.csv")
    }
    stored = read_evidence(folder)
    assert stored.criterion == "domain_balance"
    assert set(stored.values) == {OWN, "knn_euclidean", "fused_min", "knn_quantiles"}
    metrics = read_json("metrics/score/frozen.json")
    assert metrics["domain_balance"] == stored.figures
    assert "diverse_pseudo_auc" not in metrics
    assert set(read_csv(folder / "balance.csv")["scorer"]) == {OWN, stored.best}
    assert not {"fused_min", "knn_quantiles"} & set(read_csv(folder / "candidates.csv")["scorer"])


def test_one_domain_leaves_the_systems_own_scorers(project):  # noqa: F811
    for name in ("data/clips.csv", "data/train_clips.csv"):
        table = read_csv(name, TEXT)
        table.assign(domain=table["domain"].replace("target", "source")).to_csv(name, index=False)
    by_balance()
    said = score.main("frozen")
    assert "two recordings of each domain: domain balance can't tell, the system's own scorer stays" in said
    assert read_evidence(Path("data/scores/frozen")) is None
    assert score.main("autoencoder").count("can't tell") == 0  # no scorer is tried on its values
    assert decide(EnsembleParams(), ["frozen"], {}).by == "no evidence"


def test_the_report_names_the_criterion():
    evidence = {"a": {"domain_balance": 60.0}, "b": {"domain_balance": 70.0}}
    metrics = {"evidence": evidence, "scorers": {"a": {"own": 60.0, "gmm": 65.0}}, "scorer": {"a": "own", "b": "own"}}
    metrics |= {"weights": {"a": 0.5, "b": 0.5}, "fusion": "log", "chosen_by": "domain balance", "domain_balance": 66.0}
    table = shown.evidence(metrics, ["a", "b"])
    assert (table.header, [row[0] for row in table.rows]) == (["System", "Weight", "domain balance"], ["a", "b"])
    assert shown.scorers(metrics, ["a", "b"]).header[-1] == "Its domain balance"
    assert shown.chosen(metrics).endswith("chosen by domain balance; fused 66.00 %")
    assert set(shown.CRITERIA) == set(CRITERIA)
    assert all(shown.CRITERIA[name] == own.title for name, own in CRITERIA.items())


def test_a_run_without_evidence_has_the_default_title():
    assert shown.criterion({"evidence": {}}) == "pseudo_auc"
    assert pd.DataFrame(balances(pd.DataFrame(columns=["scorer"]))).empty
