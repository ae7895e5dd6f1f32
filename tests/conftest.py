"""Shared by all tests: where the shared recordings are, and an empty project folder."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from asd.core.compute import ComputeParams, configure

settings.register_profile("asd", deadline=None)  # a busy machine is no failure
settings.load_profile("asd")
ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and a shell")
SHARED = Path(os.environ.get("ASD_SHARED", ROOT.parent / "shared"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Compute by one thread a process: tests share the cores."""
    configure(ComputeParams(threads=1))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings and labels that are not ours to commit."""
    if not (SHARED / "README.md").is_file():
        pytest.skip(f"no real recordings at {SHARED}: set ASD_SHARED")
    return SHARED


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with the shipped params.yaml, as working directory."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path
