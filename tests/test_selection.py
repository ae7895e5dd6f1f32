"""Diverse Pseudo-AUC: what is held out, what plays anomalies, the AUCs by hand, and that no label can enter."""

import ast
import builtins
import inspect
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scored import made_clips
from sklearn.metrics import roc_auc_score

from asd.base.artifacts import read_csv
from asd.base.compute import rng
from asd.base.errors import UserError
from asd.base.section import load, read_params
from asd.clips import TRAIN_CLIPS, training
from asd.scoring import trade_off
from asd.scoring.params import KNNParams, ScoreParams
from asd.selection import choice, evidence, perturbations, pseudo_auc, trials
from asd.selection.params import SCORERS, SelectionParams
from asd.selection.pseudo_auc import NORMAL, OWN, pseudo_aucs, pseudo_scores
from stages import select
from stages import trade_off as of_all

KINDS = ["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]
PARAMS = SelectionParams(labels="auto", kinds=KINDS)
KNN = {OWN: KNNParams(scorer="knn", metric="euclidean")}


def normal_clips(machines=("fan", "pump"), each=15, target=5, groups=3):
    rows = []
    for machine in machines:
        for i in range(each + target):
            domain = "source" if i < each else "target"
            label = f"{machine} {i % groups}" if groups and domain == "source" else ""
            rows.append((f"{machine}{i:03}", machine, "00", domain, "", label))
    return pd.DataFrame(rows, columns=["clip_id", "machine", "section", "domain", "recording", "label"])


def embedded(clips, dims=6, seed=0):
    """Every machine and every label about a centre of its own."""
    x = np.random.default_rng(seed).normal(size=(len(clips), dims))
    return (x + 3 * clips.groupby(["machine", "label"]).ngroup().to_numpy()[:, None]).astype(np.float32)[:, None]


def laid_out(clips, machine="fan", count=5):
    return list(trials.trials(clips, machine, "00", count, seed=0))


@given(count=st.integers(2, 60), clips_each=st.integers(1, 3), targets=st.integers(0, 20))
def test_folds_keep_recordings_whole_and_domains_even(count, clips_each, targets):
    recording = np.repeat([f"r{i:03}" for i in range(count)], clips_each)
    domain = np.where(np.repeat(np.arange(count), clips_each) < targets, "target", "source")
    fold = trials.folds(domain, recording, 10)
    assert all(len(set(fold[recording == name])) == 1 for name in set(recording))
    assert len(set(fold)) == min(10, count)
    for name in set(domain):
        sizes = np.bincount(fold[domain == name], minlength=len(set(fold)))
        assert sizes.max() - sizes.min() <= clips_each


def test_trials_hold_every_clip_out_once_and_keep_groups_out_of_memory():
    clips = normal_clips()
    found = laid_out(clips)
    assert [[kind for kind in trial.anomalous if kind != "machine"] for trial in found] == [
        ["domain"],
        *[["attribute"]] * 3,
        [],
    ]
    held = np.concatenate([trial.normal for trial in found])
    assert len(set(held)) == len(held) >= 12
    for trial in found:
        assert set(clips["machine"].iloc[np.r_[trial.memory, trial.normal]]) == {"fan"}
        assert set(clips["machine"].iloc[trial.anomalous["machine"]]) == {"pump"}
        assert not set(trial.memory) & set(trial.normal)
        for kind in ("attribute", "domain"):
            group = trial.anomalous.get(kind, np.empty(0, dtype=int))
            column = clips["label"] if kind == "attribute" else clips["domain"]
            assert not set(column.iloc[group]) & set(column.iloc[np.r_[trial.memory, trial.normal]])


def test_clips_of_one_recording_are_never_on_both_sides():
    clips = normal_clips(groups=0)
    clips["recording"] = [f"r{i // 3}" for i in range(len(clips))]
    for trial in laid_out(clips):
        sides = [set(clips["recording"].iloc[side]) for side in (trial.memory, trial.normal)]
        assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("how", "kinds"),
    [
        ({}, set(KINDS)),
        ({"machines": ("fan",)}, set(KINDS) - {"machine", "mixed"}),
        ({"target": 0}, set(KINDS) - {"domain"}),
        ({"groups": 0}, set(KINDS) - {"attribute"}),
        ({"each": 3, "target": 0, "groups": 0, "machines": ("fan",)}, {"shuffled", "scattered", "stretched"}),
    ],
)
def test_what_there_is_makes_the_kinds_there_are(how, kinds):
    clips = normal_clips(**how)
    scores = pseudo_scores(clips, {0: embedded(clips)}, KNN, PARAMS)
    assert set(scores["kind"]) == kinds | {NORMAL}
    assert np.isfinite(scores["score"]).all()
    found = evidence.figures(pseudo_aucs(scores))[OWN]
    assert set(found) == kinds | {"pseudo_auc"}
    assert all(0 <= value <= 100 for value in found.values())


def test_one_clip_of_a_machine_gives_no_evidence():
    clips = normal_clips(machines=("fan",), each=1, target=0, groups=0)
    assert evidence.figures(pseudo_aucs(pseudo_scores(clips, {0: embedded(clips)}, KNN, PARAMS))) == {}


def test_pseudo_auc_by_hand():
    """The same by scikit-learn and loops: nearest neighbour, kinds of real clips, one trial after the other."""
    clips = normal_clips()
    x = embedded(clips)[:, 0]
    params = SelectionParams(labels="auto", kinds=["machine", "attribute", "domain"])
    found = evidence.figures(pseudo_aucs(pseudo_scores(clips, {0: x[:, None]}, KNN, params)))[OWN]
    values = {}
    for machine in ("fan", "pump"):
        for trial in laid_out(clips, machine):
            nearest = {i: np.linalg.norm(x[trial.memory] - x[i], axis=1).min() for i in range(len(x))}
            for kind, anomalies in trial.anomalous.items():
                cell = values.setdefault((kind, machine), {"source": [], "target": [], "all": []})
                for domain in cell:
                    normal = [i for i in trial.normal if domain in ("all", clips["domain"].iloc[i])]
                    if normal:
                        truth = [0] * len(normal) + [1] * len(anomalies)
                        scored = [nearest[i] for i in [*normal, *anomalies]]
                        cell[domain].append(roc_auc_score(truth, scored, max_fpr=0.1 if domain == "all" else None))
    by_kind = []
    for kind in params.kinds:
        means = [np.mean(own) for (k, _), cell in values.items() for own in cell.values() if k == kind and own]
        by_kind.append(1 / np.mean([1 / mean for mean in means]))
        assert found[kind] == pytest.approx(100 * by_kind[-1], abs=0.006)
    assert found["pseudo_auc"] == pytest.approx(100 / np.mean([1 / value for value in by_kind]), abs=0.006)


def given(dims=4):
    draw = np.random.default_rng(3)
    normal, memory, foreign = draw.normal(size=(6, dims)), draw.normal(size=(30, dims)), 9 + draw.normal(size=(5, dims))
    domain = np.array(["source"] * 4 + ["target"] * 2)
    return perturbations.Given(normal, domain, memory, np.array(["source"] * 25 + ["target"] * 5), foreign)


def test_perturbations_do_what_they_say():
    own = given()
    made = {name: function(own, rng(0)) for name, function in perturbations.PERTURBATIONS.items()}
    assert all(x.shape == own.normal.shape for x in made.values())
    partners = (made["mixed"] - own.normal) / perturbations.SHARE + own.means()
    assert np.abs(partners[:, None] - own.foreign[None]).max(axis=2).min(axis=1).max() < 1e-9
    many = own._replace(normal=np.zeros((50, 200)), domain=np.full(50, "source"), memory=np.ones((9, 200)))
    assert perturbations.shuffled(many, rng(0)).mean() == pytest.approx(perturbations.EXCHANGED, abs=0.01)
    many = many._replace(memory=np.random.default_rng(0).normal(size=(900, 200)) * [[1.0] * 199 + [50.0]])
    deviations = perturbations.scattered(many._replace(normal=np.zeros((2000, 200))), rng(0)).std(axis=0)
    np.testing.assert_allclose(deviations / many.memory.std(axis=0), perturbations.DEVIATIONS, rtol=0.1)
    target = own.memory[25:].mean(axis=0)
    np.testing.assert_allclose(made["stretched"][4:] - target, perturbations.STRETCH * (own.normal[4:] - target))


def test_what_is_mixed_is_no_more_usual_than_it_was():
    draw = np.random.default_rng(0)
    normal, memory, foreign = draw.normal(size=(200, 50)), draw.normal(size=(200, 50)), draw.normal(size=(90, 50))
    own = perturbations.Given(normal, np.full(200, "source"), memory, np.full(200, "source"), foreign)
    far = np.linalg.norm(perturbations.mixed(own, rng(0)) - memory.mean(axis=0), axis=1)
    assert far.mean() > np.linalg.norm(normal - memory.mean(axis=0), axis=1).mean()


def test_a_better_embedding_has_the_higher_pseudo_auc():
    clips = normal_clips(each=30, target=10)
    good, noise = embedded(clips), np.random.default_rng(1).normal(size=(len(clips), 1, 6)).astype(np.float32)
    figures = [evidence.figures(pseudo_aucs(pseudo_scores(clips, {0: x}, KNN, PARAMS)))[OWN] for x in (good, noise)]
    assert figures[0]["pseudo_auc"] > figures[1]["pseudo_auc"] + 10
    assert figures[1]["machine"] < 60 < figures[0]["machine"]


def test_embeddings_that_are_not_finite_are_refused():
    clips = normal_clips()
    with pytest.raises(UserError, match="an embedding of a training clip is not finite"):
        pseudo_scores(clips, {0: embedded(clips) * np.nan}, KNN, PARAMS)


def test_the_scorers_to_choose_from_are_those_of_the_trade_off():
    assert set(SCORERS) == set(trade_off.VARIANTS)


def test_no_function_of_selection_takes_or_reads_a_label():
    """Names of arguments and of columns; the truth's file and the modules that read it."""
    forbidden = {"anomaly", "anomalies", "truth", "ground_truth", "TRUTH", "labelled", "is_anomaly"}
    for module in (choice, evidence, perturbations, pseudo_auc, trials):
        source = inspect.getsource(module)
        tree = ast.parse(source)
        words = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
        words |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        words |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        words |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names}
        assert not words & forbidden, module
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert {m for m in imported if m.startswith("asd.evaluation")} <= {"asd.evaluation.auc"}


@pytest.fixture
def project(workdir):
    """What the stage reads: embeddings of all clips, tables of the training clips."""
    clips, _, _ = made_clips(each=8)
    Path("data/labels").mkdir(parents=True)
    clips.to_csv("data/clips.csv", index=False)
    train = training(clips)
    train.to_csv(TRAIN_CLIPS, index=False)
    labels = train[["clip_id", "machine"]].assign(method="given", label=train["attributes"], confidence=1.0)
    labels.to_csv("data/labels/auto.csv", index=False)
    for system in ("frozen", "autoencoder"):
        folder = Path("data/extracted") / system
        folder.mkdir(parents=True)
        clips[["clip_id"]].to_csv(folder / "clips.csv", index=False)
        shape = (len(clips), 2) if system == "autoencoder" else (len(clips), 2, 5)
        np.save(folder / "seed_0.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    return clips


def outputs():
    return {str(path): path.read_bytes() for path in sorted(Path("data/selection").rglob("*.csv"))}


def test_the_stage_reads_training_clips_alone(project, monkeypatch):
    opened = []
    real = builtins.open

    def noting(file, *rest, **named):
        opened.append(str(file))
        return real(file, *rest, **named)

    monkeypatch.setattr(builtins, "open", noting)
    real_read = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda path, *a, **k: (opened.append(str(path)), real_read(path, *a, **k))[1])
    select.main("frozen")
    read = {name for name in opened if name.startswith("data/") and not name.startswith("data/selection")}
    assert {"data/train_clips.csv", "data/labels/auto.csv", "data/extracted/frozen/clips.csv"} <= read
    assert not {name for name in read if "truth" in name or name == "data/clips.csv" or "scores" in name}
    before = outputs()
    test = (project["split"] == "test").to_numpy()
    values = np.load("data/extracted/frozen/seed_0.npy")
    values[test] = np.nan
    np.save("data/extracted/frozen/seed_0.npy", values)
    select.main("frozen")
    assert outputs() == before


def test_the_trade_off_is_of_all_embeddings_of_these_clips(project):
    shutil.copytree("data/extracted/frozen", "data/extracted/gone")  # no longer in params.yaml
    shutil.copytree("data/extracted/frozen", "data/extracted/older")
    project[["clip_id"]][:-1].to_csv("data/extracted/older/clips.csv", index=False)
    Path("data/extracted/.gitignore").touch()
    assert of_all.main().startswith("3 systems")
    found = {name: read_csv(f"data/trade_off/{name}/scores.csv") for name in ("autoencoder", "frozen", "gone")}
    assert [path.name for path in sorted(Path("data/trade_off").iterdir())] == list(found)
    pd.testing.assert_frame_equal(found["frozen"], found["gone"])


def read(name):
    block = load(ScoreParams, "systems", name, "score").root
    return evidence.read_evidence(name, block, load(SelectionParams, "selection"), read_params()["seed"])


def test_values_of_a_network_a_machine_have_no_evidence(project):
    assert select.main("autoencoder").startswith("no Diverse Pseudo-AUC of autoencoder")
    assert read("autoencoder") is None


def test_evidence_is_read_as_it_was_written(project):
    select.main("frozen")
    found = read("frozen")
    asked = load(SelectionParams, "selection").scorers
    assert set(found.figures) == {OWN, *asked}
    assert found.figures[found.best]["pseudo_auc"] == max(own["pseudo_auc"] for own in found.figures.values())
    again = evidence.figures(pseudo_aucs(found.of(found.best)))
    assert again[found.best] == found.figures[found.best]


def test_a_scorer_has_the_same_evidence_as_the_systems_own(project):
    select.main("frozen")
    same = evidence.read_evidence(
        "frozen", evidence.variant("knn_bands"), load(SelectionParams, "selection"), read_params()["seed"]
    )
    assert same.figures[OWN] == same.figures["knn_bands"]
    assert same.figures[OWN] != read("frozen").figures[OWN]
