"""``python -m asd weights list | get NAME | check FILE``: the weights of published encoders."""

import argparse
import json
from pathlib import Path

from asd.cli.text_tables import plain
from asd.core.errors import UserError
from asd.encoders.published import PUBLISHED

EXAMPLE = "python -m asd weights get beats_iter3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | get | check")
    listing = actions.add_parser("list", help="list the published encoders, and which weights are here")
    listing.add_argument("--json", action="store_true", help="an object an encoder")
    getting = actions.add_parser("get", help="download, verify and convert")
    getting.add_argument("name", metavar="NAME")
    getting.add_argument("--from", dest="file", type=Path, metavar="FILE", help="the published file, if here already")
    checking = actions.add_parser("check", help="tell whether a file is a published one, and whole")
    checking.add_argument("file", type=Path, metavar="FILE")
    checking.add_argument("--name", metavar="NAME", help="which it should be; by default as its sha256 or name says")


def main(arguments: argparse.Namespace) -> int:
    """List, get or check."""
    if arguments.action == "list":
        return _list(arguments.json)
    return _get(arguments.name, arguments.file) if arguments.action == "get" else _check(arguments)


def _list(as_json: bool) -> int:
    from asd.encoders.encoder_params import ENCODERS
    from asd.encoders.weights import home, is_here

    rows = [["name", "network", "dims", "front end", "licence", "MB", "sha256", "here", "file"]]
    for name, entry in sorted(PUBLISHED.items()):
        size = f"{entry.size / 1e6:.1f}" if entry.size else "?"
        here = "yes" if is_here(name) else "no"
        known = entry.sha256[:12] if entry.sha256 else "not known"
        address = f"{entry.addresses[0]}/{entry.file}" if entry.file else "not trained"
        network = ENCODERS[name].network.__name__
        rows.append([name, network, str(entry.dims), entry.front_end, entry.licence, size, known, here, address])
    if as_json:
        print(json.dumps([dict(zip(rows[0], row, strict=True)) for row in rows[1:]], indent=2))
        return 0
    print("\n".join(plain(rows)))
    print(f"kept in {home('')}; ASD_WEIGHTS names another folder")
    return 0


def _get(name: str, file: Path | None) -> int:
    from asd.encoders import weights

    first = weights.known(name).sha256 is None and weights.expected(name) is None
    path = weights.get(name, file)
    print(path)
    if first:
        print(f"{name}: no sha256 was known; {weights.expected(name)} is recorded, and must be met from now on")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from asd.encoders import weights

    name = arguments.name or _recognised(arguments.file)
    known = weights.expected(name)
    sha256 = weights.verify(name, arguments.file)
    count = len(weights.converted(name, arguments.file))
    verdict = "as published" if known else "no published sha256 to compare with is known"
    print(f"{arguments.file}: {name}, {count} tensors, all used, none missing; sha256 {sha256}, {verdict}")
    return 0


def _recognised(file: Path) -> str:
    """Find the published encoder of a file, by its sha256 or else by its name."""
    from asd.core.fetch import digest_of
    from asd.encoders import weights

    if not file.is_file():
        raise UserError(f"{file} is missing: give the path of a weights file")
    sha256 = digest_of(file, "sha256").removeprefix("sha256:")
    same = [name for name in PUBLISHED if weights.expected(name) == sha256]
    named = [name for name, entry in PUBLISHED.items() if entry.file == file.name]
    if names := same or (named if len(named) == 1 else []):
        return names[0]
    raise UserError(f"{file} is no published file that is known by its sha256 ({sha256}): say --name NAME to compare")
