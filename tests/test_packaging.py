"""The package that pip installs: its dependencies admit the pins, its data files are in it."""

import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree
from zipfile import ZipFile

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SHIPPED = ("dvc.yaml", "params.yaml", ".gitignore", ".dvc/config")  # besides folders, for asd init


def pins(name: str) -> dict[str, str]:
    """Read the pinned versions of a requirements file, by package."""
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return {canonicalize_name(package): version for package, version in (line.split("==") for line in lines if line)}


@pytest.mark.parametrize(
    ("declared", "pinned"),
    [
        (PROJECT["dependencies"], "requirements.txt"),
        (PROJECT["optional-dependencies"]["dev"], "requirements-dev.txt"),
    ],
)
def test_dependencies_admit_the_pins(declared: list[str], pinned: str):
    required = {canonicalize_name(r.name): r.specifier for r in map(Requirement, declared)}
    versions = pins(pinned)
    assert required.keys() - versions.keys() <= {"pre-commit"}  # which nothing that is tested needs
    assert all(required[name].contains(version) for name, version in versions.items())


def test_the_wheel_has_all_files_and_the_command(tmp_path: Path):
    pytest.importorskip("setuptools", minversion="77", reason="the wheel is built without network")
    project, ignored = tmp_path / "project", lambda _, names: [name for name in names if name == "__pycache__"]
    copytree(ROOT / "asd", project / "asd", ignore=ignored)
    for name in ("stages", "presets", ".dvc/plots"):
        copytree(ROOT / name, project / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", *SHIPPED):
        (project / name).write_bytes((ROOT / name).read_bytes())
    build = "from setuptools.build_meta import build_wheel; build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=project, check=True, capture_output=True)
    (wheel,) = project.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        scripts = next(name for name in names if name.endswith("entry_points.txt"))
        assert "asd = asd.__main__:main" in archive.read(scripts).decode()
    files = {file.relative_to(project).as_posix() for file in (project / "asd").rglob("*") if file.is_file()}
    assert files <= names
    pipeline = [f for name in (*SHIPPED, "stages", "presets", ".dvc/plots") for f in _files(project / name)]
    assert {f"asd/project/{file.relative_to(project).as_posix()}" for file in pipeline} <= names
    assert {name.split("/")[0] for name in names} == {"asd", scripts.split("/")[0]}


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
