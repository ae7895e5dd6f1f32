"""Unpacking of archives that may be broken or hostile: all of one, or nothing."""

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from asd.core.errors import UserError

RATIO = 200  # times its own size that an archive may hold; recordings pack to a half at best, silence to less
SMALL = 100 * 2**20  # [bytes] that any archive may hold
ENTRIES = 1_000_000


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive into a folder that appears when it is whole.

    Parameters
    ----------
    archive : Path
    folder : Path
        Must not be there.

    Raises
    ------
    UserError
        Where the archive is no zip, damaged, encrypted, or holds what leads out of the folder, a link, a name twice,
        more than it may, or more than there is space for. Nothing of it is left then.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            _check(entries, archive)
            part.mkdir(parents=True)
            for entry in entries:
                opened.extract(entry, part)
        part.replace(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive} is no whole zip archive ({error}): fetch it again") from None
    except OSError as error:
        raise UserError(f"{archive} can't be unpacked ({error.strerror}): mend that and run again") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check(entries: list[zipfile.ZipInfo], archive: Path) -> None:
    for entry in entries:
        if why := _unfit(entry):
            raise UserError(f"{archive} holds {entry.filename!r}, {why}: it is not unpacked; ask who made it")
    names = [entry.filename.casefold() for entry in entries]
    if len(names) > min(len(set(names)), ENTRIES):
        raise UserError(f"{archive} holds a name twice or more than {ENTRIES} names: it is not unpacked")
    total = sum(entry.file_size for entry in entries)
    if total > max(SMALL, RATIO * archive.stat().st_size):
        raise UserError(f"{archive} would become {total / 2**30:.1f} GiB, a bomb: it is not unpacked")
    if total > (free := shutil.disk_usage(archive.parent).free):
        raise UserError(f"{archive} needs {total / 2**30:.1f} GiB, {free / 2**30:.1f} are free: make space")


def _unfit(entry: zipfile.ZipInfo) -> str:
    name, mode = entry.filename, entry.external_attr >> 16
    if PurePosixPath(name).is_absolute() or "\\" in name or ":" in name.split("/")[0]:
        return "an absolute path"
    if ".." in PurePosixPath(name).parts:
        return "a path that leads out"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    return "an encrypted file" if entry.flag_bits & 1 else ""
