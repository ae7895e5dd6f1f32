"""``python -m asd explain``: which bands and which times of a recording made its score."""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from asd.cli.score import add_options, load
from asd.cli.text_tables import plain, rows_of
from asd.core.artifacts import write_csv
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import Project
from asd.explanation import explain

EXAMPLE = "python -m asd explain --system texture fan/one.wav"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Say how much of a recording's score each frequency band [Hz] and each time interval [s] makes: what the score "
        "falls by where that band or interval becomes the nearest normal clip's. Recordings that can't be explained "
        "are named on stderr, and the exit status is 2 then."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recordings")
    add_options(parser)


def main(args: argparse.Namespace) -> int:
    """Print one line a band and one line an interval of each recording."""
    project = Project(args.project)
    configure(project.section(ComputeParams, "compute"))
    detector, tables, complaints = load(project, args.system), [], 0
    for file in args.files:
        try:
            tables.append(explain(detector, file, args.machine, args.section))
        except UserError as error:
            print(f"asd: {error}", file=sys.stderr)
            complaints += 1
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if args.csv and tables:
        write_csv(args.csv, table)
    if args.json:
        print(json.dumps(table.to_dict("records"), indent=2))
    elif tables:
        print(*plain(rows_of(table, ".4g")), sep="\n")
    if args.plot and tables:
        from asd.report.pictures import plot_contributions  # matplotlib takes its time

        plot_contributions(args.plot, tables)
    return 2 if complaints else 0
