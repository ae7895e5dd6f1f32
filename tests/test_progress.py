"""Progress: a line that is updated in a terminal, a sparse one elsewhere, nothing of workers but by their parent."""

import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, posix

from asd.core import compute, progress
from asd.core.compute import ComputeParams

WORK = """\
import time
from asd.core.progress import progress
for step in progress("train", "step", 30, range(30)):
    time.sleep(0.06)
"""
PATHS = {"PYTHONPATH": str(ROOT), "ASD_PROGRESS": "0.1"}


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show what is done here: tests of a cluster in this process may have made it a worker."""
    monkeypatch.setattr(progress, "_worker", False)
    monkeypatch.setattr(progress, "_note", None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(items: list[int], monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **how: object) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    bar = progress.progress("train", "step", len(items), items, **how)
    assert [time.sleep(0.01) or item for item in bar] == items
    return stream.getvalue()


def test_a_terminal_has_one_line_that_is_updated_and_goes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "DELAY", 0.05)
    said = shown(list(range(40)), monkeypatch, Terminal())
    assert "\n" not in said
    assert re.search(r"train: .*\d+/40 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+step/s\]", said)
    assert said.endswith("\r")
    assert "\x1b[3" not in said, "no colours"


def test_what_takes_a_moment_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    assert shown([1, 2, 3], monkeypatch, Terminal()) == ""
    assert shown([1, 2, 3], monkeypatch, io.StringIO()) == ""


def test_elsewhere_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASD_PROGRESS", "0.15")
    lines = shown(list(range(50)), monkeypatch, io.StringIO()).splitlines()
    assert 1 <= len(lines) <= 4
    for line in lines:
        assert progress.LINE.fullmatch(line), line
        assert re.fullmatch(r"train: \d+/50, +[\d.]+step/s, \d\d:\d\d left", line)


def test_processes_that_do_not_show_say_nothing_and_what_was_done_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ASD_PROGRESS", "0.05")
    assert shown(list(range(20)), monkeypatch, io.StringIO(), shown=False) == ""
    lines = shown(list(range(20)), monkeypatch, io.StringIO(), start=100).splitlines()
    assert int(re.match(r"train: (\d+)", lines[0])[1]) > 100


def test_who_wants_nothing_gets_nothing():
    quiet = os.environ | PATHS | {"TQDM_DISABLE": "1"}
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True, env=quiet)
    assert (done.stdout, done.stderr) == ("", "")


def counted(note: Path) -> None:
    """A worker's training of 20 steps."""
    progress.in_worker(note)
    for _ in progress.progress("embed", "part", 3, range(3)):
        pass
    for _ in progress.progress(progress.TRAIN, "step", 20, range(20)):
        time.sleep(0.05)


@pytest.mark.slow
def test_the_parent_shows_how_far_its_workers_are_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress, "LOOK", 0.1)
    monkeypatch.setenv("ASD_PROGRESS", "0.2")
    notes = [tmp_path / "one/progress", tmp_path / "two/progress"]
    with progress.of_workers(notes):
        list(compute.parallel(counted, notes, ComputeParams(jobs=2, backend="loky")))
    lines = capfd.readouterr().err.splitlines()
    assert lines
    assert all(re.fullmatch(r"train: \d+/40, .*step/s, .* left", line) for line in lines), lines


@pytest.mark.slow
@posix
def test_dvc_hands_the_terminal_to_its_stages(tmp_path: Path):
    """Its standard error is one, its standard output none, as with ``dvc repro > log``."""
    import pty
    import termios

    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "dvc.yaml").write_text(f"stages: {{train: {{cmd: {sys.executable} work.py}}}}")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], cwd=tmp_path, check=True)
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    done = subprocess.run(
        [*dvc, "repro"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=child, check=True, env=os.environ | PATHS
    )
    os.set_blocking(parent, False)
    said = os.read(parent, 100000).decode()
    os.close(child)
    os.close(parent)
    assert re.search(r"\rtrain: .*/30 \[", said), said
    assert b"/30" not in done.stdout
