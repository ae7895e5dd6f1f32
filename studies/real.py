"""All systems beside simple references on recordings of real machines, labelled: AUCs and false alarms with intervals.

    python -m studies.real MANIFEST ... [--systems NAME ...] [--steps N ...] [--folds K] [-S key=value ...]
                           [--out scores.csv]
    python -m studies.real --scores scores.csv

A manifest has the columns ``path, machine, section, split, anomaly`` and, if wanted, others of the folder data set;
paths are relative to its folder. All manifests are one data set: the systems of params.yaml train together on all its
machines, in a scratch project, through the stages of the pipeline up to the ensemble; no label enters it. ``-S``
overrides params.yaml as for ``dvc exp run``, presets too: ``$(cat presets/full.txt)``. ``--steps`` sets beside each
trained system the same with other numbers of steps, 0: not trained; the ensemble does without these. With ``--folds``
the normal clips of each machine's section are cut into K blocks in the order of their names, since neighbours are
alike; each block tests in turn, together with all anomalies, while the others train. Intervals are 95 %, of resampled
recordings, paired: they cover the choice of clips, neither other machines nor other training seeds.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv, read_json, write_csv
from asd.core.errors import UserError
from asd.core.project import FILES, LABELS, Project, systems_of
from asd.core.section import read_params
from asd.datasets.folder import VALUES
from asd.datasets.spreadsheets import read_spreadsheet
from asd.evaluation.labelled_scores import TEXT
from asd.params import check
from stages import ensemble, score
from studies.real_scores import by_section, judged, reference_features, reference_scores, summary, traps
from studies.shared import (
    PARAMS,
    STEPS,
    embed_clips,
    label,
    make,
    only,
    scratch_project,
    silent,
    study_parser,
    table,
    with_budgets,
    without_evidence,
    write_params,
)

REQUIRED = ("path", "machine", "section", "split", "anomaly")
PASSED = ["machine", "section", "split", "domain", "attributes", "recording", "kind", "speed_hz"]  # to the systems
WRITTEN = ["fold", "system", "machine", "section", "path", "recording", "anomaly", "score", "threshold", "decision"]


def read_manifests(paths: list[Path]) -> pd.DataFrame:
    """Read manifests as one table: the columns of the folder data set as text, and ``file``, an absolute path.

    Raises
    ------
    UserError
        Naming the manifest and the line.
    """
    listed = pd.concat([_read(path) for path in paths], ignore_index=True)
    twice = listed.index[listed["file"].map(os.path.realpath).duplicated()]
    if len(twice):
        raise UserError(f"{listed['path'][twice[0]]} is listed twice: keep one line")
    clips = listed[listed["kind"].isin(["", "machine"])]
    for (machine, section), normal in (clips["split"] == "train").groupby([clips["machine"], clips["section"]]):
        if normal.sum() < 2:
            raise UserError(f"{machine} section {section} has {normal.sum()} normal training clips: it needs two")
    return listed


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path} is missing: give a manifest, a CSV with the columns {', '.join(REQUIRED)}")
    listed = read_spreadsheet(path, tuple(VALUES))
    if missing := [column for column in REQUIRED if column not in listed]:
        raise UserError(f"{path} lacks the column {missing[0]}: it needs {', '.join(REQUIRED)}")
    listed = listed.reindex(columns=list(VALUES), fill_value="").astype(str)
    listed["section"] = listed["section"].replace("", "00")
    for column, (pattern, allowed) in VALUES.items():
        _refuse(path, listed[column][~listed[column].str.fullmatch(pattern)], f"give {allowed}")
    _refuse(path, listed["anomaly"][(listed["split"] != "test") & (listed["anomaly"] == "1")], "anomalies test only")
    listed.loc[listed["split"] == "train", "anomaly"] = "0"
    listed["path"] = [os.path.normpath(path.parent / file) for file in listed["path"]]
    _refuse(path, listed["path"][[not Path(file).is_file() for file in listed["path"]]], "there is no such file")
    return listed.assign(file=listed["path"].map(os.path.abspath))


def _refuse(path: Path, wrong: pd.Series, why: str) -> None:
    if len(wrong):
        raise UserError(f"{path} line {wrong.index[0] + 2}: {wrong.name} is {wrong.iloc[0]!r}: {why}")


def folds(listed: pd.DataFrame, count: int = 0) -> list[pd.DataFrame]:
    """Divide the normal clips of each machine's section into contiguous blocks, each of which tests once.

    Parameters
    ----------
    listed : pd.DataFrame
        Of :func:`read_manifests`.
    count : int
        Number of folds; 0: one, as the manifest has it.

    Returns
    -------
    list of pd.DataFrame
        The table with another ``split`` each, and ``counts``: whether a test clip's scores are evaluated. A section
        with fewer blocks than folds is trained in all of them, and evaluated in so many.
    """
    if not count:
        return [listed.assign(counts=True)]
    known = (listed["split"] == "train") | ((listed["split"] == "test") & (listed["anomaly"] == "0"))
    normals = listed[known & listed["kind"].isin(["", "machine"])].sort_values("path")
    block, of_section = pd.Series(-1, listed.index), pd.Series(count, listed.index)
    for (machine, section), clips in normals.groupby(["machine", "section"]):
        block[clips.index] = number = _blocks(clips, count)
        used = int(number.max()) + 1
        of_section[(listed["machine"] == machine) & (listed["section"] == section)] = used
        if used < count:
            _say(f"{machine} {section}: {len(clips)} normal clips make {used} folds")
    divided = []
    for fold in range(count):
        split = np.where(block == fold % of_section, "test", np.where(block >= 0, "train", listed["split"]))
        divided.append(listed.assign(split=split, counts=fold < of_section))
    return divided


def _blocks(clips: pd.DataFrame, count: int) -> np.ndarray:
    """Give each normal clip of a section the number of its block: in the order of names, recordings in one piece."""
    recordings = list(dict.fromkeys(clips["recording"].where(clips["recording"] != "", clips["path"])))
    count = min(count, max(2, len(clips) // 2), len(recordings))
    if count < 2:
        raise UserError(f"{clips['machine'].iloc[0]} has one normal recording: it can't be divided into folds")
    parts = np.array_split(np.array(recordings, dtype=object), count)
    number = {recording: i for i, part in enumerate(parts) for recording in part}
    return clips["recording"].where(clips["recording"] != "", clips["path"]).map(number).to_numpy()


def overridden(words: list[str], systems: list[str] | None, seed: int) -> dict[str, Any]:
    """Read the shipped params.yaml, override it as DVC does, choose systems; check it as a whole."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "params.yaml"
        path.write_bytes(PARAMS.read_bytes())
        if words:
            _override(path, words)
        params = read_params(path)
    params["dataset"] |= {"name": "folder", "machines": "all", "auxiliary": "none"}
    params["dataset"]["folder"] |= {"manifest": "manifest.csv", "clip_seconds": 0}
    params["index"]["on_bad_clip"] = "fail"  # all systems and references score the same clips
    params["train"]["seeds"] = [seed]
    params = only(params, systems)
    check(params)
    return params


def _override(path: Path, words: list[str]) -> None:
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    try:
        apply_overrides(str(path), words)
    except DvcException as error:
        raise UserError(f"-S {' '.join(words)}: {' '.join(str(error).split())}") from None


def system_scores(fold: pd.DataFrame, params: dict[str, Any], fused: bool, budgets: Sequence[int] = ()) -> pd.DataFrame:
    """Run the pipeline on one fold, without any label: the test clips with ``system, score, threshold, decision``."""
    by_evidence = {"auto", "forward"} & {str(params["ensemble"][key]) for key in ("members", "scorers", "weights")}
    if not (fused and by_evidence):
        params = without_evidence(params)
    with scratch_project(params), silent():
        write_csv("manifest.csv", fold[PASSED].assign(path=fold["file"]))
        make(params)
        leaked = read_json("metrics/index.json")["leaked"]
        if not (LABELS / f"{params['selection']['labels']}.csv").is_file():
            label(params)
        for name in systems_of(params):
            score.main(name)
        files = {name: Project().scores(name) / "scores.csv" for name in systems_of(params)}
        if fused:
            ensemble.main()
            files["ensemble"] = Project().data / "ensemble" / "scores.csv"
        files |= _other_budgets(params, budgets)
        made = pd.concat([read_csv(file, TEXT).assign(system=system) for system, file in files.items()])
        made = made.merge(read_csv(FILES, ("clip_id", "path")).rename(columns={"path": "file"}), on="clip_id")
    if leaked:
        _say(f"training clips that the systems leave out, since the same sound tests: {leaked}")
    columns = ["file", "system", "score", "threshold", "decision"]
    return fold[fold["split"] == "test"].merge(made.loc[made["split"] == "test", columns], on="file")


def _other_budgets(params: dict[str, Any], budgets: Sequence[int]) -> dict[str, Path]:
    """Train and score systems with other numbers of steps, in a project that is made but for them: their files."""
    both = with_budgets(params, budgets)
    write_params(both)
    names = [name for name in both["systems"] if name not in params["systems"]]
    for name in names:
        embed_clips(name)
        score.main(name)
    return {name: Project().scores(name) / "scores.csv" for name in names}


def run(args: argparse.Namespace) -> pd.DataFrame:
    """Score every fold by references and systems: the columns :data:`WRITTEN`, labelled test clips alone."""
    listed = read_manifests(args.manifests)
    params = overridden(args.S, args.systems, args.training_seed)
    machine_clips = listed["kind"].isin(["", "machine"])
    values = reference_features(listed["file"][machine_clips])
    divided = folds(listed, args.folds)
    parts = []
    for number, fold in enumerate(divided):
        start = time.monotonic()
        made = [reference_scores(fold[machine_clips].reset_index(drop=True), values)]
        if not args.references_only:
            fused = len(systems_of(params)) > 1 and not args.no_ensemble
            made.append(system_scores(fold, params, fused, args.steps))
        parts += [part.assign(fold=number) for part in made]
        _say(f"fold {number + 1} of {len(divided)}: {time.monotonic() - start:.0f} s")
    scores = pd.concat(parts, ignore_index=True)
    scores = scores[scores["counts"] & (scores["anomaly"] != "")]
    return scores.astype({"anomaly": int})[WRITTEN].reset_index(drop=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    made = study_parser(__doc__)
    made.add_argument("manifests", type=Path, nargs="*", metavar="MANIFEST")
    made.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    made.add_argument("--references-only", action="store_true", help="train nothing")
    made.add_argument("--steps", type=int, nargs="+", default=[], help=STEPS)
    made.add_argument("--no-ensemble", action="store_true", help="of several systems")
    made.add_argument("--folds", type=int, default=0, help="0: the manifest's split")
    made.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="override params.yaml")
    made.add_argument("--training-seed", type=int, default=0)
    made.add_argument("--out", type=Path, metavar="FILE.csv", help="write the scores")
    made.add_argument("--scores", type=Path, metavar="FILE.csv", help="scores written before, instead of manifests")
    return made


def main() -> None:
    """Print the tables."""
    start, args = time.monotonic(), parser().parse_args()
    try:
        if bool(args.manifests) == bool(args.scores) or args.folds < 0 or args.folds == 1:
            raise UserError("give manifests, or --scores alone; --folds is 0 or at least 2")
        scores = read_csv(args.scores, tuple(WRITTEN[1:6])) if args.scores else run(args)
        if args.out:
            write_csv(args.out, scores)
        results = judged(scores)
    except UserError as error:
        _say(f"asd: {error}")
        sys.exit(2)
    print(table(summary(results)), table(by_section(results)), traps(results), sep="\n\n")
    _say(f"{time.monotonic() - start:.0f} s in all")


if __name__ == "__main__":
    main()
