"""The script of the workflow ``compare``, with stand-ins for dvc and python; both workflows."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, posix

pytestmark = posix
DVC = """#!/bin/sh
case "$1 $2" in
  "repro ") mkdir -p metrics && cp score metrics/score && touch dvc.lock;;
  "metrics diff") cat "$DIFF";;
esac
"""
PYTHON = """#!/bin/sh
echo "| system | $4 | $5 | difference [95 %] | training seeds | verdict |"
echo "| --- | ---: | ---: | ---: | ---: | ---: |"
echo "| ensemble | 1 | 2 | +1 [+1, +2] | the same | real |"
echo "| frozen | $(git show $4:metrics/score) | $(git show $5:metrics/score) | +1 [+0, +2] | the same | noise |"
echo
echo "frozen  ---o---      |   noise"
"""
DIFF = """| Path                  | Metric        | base  | head  | Change   |
|-----------------------|---------------|-------|-------|----------|
| metrics/evaluate.json | frozen.pauc   | 50.0  | 51.0  | 1.0      |
| metrics/evaluate.json | ensemble.official | 1 | 2 | 1 |
| metrics/evaluate.json | ensemble.pauc | 50.0  | 51.0  | 1.0      |
| metrics/index.json    | clips         | 7     | 8     | 1        |
"""


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two revisions, whose score is 1 and 2."""
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "test")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "test@localhost")
    (tmp_path / "bin").mkdir()
    for name, text in {"dvc": DVC, "python": PYTHON}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("DIFF", str(tmp_path / "diff"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    git("init", "--quiet")
    for score in (1, 2):
        Path("score").write_text(f"{score}")
        git("add", "score")
        git("commit", "--quiet", "--message", f"{score}")
    return tmp_path


def compared(folder, diff):
    (folder / "diff").write_text(diff)
    script = str(ROOT / ".github" / "compare.sh")
    return subprocess.run([script, "HEAD~1", "HEAD"], check=True, capture_output=True, text=True).stdout


def test_both_revisions_run_and_their_figures_bear_the_verdicts(repository):
    lines = compared(repository, DIFF).splitlines()
    base, head = (git("rev-parse", "--short", revision) for revision in ("HEAD~1", "HEAD"))
    assert lines[0] == f"## base {base} and head {head} on the same machine"
    assert "| system | base | head | difference [95 %] | training seeds | verdict |" in lines
    assert "| frozen | 1 | 2 | +1 [+0, +2] | the same | noise |" in lines
    assert "| metrics/evaluate.json | frozen.pauc | 50.0 | 51.0 | 1.0 | noise |" in lines
    assert "| metrics/evaluate.json | ensemble.official | 1 | 2 | 1 | real |" in lines
    assert "| metrics/evaluate.json | ensemble.pauc | 50.0 | 51.0 | 1.0 |  |" in lines
    assert "| metrics/index.json | clips | 7 | 8 | 1 |  |" in lines
    assert "frozen  ---o---      |   noise" in lines, "the chart's columns stay as they are"
    assert git("status", "--short") == ""
    assert len(git("worktree", "list").splitlines()) == 1


def test_nothing_changed(repository):
    assert "No metric changed." in compared(repository, "".join(DIFF.splitlines(keepends=True)[:2])).splitlines()


def test_the_comment_stays_below_what_github_takes(repository):
    rows = [
        f"| metrics/evaluate.json | frozen.machines.gearbox.section_00.auc_source_within_{i} | 50.0 | 51.0 | 1.0 |"
        for i in range(600)
    ]
    said = compared(repository, "\n".join([*DIFF.splitlines()[:2], *rows]) + "\n")
    assert len(said) < 65536
    assert "100 more rows are left out." in said


def test_the_workflow_runs_the_script_and_may_write_a_comment():
    content = yaml.safe_load((ROOT / ".github/workflows/compare.yml").read_text())
    assert content["permissions"] == {"contents": "read", "pull-requests": "write"}
    commands = "\n".join(step.get("run", "") for step in content["jobs"]["compare"]["steps"])
    assert '.github/compare.sh "$BASE" "$HEAD"' in commands
    assert "gh pr comment" in commands


def test_the_workflow_tests_every_system_and_python():
    matrix = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
