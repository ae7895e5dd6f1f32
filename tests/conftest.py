"""Shared by all tests: where the shared recordings are, and an empty project folder."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from hypothesis import settings

from asd.core.compute import ComputeParams, configure

settings.register_profile("asd", deadline=None)  # a busy machine is no failure
settings.load_profile("asd")
ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and a shell")
ONE_THREAD = ComputeParams(threads=1)
SHARED = Path(os.environ.get("ASD_SHARED", ROOT.parent / "shared"))


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Take interruptions, and let processes started here take them: a shell's job in the background ignores them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Compute by one thread a process: tests share the cores."""
    configure(ONE_THREAD)
    torch.set_num_threads(1)  # which stages do, but not the functions below them


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings and labels that are not ours to commit."""
    if not (SHARED / "README.md").is_file():
        pytest.skip(f"no real recordings at {SHARED}: set ASD_SHARED")
    return SHARED


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once for all workers: ``made_once(name, make)``. Who writes into it takes a copy."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers, as pytest-xdist documents

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, unfinished = base / name, base / f"{name}.part"
        with FileLock(base / f"{name}.lock"):
            if not folder.is_dir():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                configure(ONE_THREAD)  # fixtures of a session come before those of a test
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with the shipped params.yaml, as working directory."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_by_two_processes(script: str, out: Path) -> None:
    """Run a script of this folder under torchrun, by two processes of one thread; it writes to ``$OUT``."""
    here = Path(__file__).parent
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = {"OUT": str(out), "PYTHONPATH": f"{here.parent}:{here}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(here / script)], env=os.environ | paths, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
