"""Diverse Pseudo-AUC: what is held out, what plays anomalies, the AUCs by hand, and that no label can enter."""

import ast
import builtins
import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scored import made_clips
from sklearn.metrics import roc_auc_score

from asd.core.artifacts import read_csv, read_json
from asd.core.clips import training
from asd.core.compute import rng
from asd.core.errors import UserError
from asd.core.project import TRAIN_CLIPS
from asd.core.section import checked, load
from asd.scoring.registry import ScoreParams
from asd.selection import balance, choice, criteria, evidence, perturbations, pseudo_auc, trial_scores, trials
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import figures, pseudo_aucs, pseudo_scores
from asd.selection.trial_scores import NORMAL, OWN
from stages import score

KINDS = ["machine", "attribute", "domain", "mixed", "shuffled", "scattered", "stretched"]
PARAMS = SelectionParams(labels="pseudo/auto", kinds=KINDS)
KNN = {OWN: checked(ScoreParams, {"scorer": "knn", "metric": "euclidean"}).root}


def normal_clips(machines=("fan", "pump"), each=15, target=5, groups=3):
    rows = []
    for machine in machines:
        for i in range(each + target):
            domain = "source" if i < each else "target"
            label = f"{machine} {i % groups}" if groups and domain == "source" else ""
            rows.append((f"{machine}{i:03}", machine, "00", domain, "", i - each * (i >= each), label))
    return pd.DataFrame(rows, columns=["clip_id", "machine", "section", "domain", "recording", "position", "label"])


def embedded(clips, dims=6, seed=0):
    """Every machine and every label about a centre of its own."""
    x = np.random.default_rng(seed).normal(size=(len(clips), dims))
    return (x + 3 * clips.groupby(["machine", "label"]).ngroup().to_numpy()[:, None]).astype(np.float32)[:, None]


def laid_out(clips, machine="fan", count=5):
    return list(trials.trials(clips, machine, "00", count, seed=0))


def test_trials_hold_every_clip_out_once_and_keep_groups_out_of_the_reference():
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
        assert set(clips["machine"].iloc[np.r_[trial.reference, trial.normal]]) == {"fan"}
        assert set(clips["machine"].iloc[trial.anomalous["machine"]]) == {"pump"}
        assert not set(trial.reference) & set(trial.normal)
        for kind in ("attribute", "domain"):
            group = trial.anomalous.get(kind, np.empty(0, dtype=int))
            column = clips["label"] if kind == "attribute" else clips["domain"]
            assert not set(column.iloc[group]) & set(column.iloc[np.r_[trial.reference, trial.normal]])


def test_what_is_held_out_is_consecutive():
    clips = normal_clips(groups=0)
    for trial in laid_out(clips):
        source = np.sort(clips["position"].iloc[trial.normal][clips["domain"].iloc[trial.normal] == "source"])
        assert (np.diff(source) == 1).all()


def test_clips_of_one_recording_are_never_on_both_sides():
    clips = normal_clips(groups=0)
    clips["recording"] = [f"r{i // 3}" for i in range(len(clips))]
    clips["position"] //= 3
    for trial in laid_out(clips):
        sides = [set(clips["recording"].iloc[side]) for side in (trial.reference, trial.normal)]
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
    found = figures(pseudo_aucs(scores))[OWN]
    assert set(found) == kinds | {"pseudo_auc"}
    assert all(0 <= value <= 100 for value in found.values())


def test_one_clip_of_a_machine_gives_no_evidence():
    clips = normal_clips(machines=("fan",), each=1, target=0, groups=0)
    assert figures(pseudo_aucs(pseudo_scores(clips, {0: embedded(clips)}, KNN, PARAMS))) == {}


def test_pseudo_auc_by_hand():
    """The same by scikit-learn and loops: nearest neighbour, kinds of real clips, one trial after the other."""
    clips = normal_clips()
    x = embedded(clips)[:, 0]
    params = SelectionParams(labels="pseudo/auto", kinds=["machine", "attribute", "domain"])
    found = figures(pseudo_aucs(pseudo_scores(clips, {0: x[:, None]}, KNN, params)))[OWN]
    values = {}
    for machine in ("fan", "pump"):
        for trial in laid_out(clips, machine):
            nearest = {i: np.linalg.norm(x[trial.reference] - x[i], axis=1).min() for i in range(len(x))}
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
    return perturbations.HeldOut(normal, domain, memory, np.array(["source"] * 25 + ["target"] * 5), foreign)


def test_perturbations_do_what_they_say():
    own = given()
    made = {name: function(own, rng(0)) for name, function in perturbations.PERTURBATIONS.items()}
    assert all(x.shape == own.normal.shape for x in made.values())
    partners = (made["mixed"] - own.normal) / perturbations.FRACTION + own.means()
    assert np.abs(partners[:, None] - own.foreign[None]).max(axis=2).min(axis=1).max() < 1e-9
    many = own._replace(normal=np.zeros((50, 200)), domain=np.full(50, "source"), reference=np.ones((9, 200)))
    assert perturbations.shuffled(many, rng(0)).mean() == pytest.approx(perturbations.EXCHANGED, abs=0.01)
    many = many._replace(reference=np.random.default_rng(0).normal(size=(900, 200)) * [[1.0] * 199 + [50.0]])
    deviations = perturbations.scattered(many._replace(normal=np.zeros((2000, 200))), rng(0)).std(axis=0)
    np.testing.assert_allclose(deviations / many.reference.std(axis=0), perturbations.DEVIATIONS, rtol=0.1)
    target = own.reference[25:].mean(axis=0)
    np.testing.assert_allclose(made["stretched"][4:] - target, perturbations.STRETCH * (own.normal[4:] - target))


def test_what_is_mixed_is_no_more_usual_than_it_was():
    draw = np.random.default_rng(0)
    normal, memory, foreign = draw.normal(size=(200, 50)), draw.normal(size=(200, 50)), draw.normal(size=(90, 50))
    own = perturbations.HeldOut(normal, np.full(200, "source"), memory, np.full(200, "source"), foreign)
    far = np.linalg.norm(perturbations.mixed(own, rng(0)) - memory.mean(axis=0), axis=1)
    assert far.mean() > np.linalg.norm(normal - memory.mean(axis=0), axis=1).mean()


def test_a_better_embedding_has_the_higher_pseudo_auc():
    clips = normal_clips(each=30, target=10)
    good, noise = embedded(clips), np.random.default_rng(1).normal(size=(len(clips), 1, 6)).astype(np.float32)
    found = [figures(pseudo_aucs(pseudo_scores(clips, {0: x}, KNN, PARAMS)))[OWN] for x in (good, noise)]
    assert found[0]["pseudo_auc"] > found[1]["pseudo_auc"] + 10
    assert found[1]["machine"] < 60 < found[0]["machine"]


def test_embeddings_that_are_not_finite_are_refused():
    clips = normal_clips()
    with pytest.raises(UserError, match="an embedding of a training clip is not finite"):
        pseudo_scores(clips, {0: embedded(clips) * np.nan}, KNN, PARAMS)


def test_no_function_of_selection_takes_or_reads_a_label():
    """Names of arguments and of columns; the truth's file and the modules that read it."""
    forbidden = {"anomaly", "anomalies", "truth", "ground_truth", "TRUTH", "labelled", "is_anomaly"}
    for module in (balance, choice, criteria, evidence, perturbations, pseudo_auc, trial_scores, trials):
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
    Path("data/labels/pseudo").mkdir(parents=True)
    clips.to_csv("data/clips.csv", index=False)
    train = training(clips)
    train.to_csv(TRAIN_CLIPS, index=False)
    position = train.groupby(["machine", "section", "domain"]).cumcount()
    train[["clip_id"]].assign(position=position).to_csv("data/positions.csv", index=False)
    labels = train[["clip_id", "machine"]].assign(method="given", label=train["attributes"], confidence=1.0)
    labels.to_csv("data/labels/pseudo/auto.csv", index=False)
    for system in ("frozen", "autoencoder"):
        folder = Path("data/embeddings") / system
        folder.mkdir(parents=True)
        clips[["clip_id"]].assign(fitted=0).to_csv(folder / "clips.csv", index=False)
        shape = (len(clips), 2) if system == "autoencoder" else (len(clips), 2, 5)
        np.save(folder / "seed_0.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    return clips


def stored(name="frozen"):
    return {path.name: path.read_bytes() for path in sorted(Path("data/scores", name).glob("pseudo*.csv"))}


def test_evidence_is_of_training_clips_alone(project, monkeypatch):
    opened = []
    real = builtins.open

    def noting(file, *rest, **named):
        opened.append(str(file))
        return real(file, *rest, **named)

    monkeypatch.setattr(builtins, "open", noting)
    real_read = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda path, *a, **k: (opened.append(str(path)), real_read(path, *a, **k))[1])
    score.main("frozen")
    assert {"data/train_clips.csv", "data/labels/pseudo/auto.csv", "data/embeddings/frozen/clips.csv"} <= set(opened)
    assert not {name for name in opened if "truth" in name}
    before = stored()
    assert set(before) == {"pseudo.csv", "pseudo_aucs.csv"}
    test = (project["split"] == "test").to_numpy()
    values = np.load("data/embeddings/frozen/seed_0.npy")
    values[test] += 5
    np.save("data/embeddings/frozen/seed_0.npy", values)
    score.main("frozen")
    assert stored() == before


def test_values_of_a_network_a_machine_have_no_evidence(project):
    score.main("autoencoder")
    assert not stored("autoencoder")
    assert evidence.read_evidence(Path("data/scores/autoencoder")) is None
    assert set(read_csv("data/scores/autoencoder/candidates.csv")["scorer"]) == {"mse", "mahalanobis"}


def test_evidence_is_read_as_it_was_written(project):
    score.main("frozen")
    found = evidence.read_evidence(Path("data/scores/frozen"))
    assert set(found.figures) == {OWN, *load(SelectionParams, "selection").scorers}
    assert read_json("metrics/score/frozen.json")["diverse_pseudo_auc"] == found.figures
    assert found.figures[found.best]["pseudo_auc"] == max(own["pseudo_auc"] for own in found.figures.values())
    for scorer in (OWN, found.best):
        assert figures(pseudo_aucs(found.of(scorer)))[scorer] == found.figures[scorer]
    if found.best != OWN:  # scored for the ensemble, too
        candidates = read_csv("data/scores/frozen/candidates.csv").query("scorer == @found.best")
        best = read_csv("data/scores/frozen/best.csv").query("split == 'test'")
        assert list(best["score"]) == list(candidates["score"])


def test_a_scorer_has_the_same_evidence_as_the_systems_own(project):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["training_free"]["frozen"]["score"] = {"scorer": "knn", "per_domain": False, "per_band": True}  # knn_bands
    Path("params.yaml").write_text(yaml.safe_dump(params))
    score.main("frozen")
    found = evidence.read_evidence(Path("data/scores/frozen")).figures
    assert found[OWN] == found["knn_bands"] != found["var_min_bands"]
