"""Stage index: one anonymous row a clip; labels and hidden attributes apart, for evaluate alone."""

from typing import Any

import pandas as pd

from asd.core.artifacts import write_csv, write_metrics
from asd.core.clips import training, write_clips
from asd.core.compute import compute_params
from asd.core.positions import last_recordings, with_positions
from asd.core.project import CLIPS, FILES, HIDDEN, POSITIONS, RAW, TRAIN_CLIPS, TRUTH, Project
from asd.core.stage import run
from asd.datasets.dataset import dataset
from asd.datasets.dataset_params import DatasetParams, IndexParams
from asd.datasets.index import make_index
from asd.simulation import auxiliary


def main() -> str:
    """Decode and index all recordings."""
    project = Project()
    params, options = project.section(DatasetParams, "dataset"), project.section(IndexParams, "index")
    raw, hidden = project.root / RAW, project.root / HIDDEN
    recordings = dataset(params.name).recordings(params, raw, hidden)
    if params.auxiliary == "simulated":
        recordings = pd.concat([recordings, auxiliary.recordings(raw)], ignore_index=True)
    index = make_index(recordings, options.on_bad_clip, compute_params())
    write_clips(index.clips, project.root / CLIPS)
    write_csv(project.root / POSITIONS, index.positions)
    ordered = with_positions(index.clips, project.root / POSITIONS)
    calibrating = last_recordings(ordered, options.calibration_fraction)
    write_clips(index.clips[(index.clips["split"] != "test") & ~calibrating], project.root / TRAIN_CLIPS)
    write_csv(project.root / FILES, index.files)
    write_csv(project.labels("given"), index.given)
    write_csv(project.root / TRUTH, index.ground_truth)
    two_channels = _two_channels(training(index.clips).merge(index.files, on="clip_id"))
    metrics = index.metrics | ({"two_channels": two_channels} if two_channels else {})
    write_metrics(project.metrics / "index.json", metrics)
    return f"{index.clips['machine'].nunique()} machines, {len(index.clips)} clips in {project.root / CLIPS}"


def _two_channels(clips: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Compare the microphones of the machines that have two."""
    if not (clips["channels"] > 1).any():
        return {}
    from asd.features.channels import survey  # scipy.signal takes a second to import

    return survey(clips)


if __name__ == "__main__":
    run("index", main)
