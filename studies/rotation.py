"""AUC of every system on a few normal clips of one real machine, by rotation.

    python -m studies.rotation FOLDER [--systems NAME ...] [--folds 5] [--seed 0]

``FOLDER`` has ``normal/`` and ``abnormal/``. The normals are dealt out to the folds; in turn each fold tests together
with all anomalies and the others train every system of params.yaml anew, beside the simulated machines
(``dataset.auxiliary``), since one machine without attributes is one class. A fold's scores are standardised by those of
its training clips, as the ensemble does, and all folds are judged together: each normal has one score, each anomaly
one a fold. Intervals are 95 %, drawn over recordings, so they answer for the few clips, all scores of an anomaly
together; not for other machines, nor for the folds sharing most of what they train on.
"""

import argparse
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from asd.base.artifacts import write_csv
from asd.base.compute import rng
from asd.base.errors import UserError
from asd.evaluation.bootstrap import bias_corrected_interval, draw_weights
from asd.evaluation.sections import LabelledSection, measured
from asd.scoring.fusion import comparably
from stages import score
from studies.factory import PARAMS, silent, table
from studies.pipeline import make

MEASURES = {"AUC [95 %]": "auc", "pAUC [95 %]": "pauc"}


def manifest(folder: Path, folds: int) -> list[pd.DataFrame]:
    """Make the manifest of each fold.

    Raises
    ------
    UserError
        Where the folder has not so many normal recordings, or no anomalous one.
    """
    normal, abnormal = (sorted((folder / kind).glob("*.wav")) for kind in ("normal", "abnormal"))
    if len(normal) < 2 * folds or not abnormal:
        raise UserError(f"{folder} has {len(normal)} normal and {len(abnormal)} abnormal recordings: too few to rotate")
    listed = pd.DataFrame({"path": [str(path.resolve()) for path in (*normal, *abnormal)], "machine": "machine"})
    listed["anomaly"] = np.repeat([0, 1], [len(normal), len(abnormal)])
    fold = np.r_[np.arange(len(normal)) % folds, np.full(len(abnormal), -1)]
    return [listed.assign(split=np.where((fold == own) | (fold < 0), "test", "train")) for own in range(folds)]


def scores(fold: pd.DataFrame, systems: list[str] | None, seed: int) -> pd.DataFrame:
    """Train and score every system on one fold: ``system, path, anomaly, score`` of its test clips, standardised."""
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    params["dataset"] |= {"name": "folder", "machines": "all", "auxiliary": "simulated"}
    params["dataset"]["folder"] |= {"manifest": "manifest.csv"}
    params["train"]["seeds"] = [seed]
    params["systems"] = {name: params["systems"][name] for name in systems or params["systems"]}
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch), silent():
        write_csv(Path("manifest.csv"), fold.assign(anomaly=np.where(fold["split"] == "test", fold["anomaly"], "")))
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        make(params)
        files = pd.read_csv("data/files.csv")[["clip_id", "path"]]
        parts = []
        for name in params["systems"]:
            score.main(name)
            made = pd.read_csv(Path("data/scores") / name / "scores.csv", keep_default_na=False)
            parts.append(comparably(made, "mean").assign(system=name))
    found = pd.concat(parts).merge(files, on="clip_id")
    return found[found["split"] == "test"].merge(fold[["path", "anomaly"]], on="path")


def judged(found: pd.DataFrame, resamples: int = 1000) -> pd.DataFrame:
    """Write AUC and pAUC of each system over all folds, with intervals."""
    rows = {}
    for system, own in found.groupby("system", sort=False):
        section = LabelledSection(
            "machine", "00", own["anomaly"].to_numpy() == 1, np.full(len(own), "any", dtype=object),
            own["path"].to_numpy(dtype=object), {},
        )  # fmt: skip
        weights = draw_weights(section, resamples, rng(0, "rotation"))
        rows[str(system)] = cells = {}
        for title, measure in MEASURES.items():
            values = own["score"].to_numpy()
            value = float(measured(section, measure, values)[0])
            low, high = bias_corrected_interval(value, measured(section, measure, values, weights))
            cells[title] = f"{100 * value:.1f} [{100 * low:.0f}, {100 * high:.0f}]"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("system")


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    arguments.add_argument("--folds", type=int, default=5)
    arguments.add_argument("--seed", type=int, default=0, help="training seed")
    args = arguments.parse_args()
    found = [scores(fold, args.systems, args.seed) for fold in manifest(args.folder, args.folds)]
    print(table(judged(pd.concat(found))))


if __name__ == "__main__":
    main()
