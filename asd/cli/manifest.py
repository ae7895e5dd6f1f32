"""``python -m asd manifest DIR``: write the manifest of a folder of own recordings."""

import argparse
import os
from pathlib import Path

import pandas as pd

from asd.core.artifacts import write_csv
from asd.core.errors import UserError
from asd.datasets.folder_layouts import SUFFIXES, read_layout, sanitised, split_normals

ALWAYS = ["path", "machine", "split", "anomaly"]  # columns; others are written where anything stands in them
NAMED = 20  # files that fit no layout and are named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write the manifest of a folder of recordings, for dataset.name=folder. DCASE names, normal/ and abnormal/ "
        "folders (MIMII, ToyADMOS) and train/ and test/ folders are understood; anything else is taken for normal. "
        "Where the tree does not say what tests, the first normals by time or name train, the others and the abnormals "
        "test."
    )
    parser.add_argument("dir", metavar="DIR", type=Path, help="the folder; nothing in it is changed or copied")
    parser.add_argument("--out", type=Path, default=Path("data/manifest.csv"), help="default: %(default)s")
    parser.add_argument("--machine", help="all recordings are of this machine (default: named after the folders)")
    parser.add_argument(
        "--test-fraction",
        type=float,
        help="fraction of the normals that test, from 0 to less than 1 (0.5 with abnormals, else 0)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a manifest that lists recordings")


def main(args: argparse.Namespace) -> int:
    """Write the manifest and print a table of it.

    Raises
    ------
    UserError
        Where there is no folder, no recording or no normal one, or a manifest that would be lost.
    """
    _check(args)
    table, unplaced = read_layout(args.dir, args.machine)
    if table.empty:
        raise UserError(f"{args.dir} holds no recordings ({', '.join(sorted(SUFFIXES))}): name another folder")
    usual = 0.5 if (table["layout"] == "normal / abnormal").any() else 0.0
    table = split_normals(table, usual if args.test_fraction is None else args.test_fraction, args.dir)
    start = Path() if args.dir.is_absolute() else args.out.parent
    listed = table.assign(path=[_seen_from(start, Path(file)) for file in table["path"]]).sort_values("path")
    write_csv(args.out, listed[[name for name in listed if name in ALWAYS or _has_values(listed, str(name))]])
    print(manifest_table(table).to_string())
    print(*_complaints(unplaced), sep="\n", end="\n" if unplaced else "")
    print(f"{len(table)} recordings in {args.out}: dvc exp run -S dataset.name=folder", end="")
    print("" if args.out == Path("data/manifest.csv") else f" -S dataset.folder.manifest={args.out}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not args.dir.is_dir():
        raise UserError(f"{args.dir} is no folder: name the one that holds the recordings")
    if args.test_fraction is not None and not 0 <= args.test_fraction < 1:
        raise UserError(f"--test-fraction is {args.test_fraction}: give a fraction from 0 to less than 1")
    if args.machine is not None and args.machine != sanitised(args.machine):
        raise UserError(f"--machine is {args.machine!r}: use letters, digits and _ . -")
    if args.out.is_file() and not args.force and len(args.out.read_text(encoding="utf-8").splitlines()) > 1:
        raise UserError(f"{args.out} lists recordings already: give --force to overwrite it, or another --out")


def _has_values(table: pd.DataFrame, column: str) -> bool:
    return column != "layout" and not table[column].isin(["", "machine"]).all()


def _seen_from(start: Path, file: Path) -> str:
    return file.as_posix() if file.is_absolute() else Path(os.path.relpath(file, start)).as_posix()


def _complaints(unplaced: list[Path]) -> list[str]:
    rest = len(unplaced) - NAMED
    more = [f"{rest} more files fit no layout"] if rest > 0 else []
    return [f"fits no layout: {file}" for file in unplaced[:NAMED]] + more


def manifest_table(table: pd.DataFrame) -> pd.DataFrame:
    """Count the recordings by split and label, one row a machine."""
    test = table["split"] == "test"
    counts = {
        "train": table["split"] == "train",
        "supplemental": table["split"] == "supplemental",
        "test normal": test & (table["anomaly"] == "0"),
        "test anomalous": test & (table["anomaly"] == "1"),
        "test unknown": test & (table["anomaly"] == ""),
    }
    by_machine = table.groupby("machine")
    layout = by_machine["layout"].agg(lambda names: " + ".join(sorted(set(names))))
    return (
        pd.DataFrame(counts)
        .groupby(table["machine"])
        .sum()
        .assign(sections=by_machine["section"].nunique(), layout=layout)
    )
