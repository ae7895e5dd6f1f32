"""``python -m asd init`` and ``stage``: a project outside of the source tree has the pipeline of the source tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from asd.__main__ import main
from asd.cli import pipeline


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as it is made."""
    folder = tmp_path_factory.mktemp("projects") / "own"
    assert main(["init", str(folder)]) == 0
    return folder


def stages(folder: Path) -> dict:
    return yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def test_the_stages_are_those_of_the_source_tree_but_for_their_code(made: Path):
    own, shipped = stages(made), stages(ROOT)
    assert list(own) == ["code", *shipped]
    for name, stage in shipped.items():
        one, other = own[name].get("do", own[name]), stage.get("do", stage)
        assert own[name].get("foreach") == stage.get("foreach")
        assert one["cmd"] == other["cmd"].replace("python -m stages.", "python -m asd stage ")
        code = [dep for dep in other["deps"] if re.match("(asd|stages)/", dep)]
        assert set(one["deps"]) == set(other["deps"]) - set(code) | {f"data/code/{name}.txt"}
        for key in ("params", "outs", "metrics", "plots"):
            assert one.get(key) == other.get(key)


def test_all_that_the_pipeline_needs_is_there(made: Path):
    for name in ("params.yaml", ".dvc/config", ".dvc/plots/by_system.json", "presets/full.txt", ".gitignore"):
        assert (made / name).read_bytes() == (ROOT / name).read_bytes()
    assert (made / "data/manifest.csv").read_text() == (ROOT / "data/manifest.csv").read_text()
    assert (made / ".git").is_dir()
    assert not [path for path in made.parent.iterdir() if path != made]


def test_all_is_committed_for_without_a_commit_dvc_runs_no_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # nobody has told git who works here
    assert main(["init", str(tmp_path / "own")]) == 0
    for command, said in (("rev-list --count HEAD", "1\n"), ("status --short", "")):
        done = subprocess.run(
            ["git", *command.split()], cwd=tmp_path / "own", capture_output=True, text=True, check=True
        )
        assert done.stdout == said


@pytest.mark.slow
def test_dvc_runs_it_and_runs_again_what_has_other_code(made: Path, tmp_path: Path):
    """Code is digested by stage: another stage's is none of its business."""
    project, tree = tmp_path / "own", tmp_path / "tree"
    shutil.copytree(made, project)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("asd", "stages"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tree)

    def repro() -> str:
        command = [sys.executable, "-m", "dvc", "repro", "check"]
        place = {"PYTHONPATH": str(tree), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=project, env=os.environ | place, capture_output=True, text=True, check=True)
        return done.stdout

    assert "systems in params.yaml are right" in repro()
    with open(tree / "stages/report.py", "a") as file:
        file.write("# changed\n")
    assert "Stage 'check' didn't change, skipping" in repro()
    with open(tree / "stages/check.py", "a") as file:
        file.write("# changed\n")
    assert "systems in params.yaml are right" in repro()


def test_every_stage_has_a_digest_of_all_of_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert set(pipeline.code_digests()) == set(stages(ROOT))
    tree = tmp_path / "asd"
    (tree / "scoring").mkdir(parents=True)
    monkeypatch.setattr(pipeline, "PACKAGE", tree)
    before = pipeline.code_digests()
    (tree / "scoring/new.py").touch()
    (tree / "scoring/notes.txt").touch()  # no code
    changed = {name for name, digest in pipeline.code_digests().items() if digest != before[name]}
    assert changed == {name for name, stage in stages(ROOT).items() if "asd/scoring" in stage.get("do", stage)["deps"]}


def test_the_working_directory_becomes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path / "own")
    assert main(["init", "."]) == 0
    assert Path("dvc.yaml").is_file()  # by the working directory, which is the same still


@pytest.mark.parametrize("content", ["file", "folder"])
def test_a_folder_that_holds_something_is_refused(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "x").touch() if content == "file" else (tmp_path / "own" / "x").mkdir()
    assert main(["init", "own"]) == 2
    assert capsys.readouterr().err == "asd: own is there and is not empty: name a new folder\n"


def test_without_git_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert main(["init", str(tmp_path / "own")]) == 2
    assert capsys.readouterr().err.startswith("asd: git is not installed")
    assert not list(tmp_path.iterdir())


def test_a_stage_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["stage", "sing"]) == 2
    assert capsys.readouterr().err.startswith("asd: stage is 'sing': choose among code, adapt, check")


def test_every_file_of_the_package_counts_as_code():
    suffixes = {file.suffix for file in (ROOT / "asd").rglob("*") if file.is_file() and file.name != "py.typed"}
    assert suffixes - {".pyc"} == set(pipeline.CODE)
    ignored = (ROOT / ".dvcignore").read_text(encoding="utf-8").splitlines()
    assert {f"!/asd/**/*{suffix}" for suffix in pipeline.CODE} <= set(ignored), "a change of it makes stages stale"
