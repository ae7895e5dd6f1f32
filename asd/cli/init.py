"""``python -m asd init DIR``: a project of one's own, outside of the source tree."""

import argparse
from pathlib import Path

from asd.cli.pipeline import make_project

EXAMPLE = "python -m asd init my-fans && cd my-fans && dvc repro"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Make a folder in which dvc repro works with the installed package alone: dvc.yaml, params.yaml, presets, a "
        "git repository and DVC. Stages run anew where a new version of the package has other code for them."
    )
    parser.add_argument("dir", metavar="DIR", type=Path, help="missing yet, or empty")


def main(args: argparse.Namespace) -> int:
    """Make the project."""
    make_project(args.dir)
    print(f"{args.dir}: cd there; python -m asd manifest FOLDER for own recordings; dvc repro")
    return 0
