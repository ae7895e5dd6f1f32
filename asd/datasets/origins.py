"""Addresses, sizes and digests of archives: from the API of Zenodo's records, or a mirror."""

import json
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from asd.core import fetch
from asd.core.errors import UserError

ZENODO = "https://zenodo.org"
SUMS = "md5sums.txt"  # of a mirror, as md5sum writes it


class Origin(NamedTuple):
    """Address of an archive, its size in bytes (0: unknown) and its published digest, or an empty one."""

    url: str
    size: int
    digest: str


def offers(archives: list[tuple[int, str]], mirror: str) -> dict[int, dict[str, Origin]]:
    """Look up, once, the archives of each record.

    Parameters
    ----------
    archives : list of (int, str)
        Records and the names of their archives.
    mirror : str
        ``none``, a folder, or a base URL; either has ``<record>/<archive>`` and perhaps ``<record>/md5sums.txt``.

    Returns
    -------
    dict of int to dict of str to Origin
        By record and name.

    Raises
    ------
    UserError
        Where a record does not answer: with what to put where by hand.
    """
    offered_by: dict[int, dict[str, Origin]] = {}
    for record in dict.fromkeys(record for record, _ in archives):
        names = [name for owner, name in archives if owner == record]
        offered_by[record] = _published(record, names) if mirror == "none" else _mirrored(mirror, record, names)
    return offered_by


def _published(record: int, names: list[str]) -> dict[str, Origin]:
    """Read what a record's API publishes: names, sizes, digests."""
    try:
        files = json.loads(fetch.get_text(f"{ZENODO}/api/records/{record}"))["files"]
        return {
            file["key"]: Origin(f"{page(record)}/files/{file['key']}", file["size"], file["checksum"]) for file in files
        }
    except fetch.UnreachableError as error:
        by_hand = f"put {' '.join(names)} of {page(record)} into FOLDER/{record}/ and set dataset.mirror to FOLDER"
        raise UserError(f"{error}; or by hand: {by_hand}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{ZENODO}/api/records/{record} lists no files: look whether the record moved") from None


def _mirrored(mirror: str, record: int, names: list[str]) -> dict[str, Origin]:
    """Assume that the archives are there, with the mirror's digests if it has any."""
    base = f"{mirror.rstrip('/')}/{record}"
    digests = {}
    with suppress(fetch.AbsentError, FileNotFoundError):
        text = fetch.get_text(f"{base}/{SUMS}") if is_url(mirror) else Path(base, SUMS).read_text(encoding="utf-8")
        lines = [line.split(maxsplit=1) for line in text.splitlines() if len(line.split()) == 2]
        digests = {name.strip().lstrip("*"): f"md5:{digest}" for digest, name in lines}
    return {name: Origin(f"{base}/{name}", 0, digests.get(name, "")) for name in names}


def is_url(address: str) -> bool:
    """Tell a URL from a folder."""
    return address.startswith(("http://", "https://"))


def page(record: int) -> str:
    """Give the address of a record."""
    return f"{ZENODO}/records/{record}"


def offered(record: int, name: str, files: dict[str, Origin]) -> Origin:
    """Find an archive among a record's files, or say which one may have replaced it.

    Parameters
    ----------
    record : int
    name : str
        Of the archive.
    files : dict of str to Origin
        Of :func:`offers`.
    """
    if name in files:
        return files[name]
    start = name.removesuffix(".zip")
    like = ", ".join(sorted(file for file in files if file.startswith(start))) or "nothing like it"
    raise UserError(
        f"record {record} has no {name}, but {like}: if the organisers replaced it, name the new one in "
        "asd/datasets/years.yaml (renamed)"
    )
