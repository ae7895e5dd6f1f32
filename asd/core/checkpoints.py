"""Unfinished work: kept outside every output, found again by what it was computed from.

DVC deletes a stage's outputs before it starts the stage. So what a killed stage had finished stays in
``.asd/<stage>/<fingerprint>/`` until the stage ends well; a stage with other params, inputs or code has
another fingerprint and never sees it.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asd.core.artifacts import write_with

LIBRARY = Path(__file__).parents[1]
KEPT = 3  # unfinished works of one stage: those of the variants last tried


def fingerprint(params: Any, *inputs: Path | str) -> str:
    """Hash what a piece of work depends on: params, the bytes of its inputs, the code of the packages that are loaded.

    Parameters
    ----------
    params : Any
        Printed by ``repr``, so pydantic models, dicts and tuples of them will do.
    *inputs : Path or str
        Files and folders, read whole.

    Returns
    -------
    str
        16 hex digits.
    """
    digest = hashlib.sha256(repr(params).encode())
    for path in [Path(i) for i in inputs]:
        files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(path.parent).as_posix()).encode())
            digest.update(_digest(file))
    for file in _loaded_code():
        digest.update(_digest(file))
    return digest.hexdigest()[:16]


def _digest(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _loaded_code() -> list[Path]:
    """List our own modules that this process has imported, and the others of their packages, which may come later."""
    modules = [m for name, m in sys.modules.items() if name.split(".")[0] in ("asd", "stages", "__main__")]
    files = {Path(f) for m in modules if (f := getattr(m, "__file__", None))}
    folders = {f.parent for f in files if LIBRARY in f.parent.parents}
    files |= {f for folder in folders for f in folder.rglob("*.py")}
    return sorted(f for f in files if f.suffix == ".py" and f.is_file() and f.stat().st_size)


@contextmanager
def unfinished(home: Path, mark: str) -> Iterator[Path]:
    """Give a folder for work in progress that outlives a kill.

    Parameters
    ----------
    home : Path
        Of the stage's unfinished work: ``.asd/train@frozen`` in the project's folder.
    mark : str
        Its :func:`fingerprint`.

    Yields
    ------
    Path
        ``<home>/<mark>``, with what an earlier run left there; removed when the block ends without an error.
    """
    work = home / mark
    work.mkdir(parents=True, exist_ok=True)
    for part in work.rglob(".*.part*"):
        part.unlink()
    work.touch()
    older = sorted((d for d in home.iterdir() if d.is_dir()), key=lambda d: d.stat().st_mtime, reverse=True)
    for stale in older[KEPT:]:
        shutil.rmtree(stale)
    yield work
    shutil.rmtree(work, ignore_errors=True)


def save(path: Path, state: Any) -> None:
    """Write a torch checkpoint, atomically."""
    import torch

    write_with(path, lambda part: torch.save(state, part))


def restore(path: Path) -> Any | None:
    """Read a torch checkpoint, or None where there is none."""
    import torch

    return torch.load(path, weights_only=True) if path.is_file() else None
