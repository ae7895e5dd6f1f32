"""Stage features@<front end>: one front end over all clips, training and test apart, machine after machine."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from asd.core.artifacts import publish, read_csv, write_metrics
from asd.core.checkpoints import fingerprint, unfinished
from asd.core.clips import training
from asd.core.compute import compute_params
from asd.core.progress import progress
from asd.core.project import CLIPS, FILES, Project
from asd.core.stage import run
from asd.features.extraction import extract_all
from asd.features.fitting import FittedFrontEnd, description_of, fit_front_end
from asd.features.front_end import FrontEnd, FrontEndParams
from asd.features.recorded import all_recorded
from asd.features.store import FeatureStore, describe, is_whole, write_recorded, writer

STORES = {"train": ("train", "supplemental"), "test": ("test",)}  # the splits that a store holds

Part = tuple[str, str]  # machine, store
Parts = dict[Part, dict[str, str]]  # files by clip id, in the order of ids


def main(name: str) -> str:
    """Compute the front end ``features.<name>``."""
    project = Project()
    params = project.section(FrontEnd, "features", name).root
    table, files = project.root / CLIPS, project.root / FILES
    clips = project.clips().merge(read_csv(files, ("clip_id", "path")), on="clip_id")
    parts = _parts(clips if params.clips == "all" else training(clips))
    with unfinished(project.work / f"features@{name}", fingerprint(params, table, files)) as work:
        fitted = {str(machine): _fitted(params, some) for machine, some in clips.groupby("machine")}
        _write_missing(work, project, name, parts, fitted)
        for store in STORES:
            describe(work / store, description_of(params, fitted))
            publish(work / store, project.features(name, store))
    return _summary(project, name, params)


def _parts(clips: pd.DataFrame) -> Parts:
    """Find the files of each machine and store that has any."""
    store = clips["split"].map({split: store for store, splits in STORES.items() for split in splits})
    return {
        (str(machine), str(name)): dict(zip(some["clip_id"], some["path"], strict=True))
        for (machine, name), some in clips.groupby([clips["machine"], store.rename("store")])
    }


def _fitted(params: FrontEndParams, clips: pd.DataFrame) -> FittedFrontEnd:
    """Fit what the block leaves open to the training and noise-only clips of one machine."""
    noise = clips[(clips["kind"] == "noise") & (clips["split"] != "test")]
    trains = training(clips)
    return fit_front_end(params, list(trains["sample_rate"]), list(trains["path"]), list(noise["path"]))


def _write_missing(work: Path, project: Project, name: str, parts: Parts, fitted: dict[str, FittedFrontEnd]) -> None:
    """Write the machines that an interrupted run did not."""
    todo = {part: files for part, files in parts.items() if not is_whole(work / part[1], part[0])}
    if len(todo) < len(parts):
        machines, missing = ({machine for machine, _ in some} for some in (parts, todo))
        print(f"resumed: {len(machines - missing)} of {len(machines)} machines were there", flush=True)
    with progress("features", "clip", sum(map(len, todo.values()))) as bar:
        for (machine, store), files in todo.items():
            front_end = fitted[machine]
            if found := all_recorded(files, front_end.params, compute_params()):
                folder = project.features(name, store)
                places = {clip_id: one._replace(path=_seen_from(folder, one.path)) for clip_id, one in found.items()}
                write_recorded(work / store, machine, front_end.params.n_features, places)
                bar.update(len(files))
            else:
                _write_rows(work / store, machine, files, front_end, bar)


def _write_rows(folder: Path, machine: str, files: dict[str, str], front_end: FittedFrontEnd, bar: Any) -> None:
    """Compute and store the rows of a machine's clips."""
    params = front_end.params
    with writer(folder, machine, params.n_features, params.precision) as append:
        for clip_id, rows in extract_all(files, front_end, compute_params()):
            append(clip_id, rows)
            bar.update()


def _seen_from(folder: Path, path: str) -> str:
    """Write a recording's path as seen from a store's folder; one outside of the project stays absolute."""
    return path if Path(path).is_absolute() else Path(os.path.relpath(path, folder)).as_posix()


def _summary(project: Project, name: str, params: FrontEndParams) -> str:
    """Write the metrics, and sum up in a line."""
    folders = [project.features(name, store) for store in STORES]
    stores = [FeatureStore(folder) for folder in folders]
    clips = sum(map(len, stores))
    frames = sum(store.n_frames(clip_id) for store in stores for clip_id in store.clip_ids)
    rate = {} if params.frames_per_second is None else {"frames_per_second": params.frames_per_second}
    counts = {"clips": clips, "n_frames": frames, "n_features": params.n_features}
    write_metrics(project.metrics / "features" / f"{name}.json", counts | rate)
    return f"{clips} clips, {frames} frames of {params.n_features} features in {folders[0].parent}"


if __name__ == "__main__":
    run("features", main)
