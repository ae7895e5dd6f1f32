"""Default: floors of stages are counted, and seconds are those of the last run."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from scipy import fft
from scipy.fft import rfft

from asd.core.errors import UserError
from bench import default
from bench.pipeline import Stage, pipeline, project_params, write_project
from bench.transforms import transform_rate, transforms_of
from stages import check, download, features, index


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one small machine, with the front end log_mel."""
    params = project_params(ROOT)
    params["dataset"]["machines"] = "fan"
    params["dataset"]["simulated"]["size"] = "tiny"
    write_project(tmp_path, params)
    monkeypatch.chdir(tmp_path)
    for work in (check.main, download.main, index.main, lambda: features.main("log_mel")):
        work()
    return params


def test_transforms_are_counted_wherever_they_are_called():
    x = np.ones((3, 1024), np.float32)
    real, whole = 2.5 * 3 * 1024 * 10, 5 * 3 * 1024 * 10
    assert transforms_of(lambda: rfft(x)) == real
    assert transforms_of(lambda: fft.irfft(fft.rfft(x.T, axis=0), axis=0)) == 2 * real
    assert transforms_of(lambda: fft.ifft(fft.fft(x))) == 2 * whole
    assert transforms_of(lambda: fft.next_fast_len(1000)) == 0
    assert transforms_of(lambda: x @ x.T) == 0
    np.testing.assert_array_equal(rfft(x)[0, 0], 1024)
    assert transform_rate(1) > 1e7


def test_seconds_are_those_of_the_last_run(tmp_path):
    file = tmp_path / "timings.csv"
    with pytest.raises(UserError, match="run dvc repro"):
        default.last_seconds(file, ["index"])
    file.write_text("index,2.00\ntrain@a,9.00\nindex,1.00\n")
    assert default.last_seconds(file, ["index", "train@a"]) == {"index": 1, "train@a": 9}
    with pytest.raises(UserError, match="has no embed"):
        default.last_seconds(file, ["index", "embed"])


def test_operations_are_those_of_the_stages(project, tmp_path):
    torch.set_num_threads(1)
    stages = {stage.name: stage for stage in pipeline(project)}
    before = sorted(tmp_path.rglob("*"))
    made, transformed, embedded = (
        default.operations(stages[name], project, tmp_path)
        for name in ("download", "features@log_mel", "training_free@frozen")
    )
    frames = 58 * (1 + 2 * 16000 // 512)
    assert transformed.transforms == pytest.approx(2.5 * frames * 1024 * 10, rel=0.01)
    assert made.transforms > 58 * 2.5 * 32000 * np.log2(32000)  # each clip is transformed back once at least
    assert embedded.products >= 0
    assert default.operations(stages["report"], project, tmp_path) == default.Work()
    assert sorted(tmp_path.rglob("*")) == before  # nothing is written


def test_a_training_is_continued_in_a_line(project, tmp_path, monkeypatch):
    """A stage that makes one product a step, the encoder frozen or not, has as many as it has steps."""
    x = torch.ones(4, 8)

    def run_here(stage, params):
        block = params["systems"]["noise_aware_ssl"]["train"]
        for step in range(block["steps"]):
            for _ in range(1 if step < block["freeze_steps"] else 3):
                x @ x.T

    monkeypatch.setattr(default, "run_here", run_here)
    block = project["systems"]["noise_aware_ssl"]["train"]
    stage = Stage("train@noise_aware_ssl", [], [], [])
    counted = default.operations(stage, project, tmp_path).products
    assert counted == 2 * 4 * 8 * 4 * (3 * block["steps"] - 2 * block["freeze_steps"])


def test_the_larger_of_operations_and_bytes_is_the_floor():
    peak = default.Peak(1e9, 1e8, 1e9)
    row = default._row(Stage("a", [], [], []), 10.0, 1.0, default.Work(2e9, 3e8), 4 * 10**9, peak)
    assert (row["arithmetic"], row["files"], row["floor"]) == (5, 4, 5)
    table = pd.DataFrame([row, row | {"stage": "b", "floor": 0.0}])
    lines = default.as_markdown(table).splitlines()
    assert [line.split(" | ")[-1] for line in lines[2:]] == ["50% |", "0% |", "25% |"]
    assert "Floor 5 s" in default._sums(table, peak, {"": 0.1}, 0.5)


def test_a_profile_names_functions_of_the_stage(project, tmp_path, capsys):
    stages = {stage.name: stage for stage in pipeline(project)}
    default.profile(stages["features@log_mel"], project, tmp_path)
    said = capsys.readouterr().out
    assert said.startswith("features@log_mel")
    assert "mel.py" in said


@pytest.mark.slow
def test_starting_and_dvc_cost_something(monkeypatch):
    monkeypatch.setattr(default, "RUNS", 1)
    monkeypatch.setattr(default, "TRIVIAL", (1, 4))
    starts = default.start_seconds(["index"])
    assert 0 < starts[""] < starts["index"]
    assert default.dvc_seconds(ROOT / "params.yaml") > 0
