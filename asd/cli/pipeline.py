"""The pipeline's own files, of the source tree or of the installed package, and projects made of them."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from asd.core.artifacts import atomic
from asd.core.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
HOME = PACKAGE / "project" if (PACKAGE / "project").is_dir() else PACKAGE.parent  # has dvc.yaml, stages/, presets/
CODE = (".py", ".yaml", ".html", ".css", ".js", ".safetensors")  # what counts as code: see .dvcignore of the source
COPIED = ("params.yaml", ".gitignore", ".dvc/config", ".dvc/plots/*.json", "presets/*.txt")
DIGESTS = Path("data/code")
WRITTEN = {
    "data/manifest.csv": "path,machine,split\n",
    ".dvcignore": "# Unfinished work of stages that were killed\n/.asd\n/.venv\n",
}
SETTINGS = ("user.name=asd", "user.email=asd@localhost", "commit.gpgsign=false", "core.fsmonitor=false")
PLAIN = [part for setting in (*SETTINGS, f"core.hooksPath={os.devnull}") for part in ("-c", setting)]  # not the user's
FIRST = f"""\
# Made by asd init. Stages depend on digests of the installed code that they run: a new version re-runs what it changed.
stages:
  code:
    desc: Digests of the installed code, by stage.
    cmd: python -m asd stage code
    always_changed: true
    outs:
      - {DIGESTS.as_posix()}:
          cache: false
"""


def make_project(folder: Path) -> None:
    """Make a project in a folder that is missing or empty: all of it or nothing.

    Raises
    ------
    UserError
        Where the folder is not empty, or git or DVC fail.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and is not empty: name a new folder")
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".asd-") as work:
        made = Path(work) / folder.absolute().name
        made.mkdir()
        _call(["git", "init", "--quiet"], made)
        _call([sys.executable, "-m", "dvc", "init", "--quiet"], made)
        for file in (file for pattern in COPIED for file in HOME.glob(pattern)):
            target = made / file.relative_to(HOME)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for name, text in ({"dvc.yaml": project_pipeline()} | WRITTEN).items():
            with atomic(made / name, "w") as written:
                written.write(text)
        _call(["git", *PLAIN, "add", "--all"], made)
        _call(["git", *PLAIN, "commit", "--quiet", "--message=asd init"], made)  # without one dvc exp run fails
        if folder.is_dir():  # perhaps the working directory, which stays
            for part in made.iterdir():
                os.replace(part, folder / part.name)
        else:
            os.replace(made, folder)


def _call(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not installed: install it, projects need it") from None
    if done.returncode:
        said = (done.stderr.strip() or "no word of why").splitlines()[-1]
        raise UserError(f"{' '.join(command[-3:])} failed: {said}")


def project_pipeline() -> str:
    """Write dvc.yaml of a project: the source tree's, with stages and code of the installed package."""
    lines, stage, named = [FIRST], "", True
    for line in (HOME / "dvc.yaml").read_text(encoding="utf-8").partition("\nstages:\n")[2].splitlines():
        if match := re.fullmatch(r"  (\w+):", line):
            stage, named = match[1], False
        if match := re.fullmatch(r"( +- )(asd|stages)/.*", line):
            if named:
                continue
            line, named = f"{match[1]}{(DIGESTS / stage).as_posix()}.txt", True
        lines.append(re.sub(r"python -m stages\.(\w+)", r"python -m asd stage \1", line))
    return "\n".join(lines) + "\n"


def code_digests() -> dict[str, str]:
    """Digest the code that each stage depends on, by stage, as the source tree's dvc.yaml lists it."""
    stages: dict[str, Any] = yaml.safe_load((HOME / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: _digest(stage.get("do", stage)["deps"]) for name, stage in stages.items()}


def _digest(deps: list[str]) -> str:
    digest = hashlib.sha256()
    roots = {"asd": PACKAGE.parent, "stages": HOME}
    for path in (roots[dep.split("/")[0]] / dep for dep in deps if dep.split("/")[0] in roots):
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in CODE:
                digest.update(file.relative_to(path.parent).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
