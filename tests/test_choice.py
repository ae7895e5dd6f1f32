"""Members, scorers and weights of the ensemble; ``asd select`` over runs; what another list of systems re-runs."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_selection import KINDS, normal_clips

from asd.__main__ import main
from asd.core.errors import UserError
from asd.core.section import checked
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.selection.choice import Evidence, decide, forward_selection
from asd.selection.evidence import SystemEvidence
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import figures, pseudo_aucs, pseudo_scores
from asd.selection.trial_scores import OWN

SYSTEMS = ["values", "good", "other", "noise"]


def evidence_of(seed, shift, better=0.0):
    """Embeddings in which groups lie ``shift`` apart; by the scorer ``knn_cosine`` they lie further apart."""
    clips = normal_clips(each=24, target=8)
    group = clips.groupby(["machine", "label"]).ngroup().to_numpy()
    centres = np.random.default_rng(seed).normal(size=(group.max() + 1, 6))
    noise = np.random.default_rng(seed + 1).normal(size=(len(clips), 6))
    params = SelectionParams(labels="pseudo/auto", kinds=KINDS)
    parts = []
    for name, scale in {OWN: shift, "knn_cosine": shift + better}.items():
        x = (noise + scale * centres[group]).astype(np.float32)[:, None]
        block = {name: checked(ScoreParams, {"scorer": "knn", "metric": "euclidean"}).root}
        parts.append(pseudo_scores(clips, {0: x}, block, params))
    scores = pd.concat(parts, ignore_index=True)
    return SystemEvidence(figures(pseudo_aucs(scores)), scores)


@pytest.fixture(scope="module")
def found():
    return {"good": evidence_of(0, 4.0), "other": evidence_of(5, 2.0, better=2.0), "noise": evidence_of(9, 0.0)}


def test_by_default_members_scorers_and_weights_come_from_the_evidence(found):
    choice = decide(EnsembleParams(), SYSTEMS, found)
    alone = {name: own.figures[own.best]["pseudo_auc"] for name, own in found.items()}
    assert choice.by == "diverse pseudo-auc"
    assert choice.scorers["other"] == "knn_cosine"
    assert set(choice.weights) == {name for name, value in alone.items() if value > 50}
    assert "good" in choice.weights
    assert sum(choice.weights.values()) == pytest.approx(1)
    first, second = (choice.weights[name] / alone[name] for name in ("good", "other"))
    assert first == pytest.approx(second)
    assert 0 < choice.reached < 1


def test_what_params_say_is_done(found):
    given = decide(EnsembleParams(members=["good", "noise"], weights={"noise": 1.0, "good": 3.0}), SYSTEMS, found)
    assert (given.by, given.weights) == ("params", {"noise": 0.25, "good": 0.75})
    both = Evidence({name: found[name].of(found[name].best) for name in ("good", "noise")}, "mean")
    assert given.reached == pytest.approx(both.value(np.array([0.75, 0.25])))
    equal = decide(EnsembleParams(members="all", weights="equal", scorers="own"), SYSTEMS, found)
    assert equal.weights == dict.fromkeys(SYSTEMS, 0.25)
    assert set(equal.scorers.values()) == {OWN}
    assert "pseudo_auc" not in equal.figures()  # values has no evidence
    one = decide(EnsembleParams(), ["good"], {"good": found["good"]})
    assert one.weights == {"good": 1.0}


def test_without_any_evidence_all_count_the_same():
    choice = decide(EnsembleParams(), ["a", "b"], {})
    assert (choice.by, choice.weights, choice.scorers) == ("no evidence", {"a": 0.5, "b": 0.5}, {"a": OWN, "b": OWN})


def test_where_none_is_above_chance_those_with_evidence_are_members(found):
    poor = {
        name: found[name]._replace(figures={scorer: {"pseudo_auc": 40.0} for scorer in found[name].figures})
        for name in ("good", "noise")
    }
    assert decide(EnsembleParams(), SYSTEMS, poor).weights == {"good": 0.5, "noise": 0.5}


def test_weights_for_a_member_without_evidence_are_refused(found):
    with pytest.raises(UserError, match="weights is forward, but values has no Diverse Pseudo-AUC: set equal"):
        decide(EnsembleParams(members=["values", "good"], weights="forward"), SYSTEMS, found)


@pytest.mark.parametrize("fusion", ["mean", "log", "rank"])
def test_forward_selection_is_as_good_as_its_best_candidate(found, fusion):
    evidence = Evidence({name: own.of(OWN) for name, own in found.items()}, fusion)
    weights = forward_selection(evidence)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in weights.values())
    reached = evidence.value(np.array([weights.get(name, 0.0) for name in evidence.names]))
    alone = [evidence.value(own) for own in np.eye(len(found))]
    assert reached >= max(alone)
    assert alone[evidence.names.index("good")] * 100 == pytest.approx(
        found["good"].figures[OWN]["pseudo_auc"], abs=0.006
    )


def test_evidence_of_other_clips_is_refused(found):
    tables = {name: own.of(OWN) for name, own in found.items()}
    tables["other"] = tables["other"].iloc[1:]
    with pytest.raises(UserError, match="other and good have evidence of other clips"):
        Evidence(tables, "mean")


def write_run(folder, **systems):
    path = Path(folder) / "metrics/ensemble.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"scorers": systems}))


def test_select_goes_by_the_criterion_of_the_runs(workdir, capsys):
    for folder, criterion in (("a", "domain_balance"), ("b", "domain_balance"), ("c", "pseudo_auc")):
        write_run(folder, frozen={"own": 60.0}, cnn={"own": 70.0})
        path = Path(folder) / "metrics/ensemble.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"evidence": {"cnn": {criterion: 70.0}}}))
    assert selected(capsys, "a", "b").splitlines()[-1] == "domain balance [%]; highest mean over 2 runs: cnn"
    said = selected(capsys, "a", "c", status=2)
    assert said == (
        "asd: runs have evidence by unlike criteria (a by domain_balance, c by pseudo_auc): "
        "set selection.criterion alike, dvc repro\n"
    )


def selected(capsys, *words, status=0):
    assert main(["select", *words]) == status
    said = capsys.readouterr()
    return said.out if status == 0 else said.err


def test_select_gives_mean_worst_and_the_choice_over_runs(workdir, capsys):
    write_run("y2022", frozen={"own": 60.0, "gmm": 70.0}, cnn={"own": 80.0}, autoencoder={})
    write_run("y2023", frozen={"own": 62.0, "gmm": 64.0}, cnn={"own": 50.0}, late={"own": 99.0})
    lines = selected(capsys, "y2022", "y2023").splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["cnn", "65.00", "50.00"], ["frozen", "61.00", "60.00"]]
    assert lines[-1] == "Diverse Pseudo-AUC [%]; highest mean over 2 runs: cnn"
    assert selected(capsys, "y2022", "y2023", "--by", "worst").rstrip().endswith("highest worst over 2 runs: frozen")
    assert selected(capsys, "y2022", "y2023", "--scorers").rstrip().endswith("over 2 runs: frozen/gmm")


def test_select_reads_revisions(workdir, capsys):
    write_run(".", frozen={"own": 60.0})
    for words in (["init", "-q"], ["add", "metrics"], ["commit", "-qm", "x"], ["tag", "dcase2022"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True)
    write_run(".", frozen={"own": 70.0})
    assert "65.00  60.00      60.00  70.00" in selected(capsys, "dcase2022", ".")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere"], "asd: nowhere has no metrics/ensemble.json with evidence"),
        (["a", "b"], "asd: a, b have no system in common"),
    ],
)
def test_select_says_what_is_wrong_in_one_line(workdir, capsys, words, says):
    write_run("a", frozen={"own": 60.0})
    write_run("b", cnn={"own": 60.0})
    said = selected(capsys, *words, status=2)
    assert said.startswith(says)
    assert said.count("\n") == 1
