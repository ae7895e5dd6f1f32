"""``python -m asd compare``: stored scores of two revisions, from git and DVC's cache."""

import json
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scored import write_project

from asd.__main__ import main
from asd.cli.difference_chart import COLUMNS, text_chart
from asd.evaluation.difference import Difference
from stages import evaluate

PIPELINE = {
    "stages": {
        "train": {"foreach": ["frozen"], "do": {"cmd": "true", "outs": ["data/models/${item}"]}},
        "evaluate": {
            "cmd": "true",
            "outs": ["data/evaluation"],
            "metrics": [{"metrics/evaluate.json": {"cache": False}}],
        },
    }
}


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


def commit(name, shift=0.0, model="one", **how):
    """Evaluate made-up scores, ``frozen`` shifted for anomalies alone, and commit what DVC stored."""
    for folder in ("data/evaluation", "data/models"):
        shutil.rmtree(folder, ignore_errors=True)
    write_project(**how)
    truth = pd.read_csv("data/ground_truth.csv", dtype={"clip_id": str}).set_index("clip_id")["anomaly"]
    path = Path("data/scores/frozen/scores.csv")
    scores = pd.read_csv(path, dtype={"clip_id": str, "section": str}, keep_default_na=False)
    scores["score"] += shift * scores["clip_id"].map(truth).to_numpy()
    scores.to_csv(path, index=False)
    evaluate.main()
    Path("data/models/frozen").mkdir(parents=True)
    Path("data/models/frozen/model").write_text(model)
    run("dvc", "commit", "--force", "--quiet")
    run("git", "add", "dvc.yaml", "dvc.lock", "metrics", ".gitignore")
    run("git", "commit", "--quiet", "--message", name)
    run("git", "tag", name)


@pytest.fixture
def repository(workdir, monkeypatch):
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "test")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "test@localhost")
    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    run("dvc", "config", "core.analytics", "false")
    Path(".gitignore").write_text("/data\n")
    Path("dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    return workdir


def compared(capsys, *words, status=0):
    assert main(["compare", *words, "--resamples", "300"]) == status
    said = capsys.readouterr()
    if status:
        assert len(said.err.splitlines()) == 1
        return said.err
    rows = [line.strip("| ").split(" | ") for line in said.out.splitlines() if line.startswith("|")]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}, said.out


@pytest.mark.slow
def test_revisions_are_told_apart_by_their_stored_scores(repository, capsys):
    commit("before", each=30)
    commit("better_scorer", shift=2.0, each=30)
    commit("retrained", shift=2.0, model="two", each=30)
    run("git", "checkout", "--quiet", "before")
    table, said = compared(capsys, "before", "better_scorer", "--markdown")
    assert table["frozen"]["verdict"] == "real"
    assert table["frozen"]["training seeds"] == "the same trained models (1)"
    assert table["autoencoder"]["difference [95 %]"] == "+0.00 [+0.00, +0.00]"
    assert table["autoencoder"]["verdict"] == "noise"
    metrics = json.loads(subprocess.check_output(["git", "show", "better_scorer:metrics/evaluate.json"]))
    assert table["frozen"]["better_scorer"] == f"{metrics['frozen']['official']:.2f}"
    table, said = compared(capsys, "before", "retrained", "--markdown", "--system", "frozen")
    assert set(table) == {"frozen"}
    assert table["frozen"]["verdict"] == "not resolved"
    assert "frozen: retrained" in said


@pytest.mark.slow
def test_what_is_not_trained_needs_no_seeds(repository, capsys):
    pipeline = deepcopy(PIPELINE)
    pipeline["stages"]["training_free"] = pipeline["stages"].pop("train")
    pipeline["stages"]["training_free"]["do"]["deps"] = ["data/encoders/${item}"]
    for encoder, basis, verdict in (("initial", "not trained", "real"), ("adapted", "unknown", "not resolved")):
        Path("dvc.yaml").write_text(yaml.safe_dump(pipeline).replace("encoders/", f"encoders/{encoder}/"))
        for name, shift in (("before", 0.0), ("better_scorer", 2.0)):
            Path(f"data/encoders/{encoder}").mkdir(parents=True, exist_ok=True)
            Path(f"data/encoders/{encoder}/frozen").write_text(name)
            commit(f"{encoder}_{name}", shift=shift, each=30)
        table, _ = compared(capsys, f"{encoder}_before", f"{encoder}_better_scorer", "--markdown")
        assert (table["frozen"]["training seeds"], table["frozen"]["verdict"]) == (basis, verdict)


@pytest.mark.slow
def test_seeds_on_each_side_or_the_stored_deviation(repository, capsys):
    commit("three", seeds=(0, 1, 2), each=30)
    commit("three_better", seeds=(0, 1, 2), shift=3.0, model="two", each=30)
    commit("one", shift=3.0, model="three", each=30)
    table, _ = compared(capsys, "three", "three_better", "--markdown")
    assert table["frozen"]["training seeds"] == "3 and 3 training seeds"
    assert table["frozen"]["verdict"] == "real"
    table, _ = compared(capsys, "three", "one", "--markdown")
    assert table["frozen"]["training seeds"].startswith("stored seed_sd ")


@pytest.mark.slow
def test_json_has_the_differences_and_verdicts_of_the_table(repository, capsys):
    commit("before", each=30)
    commit("better_scorer", shift=2.0, each=30)
    table, _ = compared(capsys, "before", "better_scorer", "--markdown")
    assert main(["compare", "before", "better_scorer", "--resamples", "300", "--json", "--picture", "real.svg"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["score"] == "official"
    assert list(said["differences"]) == list(table)
    for name, gain in said["differences"].items():
        interval = f"{100 * gain['value']:+.2f} [{100 * gain['low']:+.2f}, {100 * gain['high']:+.2f}]"
        assert (interval, gain["verdict"]) == (table[name]["difference [95 %]"], table[name]["verdict"])
    assert "<svg" in Path("real.svg").read_text()
    assert "name that ends with .svg" in compared(capsys, "before", "--picture", "real.jpg", status=2)


def test_the_chart_places_differences_beside_zero():
    gains = {
        "better": Difference(0.03, 0.01, 0.05, "not trained"),
        "unknown": Difference(-0.02, -0.10, 0.06, ""),
        "same": Difference(0.0, 0.0, 0.0, "not trained"),
    }
    axis, *rows = text_chart(gains)
    start, zero = len("unknown") + 2, len("unknown") + 2 + COLUMNS // 2
    assert axis[start:].startswith("-10.0")
    assert axis[zero] == "0"
    assert axis.endswith("+10.0 points")
    assert rows[0] == "better   " + " " * 20 + "| ====#====".ljust(21) + "  real"
    assert rows[1] == "unknown  " + "-" * 16 + "o---|------------" + " " * 8 + "  not resolved"
    assert rows[2] == "same     " + " " * 20 + "o" + " " * 20 + "  noise"
    assert "\n".join(rows).isascii()


@pytest.mark.slow
def test_the_workspace_is_the_default(repository, capsys):
    commit("before", each=10)
    table, _ = compared(capsys, "before", "--markdown")
    assert {row["verdict"] for row in table.values()} == {"noise"}
    assert list(table["frozen"])[2] == "workspace"


@pytest.mark.slow
def test_what_cannot_be_compared_is_said_in_one_line(repository, capsys):
    commit("before", each=10)
    commit("other_data", each=12)
    assert "not the same data: before has clips 80, other_data 96" in compared(capsys, "before", "other_data", status=2)
    assert "nowhere is no revision and no experiment" in compared(capsys, "nowhere", status=2)
    assert "do not both have other" in compared(capsys, "before", "before", "--system", "other", status=2)
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("data/evaluation")
    assert "are not in DVC's cache" in compared(capsys, "before", status=2)
