"""``python -m asd manifest DIR``: write the manifest of a folder of own recordings."""

import argparse
import os
import re
from pathlib import Path

import pandas as pd

from asd.artifacts import write_csv
from asd.errors import UserError

SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".rf64", ".w64"}
LABELS = {"normal": "0", "abnormal": "1"}  # folder: anomaly
COLUMNS = ["path", "machine", "split", "anomaly"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write the manifest of a folder of recordings, for dataset.name=folder. In a normal/ + abnormal/ tree the "
        "first normals by name train, the others and the abnormals test; without these folders all train as normals."
    )
    parser.add_argument("dir", metavar="DIR", type=Path, help="the folder; nothing in it is changed or copied")
    parser.add_argument("--out", type=Path, default=Path("data/manifest.csv"), help="default: %(default)s")
    parser.add_argument("--machine", help="all recordings are of this machine (default: named after the folders)")
    parser.add_argument("--test-share", type=float, help="share of the normals that tests, 0 <= share < 1 (0.5 or 0)")
    parser.add_argument("--force", action="store_true", help="overwrite a manifest that lists recordings")


def main(args: argparse.Namespace) -> int:
    """Write the manifest and print what was understood.

    Raises
    ------
    UserError
        Where there is no folder, no recording or no normal one, or a manifest that would be lost.
    """
    _check(args)
    table, unplaced = understand(args.dir, args.machine, args.test_share)
    start = Path() if args.dir.is_absolute() else args.out.parent
    paths = [_seen_from(start, file) for file in table["path"]]
    write_csv(args.out, table.assign(path=paths))
    print(summary(table).to_string())
    print(*(f"could not place {file}" for file in unplaced), sep="\n", end="\n" if unplaced else "")
    print(f"{len(table)} recordings in {args.out}: dvc exp run -S dataset.name=folder", end="")
    print("" if args.out == Path("data/manifest.csv") else f" -S dataset.folder.manifest={args.out}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if not args.dir.is_dir():
        raise UserError(f"{args.dir} is no folder: name the one that holds the recordings")
    if args.test_share is not None and not 0 <= args.test_share < 1:
        raise UserError(f"--test-share is {args.test_share}: give a share from 0 to less than 1")
    if args.machine is not None and args.machine != sanitised(args.machine):
        raise UserError(f"--machine is {args.machine!r}: use letters, digits and _ . -")
    if args.out.is_file() and not args.force and len(args.out.read_text(encoding="utf-8").splitlines()) > 1:
        raise UserError(f"{args.out} lists recordings already: give --force to overwrite it, or another --out")


def understand(folder: Path, machine: str | None = None, share: float | None = None) -> tuple[pd.DataFrame, list[Path]]:
    """Find the recordings of a folder and what they are.

    Parameters
    ----------
    folder : Path
        A tree with ``normal/`` and ``abnormal/`` folders at any depth, or without any.
    machine : str, optional
        The name of all; else the names of the folders above.
    share : float, optional
        Share of each machine's normals that tests: the last by name. 0.5 with such folders, 0 without, where it is
        not known whether what tests is normal.

    Returns
    -------
    table : pd.DataFrame
        ``path, machine, split, anomaly``; paths as seen from the working directory.
    unplaced : list of Path
        Files that are no audio, or stand beside the ``normal/`` and ``abnormal/`` folders.
    """
    files = sorted(f for f in folder.rglob("*") if f.is_file() and not f.name.startswith("."))
    audio = [f for f in files if f.suffix.lower() in SUFFIXES]
    placed = {f: depth for f in audio if (depth := _depth_of_label(f, folder)) is not None}
    flat = not placed
    rows = [_row(f, folder, machine, placed.get(f)) for f in (audio if flat else placed)]
    if not rows:
        raise UserError(f"{folder} holds no recordings ({', '.join(sorted(SUFFIXES))}): name another folder")
    table = pd.DataFrame(rows, columns=COLUMNS)
    share = (0.0 if flat else 0.5) if share is None else share
    return _split(table, share, folder), [f for f in files if f not in set(table["path"])]


def _depth_of_label(file: Path, folder: Path) -> int | None:
    """Find the deepest folder on the way to a file that says whether it is normal."""
    words = [word.lower() for word in file.relative_to(folder).parts[:-1]]
    return max((depth for depth, word in enumerate(words) if word in LABELS), default=None)


def _row(file: Path, folder: Path, machine: str | None, depth: int | None) -> tuple[Path, str, str, str]:
    parts = file.relative_to(folder).parts[:-1]
    above = parts if depth is None else parts[:depth]
    label = "" if depth is None else LABELS[parts[depth].lower()]
    return file, machine or sanitised("_".join(above) or folder.resolve().name), "", label


def _split(table: pd.DataFrame, share: float, folder: Path) -> pd.DataFrame:
    """Let the first of each machine's normals by name train and the rest test."""
    normal = table["anomaly"] != "1"
    rank = table[normal].groupby("machine").cumcount()
    count = table[normal].groupby("machine")["path"].transform("size")
    trains = (rank < count - (count * share).astype(int)).reindex(table.index, fill_value=False)
    if without := sorted(set(table["machine"]) - set(table["machine"][trains])):
        raise UserError(f"{folder}: {without[0]} has no normal recording: there is nothing to train on")
    return table.assign(split=trains.map({True: "train", False: "test"}))


def sanitised(name: str) -> str:
    """Make a machine's name fit for paths and keys."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name) or "machine"


def _seen_from(start: Path, file: Path) -> str:
    return file.as_posix() if file.is_absolute() else Path(os.path.relpath(file, start)).as_posix()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Count what was understood, one row a machine."""
    test = table["split"] == "test"
    counts = {
        "train": ~test,
        "test normal": test & (table["anomaly"] == "0"),
        "test anomalous": test & (table["anomaly"] == "1"),
        "test unknown": test & (table["anomaly"] == ""),
    }
    return pd.DataFrame(counts).groupby(table["machine"]).sum()
