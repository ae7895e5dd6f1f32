"""``python -m asd run``: what is understood, asked, refused and printed; the pipeline itself has tests of its own."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT, posix
from test_end_to_end import finished, write_recordings  # noqa: F401

from asd.__main__ import main
from asd.cli import run
from asd.core.errors import UserError
from asd.core.project import Project

PARTS = ("data", "metrics")


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with recordings of two machines, where the pipeline is not run by itself."""
    write_recordings(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "repro", lambda project: None)
    return tmp_path


@pytest.fixture
def as_run(home: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The same, where the pipeline has at once what it would come to."""

    def repro(project: Project) -> None:
        for name in PARTS:
            shutil.copytree(finished / name, project.root / name, dirs_exist_ok=True)

    monkeypatch.setattr(run, "repro", repro)
    return home


def test_the_pipelines_decisions_are_printed(as_run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", "recordings", "--yes", "--no-open"]) == 0
    said = capsys.readouterr()
    for words in ("abnormal: taken for anomalous, 8 recordings", "40 recordings, 0 findings", "first lines of"):
        assert words in said.err
    scores = pd.read_csv("asd-recordings/data/ensemble/scores.csv").query("split == 'test'")
    metrics = json.loads(Path("asd-recordings/metrics/evaluate.json").read_text())
    lines = [line.split() for line in said.out.splitlines()]
    for machine, clips in scores.groupby("machine"):
        alarms = metrics["ensemble"]["machines"][machine]["section_00"]["false_alarm_rate"]
        assert [machine, "12", str(clips["decision"].sum()), "10", "%", f"{alarms:.1f}", "%"] in lines
    assert any(line[:1] == ["folder/ensemble"] for line in lines)
    assert said.out.splitlines()[-1] == "The report: asd-recordings/data/report/index.html"


def test_the_same_as_one_object_and_the_most_anomalous_first(as_run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", "recordings", "--yes", "--json", "--project", "own/project"]) == 0
    found = json.loads(capsys.readouterr().out)
    scores = pd.read_csv("own/project/data/ensemble/scores.csv").query("split == 'test'")
    over = (scores["score"] - scores["threshold"]).sort_values(ascending=False)
    listed = [clip["score"] - clip["threshold"] for clip in found["most_anomalous"]]
    np.testing.assert_allclose(listed, over[:10])
    assert {clip["file"].split("/")[-2] for clip in found["most_anomalous"][:8]} == {"abnormal"}
    assert sum(one["section_00"]["anomalous"] for one in found["machines"].values()) == scores["decision"].sum()
    assert found["results"] == json.loads(Path("own/project/metrics/evaluate.json").read_text())


def test_params_are_those_of_own_recordings_and_the_preset(home: Path):
    run.prepare(Path("recordings"), Path("own"), "quick")
    params = yaml.safe_load(Path("own/params.yaml").read_text())
    assert params["dataset"]["name"] == "folder"
    assert list(params["systems"]) == ["autoencoder"]
    assert set(params["ensemble"]["members"]) <= set(params["training_free"])


def test_normal_recordings_alone_leave_some_to_count_false_alarms_by(home: Path):
    Path("recordings/fan/normal").rename("good")
    run.prepare(Path("good"), Path("own"), None)
    table = pd.read_csv("own/data/manifest.csv")
    assert table["split"].value_counts().to_dict() == {"train": 13, "test": 3}


@pytest.mark.slow
def test_a_project_of_the_same_folder_is_gone_on_with_as_it_is(home: Path, capsys: pytest.CaptureFixture[str]):
    run.prepare(Path("recordings"), Path("own"), None)
    for name in ("data/manifest.csv", "params.yaml"):
        with open(Path("own") / name, "a") as file:
            file.write("\n")
    before = {name: (Path("own") / name).read_bytes() for name in ("data/manifest.csv", "params.yaml")}
    run.prepare(Path("recordings"), Path("own"), None)
    said = capsys.readouterr().out
    assert "asd: going on with own" in said
    assert "asd: note" not in said
    shutil.copy("recordings/fan/normal/00.wav", "recordings/fan/normal/new.wav")
    run.prepare(Path("recordings"), Path("own"), None)
    assert "asd: note: 1 recordings in recordings are not in own/data/manifest.csv: add them" in capsys.readouterr().out
    assert before == {name: (Path("own") / name).read_bytes() for name in before}
    with pytest.raises(UserError, match="is not that of --preset quick"):
        run.prepare(Path("recordings"), Path("own"), "quick")
    with pytest.raises(UserError, match="own is a project of other recordings than recordings/fan"):
        run.prepare(Path("recordings/fan"), Path("own"), None)


def test_who_says_no_keeps_the_manifest_and_nothing_is_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    monkeypatch.setattr(run, "repro", lambda project: pytest.fail("it ran"))
    assert main(["run", "recordings"]) == 1
    assert "not run: mend asd-recordings/data/manifest.csv" in capsys.readouterr().err
    assert len(pd.read_csv("asd-recordings/data/manifest.csv")) == 40


def test_unusable_recordings_are_left_out_and_named(home: Path, capsys: pytest.CaptureFixture[str]):
    soundfile.write("recordings/fan/normal/silent.wav", np.zeros(16000), 16000)
    run.prepare(Path("recordings"), Path("own"), None)
    said = capsys.readouterr().out
    assert "silent.wav holds nothing but zeros" in said
    assert "1 recordings can't be used and are left out" in said
    assert yaml.safe_load(Path("own/params.yaml").read_text())["index"]["on_bad_clip"] == "drop"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["recordings"], "there is no terminal to ask at: give --yes"),
        (["nothing", "--yes"], "nothing is no folder: name the one"),
        (["empty", "--yes"], "empty holds no recordings"),
        (["recordings", "--yes", "--project", "recordings/own"], "lies within recordings, whose recordings are read"),
        (["recordings", "--yes", "--preset", "gigantic"], "--preset is 'gigantic': choose among dcase2020"),
        (["recordings", "--yes", "--project", "empty"], "empty is there and is not empty: name a new folder"),
        (["faulty", "--yes"], "has no normal recording"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_leaves_nothing(
    words: list[str], says: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    Path("empty").mkdir()
    Path("empty/x").touch()
    shutil.copytree("recordings/fan/abnormal", "faulty/abnormal")
    assert main(["run", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("asd: ")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert sorted(path.name for path in home.iterdir()) == ["empty", "faulty", "recordings"]


FAILS = """
import sys
print("Running stage 'check':")
print("check: 9 systems are right (1.0 s)", flush=True)
print("asd: sky.wav is missing: restore it", file=sys.stderr)
print("ERROR: failed to reproduce 'index'", file=sys.stderr)
sys.exit(1)
"""


def test_a_stage_that_fails_says_why_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "dvc").mkdir()
    (tmp_path / "dvc/__init__.py").touch()
    (tmp_path / "dvc/__main__.py").write_text(FAILS)  # in place of DVC: the working directory comes first
    with pytest.raises(UserError, match=r"^sky.wav is missing: restore it \(.*run.log has all"):
        run.repro(Project(tmp_path))
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["check: 9 systems are right (1.0 s)"]
    assert "failed to reproduce" in (tmp_path / ".asd/run.log").read_text()


def test_in_a_terminal_how_far_a_stage_is_stands_on_one_line(monkeypatch: pytest.MonkeyPatch):
    lines = ["Running stage 'train@a':\n", "train: 3/40, 1.00step/s, 00:37 left\n", "train@a: 1 network (40.0 s)\n"]
    stdout, stderr = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("COLUMNS", "80")
    assert list(run._shown(lines)) == [lines[0], lines[2]]
    assert stdout.getvalue() == lines[2]
    shown = [part.strip() for part in stderr.getvalue().split("\r")]
    assert "train@a ..." in shown
    assert "train@a train: 3/40, 1.00step/s, 00:37 left" in shown
    assert "\n" not in stderr.getvalue()


def test_elsewhere_how_far_a_stage_is_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    lines = ["Running stage 'train@a':\n", "train: 3/40, 1.00step/s, 00:37 left\n"]
    assert list(run._shown(lines)) == lines[:1]
    assert capsys.readouterr() == ("train@a train: 3/40, 1.00step/s, 00:37 left\n", "")


@pytest.mark.slow
@posix
def test_interrupted_it_says_so_in_one_line_and_the_project_goes_on(tmp_path: Path):
    write_recordings(tmp_path)
    command = [sys.executable, "-m", "asd", "run", "recordings", "--yes", "--preset", "quick"]
    how = {"cwd": tmp_path, "text": True, "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, **how) as process:
        log = tmp_path / "asd-recordings/.asd/run.log"
        while process.poll() is None and not (log.is_file() and "Running stage 'download'" in log.read_text()):
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        try:
            _, said = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert said.splitlines()[-1] == "asd: interrupted: the same command goes on where it was"
    assert "Traceback" not in said + log.read_text()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left
    again = [sys.executable, "-m", "dvc", "repro", "download"]
    done = subprocess.run(again, **how | {"cwd": tmp_path / "asd-recordings"}, capture_output=True, check=True)
    assert "Running stage 'download'" in done.stdout
    assert "Running stage 'check'" not in done.stdout


def test_without_a_word_of_a_stage_dvcs_own_is_said(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    with pytest.raises(UserError, match=r"^you are not inside of a DVC repository"):
        run.repro(Project(tmp_path))
