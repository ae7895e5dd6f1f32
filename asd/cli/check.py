"""``python -m asd check PATH``: the health of a data set."""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from asd.cli.text_tables import plain, rows_of
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import Project
from asd.core.section import PARAMS
from asd.datasets.folder import read_manifest
from asd.datasets.folder_layouts import read_layout
from asd.datasets.health import health_problems, health_table, measure_recordings
from asd.datasets.trees import check_names, is_recording

NAMED = 30  # findings that are printed
TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods")  # read as manifests, or refused with how to save them
EXAMPLE = "python -m asd check recordings/fan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Say how healthy a data set is: counts, lengths, rates, levels, clipping, silence, and duplicates, above all "
        "across train and test. The exit status is 1 where something was found."
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="a folder, a manifest or one recording")
    parser.add_argument("--json", action="store_true", help="a row for each recording, and the findings")


def main(args: argparse.Namespace) -> int:
    """Print the summary and what was found."""
    project = Project()
    if (project.root / PARAMS).is_file():
        configure(project.section(ComputeParams, "compute"))
    table = measure_recordings(_listed(args.path))
    found = health_problems(table)
    if args.json:
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        print(json.dumps({"findings": found, "recordings": rows}, indent=2))
    else:
        print_health(table, found, "--json")
    return 1 if found else 0


def print_health(table: pd.DataFrame, found: list[str], all_in: str) -> None:
    """Print the summary of measured recordings and the first findings, and where all of them are."""
    print(*plain(rows_of(health_table(table).reset_index())), sep="\n")
    print(*found[:NAMED], sep="\n", end="\n" if found else "")
    more = f", {len(found) - NAMED} more in {all_in}" if len(found) > NAMED else ""
    print(f"{len(table)} recordings, {len(found)} findings{more}")


def _listed(path: Path) -> pd.DataFrame:
    """List the recordings with their machine and split, as far as these are known."""
    if path.suffix.lower() in TABLES and not path.is_dir():
        return read_manifest(path)[["path", "machine", "split"]]
    if path.is_dir():
        table, unplaced, _, notes = read_layout(path)
        print(*(f"asd: note: {note}" for note in notes), sep="\n", end="\n" if notes else "", file=sys.stderr)
        others = [file.as_posix() for file in unplaced if is_recording(file)]
        rest = pd.DataFrame({"path": others, "machine": "no place", "split": ""}, dtype=object)
        table = pd.concat([table[["path", "machine", "split"]], rest], ignore_index=True)
    elif path.is_file():
        check_names([path])
        table = pd.DataFrame({"path": [path.as_posix()], "machine": [path.parent.resolve().name], "split": [""]})
    else:
        raise UserError(f"{path} is missing: name a folder, a manifest or a recording")
    if table.empty:
        raise UserError(f"{path} holds no recordings: name another folder")
    return table.assign(split=table["split"].replace("", "normal"))
