"""``python -m asd manifest DIR``: write the manifest of a folder of own recordings."""

import argparse
import json
import os
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd

from asd.cli.text_tables import plain, rows_of
from asd.core.artifacts import write_csv
from asd.core.errors import UserError
from asd.datasets.folder_layouts import Layout, read_layout, split_normals
from asd.datasets.machine_names import ALLOWED, is_fit
from asd.datasets.trees import SUFFIXES, shown

ALWAYS = ["path", "machine", "split", "anomaly"]  # columns; others are written where anything stands in them
NAMED = 20  # of a kind that are named
FIRST = 5  # lines of the manifest that are printed
EXAMPLE = "python -m asd manifest recordings/fan --out data/manifest.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write the manifest of a folder of recordings, for dataset.name=folder. DCASE names and folders that say "
        "normal or faulty, train or test, in many languages, are understood; where none does, all is taken for normal. "
        "What was taken for what is printed. Where the tree does not say what tests, the first normals by time or name "
        "train, the others and the abnormals test."
    )
    parser.add_argument("dir", metavar="DIR", type=Path, help="the folder; nothing in it is changed or copied")
    parser.add_argument("--out", type=Path, default=Path("data/manifest.csv"), help="default: %(default)s")
    parser.add_argument("--machine", help="all recordings are of this machine (default: named after the folders)")
    parser.add_argument(
        "--test-fraction",
        type=float,
        help="fraction of the normals that test, from 0 to less than 1 (0.5 with abnormals, else 0)",
    )
    parser.add_argument("--json", action="store_true", help="print what was understood as one object")
    parser.add_argument("--force", action="store_true", help="overwrite a manifest that lists recordings")


def main(args: argparse.Namespace) -> int:
    """Write the manifest and print a table of it.

    Raises
    ------
    UserError
        Where there is no folder, no recording or no normal one, or a manifest that would be lost.
    """
    _check(args)
    layout = understand(args.dir, args.machine, args.test_fraction)
    with redirect_stdout(sys.stderr) if args.json else nullcontext():
        write_manifest(layout, args.dir, args.out)
    if args.json:
        print(json.dumps(_as_json(args.out, layout), indent=2, ensure_ascii=False))
        return 0
    print(f"{len(layout.table)} recordings in {args.out}: dvc exp run -S dataset.name=folder", end="")
    print("" if args.out == Path("data/manifest.csv") else f" -S dataset.folder.manifest={args.out}")
    return 0


def understand(
    folder: Path, machine: str | None = None, test_fraction: float | None = None, of_normals_alone: float = 0.0
) -> Layout:
    """Read a folder's layout and split the normal recordings that it leaves open.

    Parameters
    ----------
    folder : Path
    machine : str, optional
        The name of all.
    test_fraction : float, optional
        Of the normals; by default 0.5 where folders say what is normal, else ``of_normals_alone``.
    of_normals_alone : float

    Raises
    ------
    UserError
        Where there is no recording or no normal one.
    """
    layout = read_layout(folder, machine)
    if layout.table.empty:
        print(
            *(f"asd: note: {note}" for note in layout.notes), sep="\n", end="\n" * bool(layout.notes), file=sys.stderr
        )
        raise UserError(f"{folder} holds no recordings ({', '.join(sorted(SUFFIXES))}): name another folder")
    usual = 0.5 if (layout.table["layout"] == "normal / abnormal").any() else of_normals_alone
    return layout._replace(table=split_normals(layout.table, usual if test_fraction is None else test_fraction, folder))


def write_manifest(layout: Layout, folder: Path, out: Path) -> None:
    """Write the manifest of what was understood of a folder, and print what that is."""
    table, unplaced, taken, notes = layout
    start = Path() if folder.is_absolute() else out.parent
    listed = table.assign(path=[_seen_from(start, Path(file)) for file in table["path"]]).sort_values("path")
    listed = listed[[name for name in listed if name in ALWAYS or _has_values(listed, str(name))]]
    write_csv(out, listed)
    print(*_named(taken, "more names"), *_named(notes, "more notes"), sep="\n")
    print(*plain(rows_of(manifest_table(table).reset_index())), sep="\n")
    unfit = _named([f"fits no layout: {shown(file)}" for file in unplaced], "more files fit no layout")
    print(*unfit, f"first lines of {out}:", listed.head(FIRST).to_csv(index=False), sep="\n", end="")


def _as_json(out: Path, layout: Layout) -> dict[str, Any]:
    return {
        "manifest": out.as_posix(),
        "recordings": len(layout.table),
        "machines": manifest_table(layout.table).to_dict("index"),
        "taken": layout.taken,
        "notes": layout.notes,
        "fits_no_layout": [shown(file) for file in layout.unplaced],
    }


def _check(args: argparse.Namespace) -> None:
    if not args.dir.is_dir():
        raise UserError(f"{args.dir} is no folder: name the one that holds the recordings")
    if args.test_fraction is not None and not 0 <= args.test_fraction < 1:
        raise UserError(f"--test-fraction is {args.test_fraction}: give a fraction from 0 to less than 1")
    if args.machine is not None and not is_fit(args.machine):
        raise UserError(f"--machine is {args.machine!r}: use {ALLOWED}")
    if args.out.is_file() and not args.force and len(args.out.read_text(encoding="utf-8").splitlines()) > 1:
        raise UserError(f"{args.out} lists recordings already: give --force to overwrite it, or another --out")


def _has_values(table: pd.DataFrame, column: str) -> bool:
    return column != "layout" and not table[column].isin(["", "machine"]).all()


def _seen_from(start: Path, file: Path) -> str:
    return file.as_posix() if file.is_absolute() else Path(os.path.relpath(file, start)).as_posix()


def _named(lines: list[str], rest: str) -> list[str]:
    more = len(lines) - NAMED
    return lines[:NAMED] + ([f"{more} {rest}"] if more > 0 else [])


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
    layout = by_machine["layout"].agg(lambda names: " + ".join(sorted(set(" + ".join(names).split(" + ")))))
    return (
        pd.DataFrame(counts)
        .groupby(table["machine"])
        .sum()
        .assign(sections=by_machine["section"].nunique(), layout=layout)
    )
