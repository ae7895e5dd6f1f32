"""The committed run: what a commit says of it, whatever ``dvc repro`` has made of it on this machine since."""

import subprocess
from pathlib import Path

from conftest import ROOT


def committed(name: str, root: Path = ROOT) -> str:
    """Read a file beside the metrics it belongs to.

    As it is where the folder's ``metrics/`` are those of git's ``HEAD`` or there is no git; else as it is in
    ``HEAD``, since other kernels give other digits and a run under way isn't done.
    """
    as_committed = _git(root, "show", f"HEAD:./{name}")
    changed = as_committed is not None and _git(root, "status", "--porcelain", "--", "metrics")
    return as_committed if as_committed and changed else (root / name).read_text(encoding="utf-8")


def committed_names(folder: str, root: Path = ROOT) -> list[str]:
    """List the files of a folder that are committed; those that are there where there is no git."""
    listed = _git(root, "ls-tree", "--name-only", "HEAD", f"{folder}/")
    return listed.splitlines() if listed else sorted(f.relative_to(root).as_posix() for f in (root / folder).iterdir())


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False, encoding="utf-8")
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
