"""``python -m asd score``: score recordings with a system that ``dvc repro`` trained."""

import argparse
import json
import sys
from pathlib import Path

from asd.base.artifacts import write_csv
from asd.base.errors import UserError
from asd.datasets.dcase import parse_name
from asd.datasets.trees import recordings_below
from asd.detector import Detector, Recording, load_detector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Score recordings of any rate, length and number of channels: score, threshold, decision (1: anomalous) and "
        "the most similar normal clip (data/files.csv says where it is). Recordings that can't be scored are named on "
        "stderr, and the exit status is 2 then."
    )
    parser.add_argument("--system", required=True, metavar="NAME", help="of params.yaml")
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_DIR", help="recordings, or folders of them")
    parser.add_argument("--machine", help="whose recordings they are (default: named by a folder, or the only one)")
    parser.add_argument("--section", help="of that machine (default: named by the file, or the only one)")
    parser.add_argument("--json", action="store_true", help="a list of objects")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the table there")


def main(args: argparse.Namespace) -> int:
    """Print one line a recording."""
    detector = load_detector(args.system)
    files = [file for path in args.paths for file in _files(path)]
    table, complaints = detector.score([_recording(file, detector, args) for file in files])
    for complaint in complaints:
        print(f"asd: {complaint}", file=sys.stderr)
    if args.csv:
        write_csv(args.csv, table)
    if args.json:
        print(json.dumps(table.to_dict("records"), indent=2))
    elif len(table):
        print(table.to_string(index=False))
    return 2 if complaints else 0


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if not (found := recordings_below(path)):
        raise UserError(f"{path} holds no recordings: name another folder")
    return found


def _recording(file: Path, detector: Detector, args: argparse.Namespace) -> Recording:
    machine = args.machine or _machine(file, list(detector.sections))
    if machine not in detector.sections:
        raise UserError(f"--machine is {machine!r}, which {args.system} does not know: {_listed(detector.sections)}")
    sections = detector.sections[machine]
    section = args.section or _section(file, sections)
    if section not in sections:
        raise UserError(f"{file}: which section of {machine}? give --section, one of {', '.join(sections)}")
    return Recording(str(file), machine, section)


def _machine(file: Path, known: list[str]) -> str:
    """Take the machine that a folder on the way to a file is named after, else the only one."""
    named = [folder for folder in file.resolve().parts[-2::-1] if folder in known]
    if not named and len(known) > 1:
        raise UserError(f"{file}: whose recording is it? give --machine, one of {_listed(known)}")
    return named[0] if named else known[0]


def _section(file: Path, known: list[str]) -> str:
    if len(known) == 1:
        return known[0]
    try:
        return parse_name(file.name).section
    except UserError:
        return ""


def _listed(machines: list[str] | dict[str, list[str]]) -> str:
    return ", ".join(machines)
