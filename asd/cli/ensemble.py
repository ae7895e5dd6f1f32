"""``python -m asd ensemble``: one score folder from several, of whatever code base."""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from asd.core.artifacts import atomic, publish
from asd.core.errors import UserError
from asd.evaluation.official_files import FILE, read_official
from asd.scoring.fusion import FUSIONS, averaged

CLIP = ["seed", "machine", "section", "clip_id"]
EXAMPLE = "python -m asd ensemble first/scores second/scores --out fused --fusion rank"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Fuse folders of anomaly_score_*.csv. They hold scores of test clips alone, so each is standardised or ranked "
        "among the test clips of a machine and section: a clip's fused score depends on the others (transductive), "
        "unlike that of the stage ensemble. No label is read; decisions are not fused."
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="holds anomaly_score_*.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets the same files, fused")
    parser.add_argument("--fusion", choices=FUSIONS, default="mean", help="of standardised scores, or of ranks")
    parser.add_argument("--weights", type=float, nargs="+", metavar="W", help="one a folder (default: all the same)")


def main(args: argparse.Namespace) -> int:
    """Write the fused folder."""
    if args.out.exists():
        raise UserError(f"{args.out} is there already: remove it or choose another --out")
    fused, files = fuse_folders(args.folders, args.fusion, args.weights)
    args.out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.out.absolute().parent) as folder:
        work = Path(folder) / args.out.name
        for name, rows in files.groupby("file"):
            with atomic(work / str(name), "w") as file:
                scores = fused.loc[rows["machine"] + "/" + rows["name"]]
                rows[["name"]].assign(score=scores.to_numpy()).to_csv(
                    file, index=False, header=False, lineterminator="\n"
                )
        publish(work, args.out)
    print(
        f"{len(fused)} clips of {len(args.folders)} folders, {args.fusion} over each section's test clips, {args.out}"
    )
    return 0


def fuse_folders(folders: list[Path], fusion: str, weights: list[float] | None) -> tuple[pd.Series, pd.DataFrame]:
    """Fuse score folders, each made comparable by the test clips of the same machine and section.

    Parameters
    ----------
    folders : list of Path
        Those after the first need scores of the same clips; their files may have the names of any year.
    fusion : str
        One of :data:`asd.scoring.fusion.FUSIONS`.
    weights : list of float, optional
        One a folder, all the same by default.

    Returns
    -------
    fused : pd.Series
        By machine and name, ``fan/section_00_0001.wav``; larger is more anomalous.
    files : pd.DataFrame
        ``file, machine, section, name`` of the first folder.

    Raises
    ------
    UserError
        Where folders are the same or too few, weights are not one a folder and above 0, or a score is missing, there
        twice, unknown or no finite number.
    """
    names = [str(folder) for folder in folders]
    if len(set(names)) < max(2, len(names)):
        raise UserError("name two or more folders, each once")
    if weights is not None and (len(weights) != len(names) or not all(0 < weight < float("inf") for weight in weights)):
        raise UserError(f"--weights are {weights}: one above 0 for each of {len(names)} folders is wanted")
    files = listed(folders[0])
    clips = files.assign(true_name=files["name"], anomaly=float("nan"), domain="", attributes="")
    members = {}
    for name, folder in zip(names, folders, strict=True):
        members[name] = read_official(folder, clips)[0].assign(split="train")  # each section is its own reference
    shares = None if weights is None else dict(zip(names, weights, strict=True))
    return averaged(members, CLIP, fusion, shares).set_index("clip_id")["score"], files


def listed(folder: Path) -> pd.DataFrame:
    """List the clips that a folder has scores of: ``file, machine, section, name``, in the order of the files."""
    rows = []
    for path in sorted(folder.glob("anomaly_score_*.csv")):
        if match := FILE.fullmatch(path.name):
            lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            key = path.name, match["machine"], match["section"]
            rows += [(*key, line.split(",")[0].strip()) for line in lines if line.strip()]
    if not rows:
        raise UserError(f"{folder} holds no anomaly_score_<machine>_*.csv with scores")
    return pd.DataFrame(rows, columns=["file", "machine", "section", "name"])
