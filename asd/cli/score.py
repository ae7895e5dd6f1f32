"""``python -m asd score``: score recordings with a system that ``dvc repro`` trained."""

import argparse
import json
import sys
from pathlib import Path

from asd.cli.text_tables import plain, rows_of
from asd.core.artifacts import write_csv
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import Project
from asd.datasets.trees import check_names, read_tree
from asd.detector import load_detector, recommended
from asd.systems import Detector

EXAMPLE = "python -m asd score new/fan --machine fan --csv scores.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Score recordings of any rate, length and number of channels: score, threshold, decision (1: anomalous) and "
        "the most similar normal clip (data/files.csv says where it is). Recordings that can't be scored are named on "
        "stderr, and the exit status is 2 then."
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_DIR", help="recordings, or folders of them")
    add_options(parser)


def add_detector(parser: argparse.ArgumentParser) -> None:
    """Declare the system that :func:`load` loads, and its project."""
    parser.add_argument("--system", metavar="NAME", help="of params.yaml, or ensemble (default: the recommended one)")
    parser.add_argument("--project", type=Path, default=Path(), metavar="DIR", help="default: the current folder")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare whose recordings are looked at by which system, and where the table goes."""
    add_detector(parser)
    parser.add_argument(
        "--machine", default="", help="whose recordings they are (default: named by a folder, or the only one)"
    )
    parser.add_argument("--section", default="", help="of that machine (default: named by the file, or the only one)")
    parser.add_argument("--json", action="store_true", help="a list of objects")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="write the table there")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw it")


def main(args: argparse.Namespace) -> int:
    """Print one line a recording."""
    project = Project(args.project)
    configure(project.section(ComputeParams, "compute"))
    files = [file for path in args.paths for file in _files(path)]
    scored = load(project, args.system).score(files, args.machine, args.section)
    complaints = scored.loc[scored["error"] != "", "error"]
    for complaint in complaints:
        print(f"asd: {complaint}", file=sys.stderr)
    table = scored[scored["error"] == ""].drop(columns="error").astype({"decision": int})
    if args.csv:
        write_csv(args.csv, table)
    if args.json:
        print(json.dumps(table.to_dict("records"), indent=2))
    elif len(table):
        print(*plain(rows_of(table)), sep="\n")
    if args.plot and len(table):
        from asd.report.pictures import plot_scores  # matplotlib takes its time

        plot_scores(args.plot, table)
    return 2 if len(complaints) else 0


def load(project: Project, system: str | None) -> Detector:
    """Load a system, or the recommended one where none is named, and say which that is."""
    name = system or recommended(project)
    if not system:
        print(f"asd: by {name}, which is recommended (--system NAME chooses another)", file=sys.stderr)
    return load_detector(project, name)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        check_names([path])
        return [path]
    tree = read_tree(path)
    for note in tree.notes:
        print(f"asd: note: {note}", file=sys.stderr)
    if not tree.recordings:
        raise UserError(f"{path} holds no recordings: name another folder")
    return tree.recordings
