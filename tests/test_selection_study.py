"""What a choice loses, by hand; halves of test clips; the study's names are those of the pipeline."""

import numpy as np
import pandas as pd
import pytest

from asd.core.section import checked
from asd.evaluation.sections import LabelledSection
from asd.scoring.params import EnsembleParams
from asd.selection.pseudo_auc import OWN
from studies.selection import VARIANTS, choices, halves, loss_table, losses


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
    columns = ["factory", "seed", "system", "scorer", "pseudo", "true", "first", "second"]
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
    assert VARIANTS["ensemble"] == {}
