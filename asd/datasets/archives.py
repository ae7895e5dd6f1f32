"""The archives of a year: fetched from Zenodo or a mirror, verified, unpacked, and kept for the next run.

Under :data:`STORE`, outside every output, which DVC empties before a stage starts: ``<record>/<archive>/`` unpacked and
whole, ``<record>/<archive>.zip.part`` under download, ``<record>/<archive>.zip.md5`` the digest it had.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from asd.core import fetch
from asd.core.artifacts import atomic
from asd.core.errors import UserError
from asd.core.progress import progress
from asd.core.unpack import unpack
from asd.datasets.origins import Origin, is_url, offered, offers, page
from asd.datasets.years import Archive, PublishedFile

STORE = Path(".asd/archives")
AT_ONCE = 4  # archives under download


def folder_of(archive: Archive) -> Path:
    """Name the folder of an unpacked archive."""
    return STORE / str(archive.record) / Path(archive.name).stem


def provide(archives: list[Archive], mirror: str) -> dict[str, str]:
    """Make sure that archives stand unpacked in the store; those that do are not fetched again.

    Parameters
    ----------
    archives : list of Archive
    mirror : str
        ``none``, a folder, or a base URL; either has ``<record>/<archive>`` and perhaps ``<record>/md5sums.txt``.

    Returns
    -------
    dict of str to str
        ``<record>/<archive>``: ``md5:<hex>``.

    Raises
    ------
    UserError
        On the first archive that can't be had; the others are provided all the same.
    """
    missing = [archive for archive in archives if not folder_of(archive).is_dir()]
    known = offers([(archive.record, archive.name) for archive in missing], mirror)
    sizes = [known[one.record][one.name].size for one in missing if one.name in known[one.record]]
    with progress("download", "B", sum(sizes) or None) as bar:
        failed = in_parallel([partial(_provide, one, known[one.record], bar.update) for one in missing])
    if failed:
        more = f" (and {len(failed) - 1} more archives failed)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more}")
    return {f"{archive.record}/{archive.name}": _note(archive).read_text().strip() for archive in archives}


def in_parallel(tasks: Iterable[Callable[[], Any]]) -> list[UserError]:
    """Do all tasks, several at a time; returns their user errors."""

    def done(task: Callable[[], Any]) -> UserError | None:
        try:
            task()
        except UserError as error:
            return error
        return None

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return [error for error in workers.map(done, tasks) if error]


def _provide(archive: Archive, files: dict[str, Origin], progress: fetch.Progress) -> None:
    """Fetch one archive, if it is not on this machine, verify and unpack it."""
    origin = offered(archive.record, archive.name, files)
    folder, note = folder_of(archive), _note(archive)
    expected = _expected(archive, origin.digest)
    local = not is_url(origin.url)
    path = Path(origin.url) if local else folder.with_name(archive.name)
    digest = _verified(archive, path, expected) if local else fetch.fetch(origin.url, path, expected, progress)
    with atomic(note, "w") as file:
        file.write(f"{digest}\n")
    try:
        unpack(path, folder)
    except UserError:
        note.unlink()
        raise
    finally:
        if not local:
            path.unlink()
    tqdm.write(f"{archive.record}/{archive.name}: {archive.machine}, {archive.part}")


def _note(archive: Archive) -> Path:
    return folder_of(archive).with_name(f"{archive.name}.md5")


def _expected(archive: Archive, published: str) -> str:
    """Choose the digest to hold an archive to: pinned, else noted at an earlier download, else published."""
    note = _note(archive)
    pinned = f"md5:{archive.md5}" if archive.md5 else note.read_text().strip() if note.is_file() else ""
    if pinned and published and pinned != published:
        where = "asd/datasets/years.yaml" if archive.md5 else note
        raise UserError(
            f"record {archive.record} now gives {archive.name} with {published}, pinned is {pinned}: the "
            f"organisers replaced it; remove the pin in {where} if you want the new one"
        )
    return pinned or published


def _verified(archive: Archive, path: Path, expected: str) -> str:
    """Digest an archive of a mirror that is a folder, where it lies."""
    if not path.is_file():
        raise UserError(
            f"{path} is not there: put {page(archive.record)}/files/{archive.name} there or correct dataset.mirror"
        )
    digest = fetch.digest_of(path, "md5")
    if expected and digest != expected:
        raise UserError(f"{path} has {digest}, expected was {expected}: replace it")
    return digest


def provide_table(table: PublishedFile, mirror: str) -> tuple[Path, str]:
    """Make sure that a small published file is here; one that is not pinned is held to the sha256 it had at first.

    Parameters
    ----------
    table : PublishedFile
    mirror : str
        As for :func:`provide`; either holds ``labels/<place>``.

    Returns
    -------
    path : Path
    digest : str
        ``sha256:<hex>``.

    Raises
    ------
    UserError
        Where it can't be had, or is another one.
    """
    wanted = f"sha256:{table.sha256}" if table.sha256 else _noted(table)
    path = STORE / "labels" / (table.sha256 or _unpinned(table)) / Path(table.place).name
    if path.is_file():
        return path, wanted or _first(table, path)
    if mirror == "none" or is_url(mirror):
        _fetch_table(table, mirror, path, wanted)
        return path, wanted or _first(table, path)
    mirrored = Path(mirror, "labels", table.place)
    if not mirrored.is_file() or (wanted and fetch.digest_of(mirrored, "sha256") != wanted):
        other = f" or not {wanted}" if wanted else ""
        raise UserError(f"{mirrored} is missing{other}: put {table.url} there")
    return mirrored, wanted or _first(table, mirrored)


def _unpinned(table: PublishedFile) -> str:
    """Name the place of a file without a pin after its address, which names a commit."""
    return hashlib.sha256(table.url.encode()).hexdigest()


def _table_note(table: PublishedFile) -> Path:
    return STORE / "labels" / _unpinned(table) / f"{Path(table.place).name}.sha256"


def _noted(table: PublishedFile) -> str:
    note = _table_note(table)
    return note.read_text().strip() if note.is_file() else ""


def _first(table: PublishedFile, path: Path) -> str:
    """Note the sha256 of a file that came first, and say so."""
    digest = fetch.digest_of(path, "sha256")
    note = _table_note(table)
    note.parent.mkdir(parents=True, exist_ok=True)
    with atomic(note, "w") as file:
        file.write(f"{digest}\n")
    tqdm.write(f"{table.place}: no sha256 was known; {digest} is recorded, and must be met from now on")
    return digest


def _fetch_table(table: PublishedFile, mirror: str, path: Path, digest: str) -> None:
    url = table.url if mirror == "none" else f"{mirror.rstrip('/')}/labels/{table.place}"
    try:
        fetch.fetch(url, path, digest)
    except fetch.UnreachableError as error:
        by_hand = f"put it into FOLDER/labels/{table.place}, dataset.mirror=FOLDER"
        raise UserError(f"{error}; or by hand: {by_hand}") from None
