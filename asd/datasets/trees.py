"""Walks through folders of recordings: links are followed once, what is hidden is left out, and both are said."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from asd.core.errors import UserError

SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".au", ".snd", ".caf", ".rf64", ".w64"}
SUFFIXES |= {".aif", ".aiff", ".aifc"}
HIDDEN = {  # folders that systems, stores and archives keep for themselves, besides those that start with . or $
    "__macosx", "@eadir", "#recycle", "@recycle", "#snapshot", "@recently-snapshot", "system volume information",
    "recycler", "recycled", "lost+found", "found.000", "__pycache__", "lost.dir",
}  # fmt: skip
NAMED = 5  # of a kind that a note names


class Tree(NamedTuple):
    """Files below a folder, sorted, and what is said of those left out, in a line a kind."""

    files: list[Path]
    notes: list[str]

    @property
    def recordings(self) -> list[Path]:
        """The files with a suffix of recordings."""
        return [file for file in self.files if is_recording(file)]


def is_recording(file: Path) -> bool:
    """Tell a recording by its suffix."""
    return file.suffix.lower() in SUFFIXES


def read_tree(folder: Path) -> Tree:
    """List the files of a folder.

    A folder or file that is reached twice, by links, is read once: where it lies if that is below the folder, else
    under the first link. Hidden files and folders are left out.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Tree

    Raises
    ------
    UserError
        Where the name of a recording is no text of one line: no table could hold it.
    """
    said: dict[str, list[str]] = {}
    once: dict[str, Path] = {}
    for file in sorted(_walk(folder, said), key=lambda file: (file.is_symlink(), file)):
        if once.setdefault(os.path.realpath(file), file) != file and is_recording(file):
            said.setdefault("left out, links to recordings that are read already", []).append(shown(file))
    kept = sorted(once.values())
    check_names(file for file in kept if is_recording(file))
    return Tree(kept, [f"{kind}: {_some(names)}" for kind, names in said.items()])


def _walk(folder: Path, said: dict[str, list[str]]) -> Iterator[Path]:
    """Yield all files; links to folders are followed when all that is no link has been seen, each folder once."""
    seen: set[str] = set()
    waiting, links = [folder], list[Path]()
    while waiting or links:
        linked = not waiting
        here = links.pop(0) if linked else waiting.pop(0)
        real = os.path.realpath(here)
        if real in seen:
            said.setdefault("left out, links to folders that are read already", []).append(shown(here))
            continue
        seen.add(real)
        for path in _entries(here, said):
            if path.is_dir():
                (links if path.is_symlink() else waiting).append(path)
            elif path.is_file():
                yield path
            elif is_recording(path):
                said.setdefault("left out, links that lead nowhere", []).append(shown(path))
        links.sort()


def _entries(folder: Path, said: dict[str, list[str]]) -> list[Path]:
    """List what is in a folder and not hidden, sorted."""
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        said.setdefault(f"left out, folders that can't be read ({error.strerror})", []).append(shown(folder))
        return []
    for path in inside:
        if _is_hidden(path) and _is_folder(path):
            said.setdefault("left out, hidden folders", []).append(shown(path))
    return [path for path in inside if not _is_hidden(path) and _reachable(path)]


def _is_hidden(path: Path) -> bool:
    return path.name.startswith((".", "$")) or path.name.casefold() in HIDDEN


def _is_folder(path: Path) -> bool:
    return _reachable(path) and path.is_dir()


def _reachable(path: Path) -> bool:
    try:
        path.is_dir()
    except OSError:  # a folder above may be listed, not entered
        return False
    return True


def check_names(files: Iterable[Path]) -> None:
    """Refuse recordings whose names no table could hold: bytes that are no UTF-8 are read as surrogates."""
    if unfit := [file for file in files if re.search("[\n\r\ud800-\udfff]", str(file))]:
        more = f" ({len(unfit)} such recordings)" if len(unfit) > 1 else ""
        what = "a name that is not UTF-8 or holds a line break"
        raise UserError(f"{shown(unfit[0])} has {what}{more}: rename it, for instance with convmv")


def shown(path: Path | str) -> str:
    """Write a path in one line that any terminal takes: what can't be printed is escaped."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest


def found(path: Path) -> Path:
    """Find a file whose name a table spells in another form of Unicode (NFC, NFD), or with the slashes of Windows.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Path
        As it is on the disk; the same where there is none.
    """
    if _exists(path):
        return path
    if os.sep == "/" and "\\" in str(path) and _exists(other := found(Path(str(path).replace("\\", "/")))):
        return other
    here = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        if not _exists(here / part):
            try:
                alike = [path.name for path in here.iterdir() if _composed(path.name) == _composed(part)]
            except OSError:
                return path
            if len(alike) != 1:
                return path
            part = alike[0]
        here /= part
    return here


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long
        return False


def is_file(path: Path) -> bool:
    """Say whether there is such a file."""
    return _exists(path) and path.is_file()


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
