"""What a choice loses, by hand; halves of test clips; the study's names are those of the pipeline."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT

from asd.core.errors import UserError
from asd.core.section import checked, read_params
from asd.evaluation.sections import LabelledSection
from asd.scoring.params import EnsembleParams
from asd.selection.trial_scores import OWN
from studies.criteria import Judgement, Question, best_fixed, rows
from studies.losses import choices, loss_table, losses
from studies.scored import finished_project, halves
from studies.selection import VARIANTS
from studies.shared import shipped_params


def table():
    """Two factories, two systems with evidence by two scorers each, and one without."""
    rows = []
    for factory, shift in ((1, 0.0), (2, 0.1)):
        for system, scorer, pseudo, true in [
            ("a", OWN, 0.9, 0.60 + shift),
            ("a", "gmm", 0.8, 0.69 - shift),
            ("b", OWN, 0.5, 0.50),
            ("b", "gmm", 0.7, 0.62),
            ("values", OWN, np.nan, 0.99),
        ]:
            rows.append((factory, 0, system, scorer, pseudo, true, true - 0.02, true + 0.02))
    columns = ["factory", "seed", "system", "scorer", "pseudo_auc", "true", "first", "second"]
    return pd.DataFrame(rows, columns=columns)


def test_losses_by_hand():
    found = dict(choices(table()))
    assert set(found) == {
        "scorer of a",
        "scorer of b",
        "scorer, all systems",
        "system, by its own scorer",
        "system and scorer",
    }
    of_a = losses(found["scorer of a"])
    assert list(of_a["reached"]) == pytest.approx([0.60, 0.70])
    assert set(of_a["option"]) == {OWN}  # 0.65 in the mean, the other 0.64
    assert list(of_a["hindsight"]) == pytest.approx([0.09, 0.0])
    assert list(of_a["rho"]) == pytest.approx([-1, 1])
    both = losses(found["system and scorer"])
    assert list(both["fixed"]) == pytest.approx([0.0, 0.0])
    assert list(both["option"]) == ["a/own"] * 2
    assert len(losses(found["scorer, all systems"])) == 4


def test_the_table_has_a_row_a_choice():
    lines = loss_table(table())
    assert len(lines) == 2 + 5
    assert "| scorer of a | 2 | 0.00 | 65.00 | own | +0.00 (+0.00) | +4.50 (+9.00) |" in lines


def test_halves_share_no_clip_and_have_as_many_of_every_kind():
    anomalous = np.arange(40) % 2 == 0
    domain = np.where(np.arange(40) < 20, "source", "target").astype(object)
    clips = np.arange(40).astype(object)
    section = LabelledSection("fan", "00", anomalous, domain, clips, {"a": np.arange(80.0).reshape(2, 40)})
    first, second = halves([section])
    assert sorted([*first[0].recording, *second[0].recording]) == list(range(40))
    for [half] in (first, second):
        assert half.scores["a"].shape == (2, 20)
        assert list(half.scores["a"][0]) == list(half.recording)
        assert (half.anomalous.sum(), (half.domain == "source").sum()) == (10, 10)


def test_variants_are_params_that_the_pipeline_takes():
    for how in VARIANTS.values():
        assert checked(EnsembleParams, how)
    shipped = shipped_params()["ensemble"]
    changed = {name: {key for key in how if how[key] != shipped.get(key)} for name, how in VARIANTS.items()}
    assert {name for name, keys in changed.items() if not keys} == {"ensemble"}


def judged_by(scores):
    """A judgement of made-up scores, whose differences have an interval of two points either way."""

    def gap(pairs, same_models):
        value = np.mean([scores[a] - scores[b] for a, b in pairs])
        return value, value - (0.02 if same_models else 0.04), value + 0.02

    return Judgement(scores, gap)


def test_rows_set_choices_beside_the_default_and_the_best():
    asked = [
        Question("scorer of a", ("a/own", "a/gmm"), "a/own"),
        Question("scorer of b", ("b/own", "b/gmm"), "b/own"),
        Question("system, by its own scorer", ("a/own", "b/own"), "ensemble"),
    ]
    scores = {"a/own": 0.60, "a/gmm": 0.70, "b/own": 0.55, "b/gmm": 0.50, "ensemble": 0.65}
    scores |= {
        f"pseudo_auc: {name}": scores[taken] for name, taken in [("scorer of a", "a/gmm"), ("scorer of b", "b/gmm")]
    }
    scores["pseudo_auc: system, by its own scorer"] = scores["b/own"]
    assert best_fixed(asked, scores) == {
        "scorer of a": "a/gmm",
        "scorer of b": "b/own",
        "system, by its own scorer": "a/own",
    }
    found = {row[:2]: row[2:] for row in rows(asked, {"pseudo_auc": True, "domain_balance": False}, judged_by(scores))}
    title = "Diverse Pseudo-AUC"
    assert found["scorer, mean of systems", title][:2] == ("60.00", "+2.50 [+0.5, +4.5]")
    assert found["scorer, mean of systems", "default"] == ("57.50", "", "-5.00 [-7.0, -3.0]", "each system's")
    by_own = ("55.00", "-10.00 [-14.0, -8.0]", "-5.00 [-9.0, -3.0]", "a/own")
    assert found["system, by its own scorer", title] == by_own
    assert found["scorer of b", "domain balance"][0] == "can't tell: the default stays"


def test_a_finished_project_is_read_and_not_written(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="has no file done"), finished_project(tmp_path):
        pass
    made = read_params(ROOT / "params.yaml")
    made["systems"]["group_lora_0"] = made["systems"]["group_lora"]
    made["selection"]["scorers"] = "own"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(made))
    (tmp_path / "done").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with finished_project(tmp_path) as params:
        assert Path.cwd() == tmp_path
        assert params["selection"] == read_params(ROOT / "params.yaml")["selection"]
        assert set(params["systems"]) == set(read_params(ROOT / "params.yaml")["systems"])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
