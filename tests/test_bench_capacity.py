"""Capacity: rates are measured for every step, and years are their multiples."""

import json
import re

import pytest
from conftest import ROOT

from bench import __main__ as bench
from bench import capacity
from bench.capacity import Step
from bench.pipeline import project_params


def test_every_front_end_and_system_is_measured(tmp_path, capsys):
    assert (
        bench.main(["capacity", "--seconds", "2", "--clips", "2", "--reference", "20", "--out", str(tmp_path / "c")])
        == 0
    )
    said = capsys.readouterr().out
    assert said == (tmp_path / "c.md").read_text()
    steps = {step["name"]: step for step in json.loads((tmp_path / "c.json").read_text())["steps"]}
    params = project_params(ROOT)
    systems = [*params["training_free"], *params["systems"]]
    assert set(steps) == {"index"} | {f"features@{name}" for name in params["features"]} | {
        f"{kind}@{name}" for kind in ("embeddings", "score") for name in systems
    }
    assert all(step["seconds"] > 0 for step in steps.values())
    assert steps["features@waveform"]["stored"] == 0  # the recordings hold it
    assert not steps["features@frequencies"]["scores"]


def test_years_are_multiples_of_the_rates():
    steps = [
        Step("index", 0.5, None, 0),
        Step("features@a", 1.0, None, 1000),
        Step("features@b", 99.0, None, 10**9, scores=False),
        Step("embeddings@c", 2.0, None, 10),
        Step("score@c", 1.5, None, 8),
    ]
    rows = dict(
        re.findall(r"\| ([^|]+) \| [^|]+ \| ([^|]+) \|", capacity.years(steps, {"c": 2 * 10**6}, 10.0, [1, 1000]))
    )
    clips = 365.25 * 86400 / 10 * 1000
    assert rows["clips"] == f"{clips:,.0f}"
    assert rows["features, core hours"] == f"{clips / 3600:,.0f}"
    assert rows["cores that keep up"] == "500"
    assert float(rows["features, TB"]) == pytest.approx(clips * 1000 / 1e12, rel=0.01)
    assert rows["reference embeddings of all systems, in memory, GB"] == "2"


def test_long_ones_run_alone(capsys):
    assert bench.main(["scoring", "growth"]) == 2
    assert "alone: capacity, default, growth" in capsys.readouterr().err
