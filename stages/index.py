"""Stage index: one anonymous row a clip; labels and hidden attributes apart, for evaluate alone."""

import pandas as pd

from asd.core.artifacts import write_csv, write_metrics
from asd.core.clips import training, write_clips
from asd.core.compute import compute_params
from asd.core.positions import last_recordings, with_positions
from asd.core.project import CLIPS, FILES, HIDDEN, LABELS, POSITIONS, RAW, TRAIN_CLIPS, TRUTH
from asd.core.section import load
from asd.core.stage import run
from asd.datasets.dataset import dataset
from asd.datasets.dataset_params import DatasetParams, IndexParams
from asd.datasets.index import make_index
from asd.features.channels import survey
from asd.simulation import auxiliary


def main() -> str:
    """Decode and index all recordings."""
    params, options = load(DatasetParams, "dataset"), load(IndexParams, "index")
    recordings = dataset(params.name).recordings(params, RAW, HIDDEN)
    if params.auxiliary == "simulated":
        recordings = pd.concat([recordings, auxiliary.recordings(RAW)], ignore_index=True)
    index = make_index(recordings, options.on_bad_clip, compute_params())
    write_clips(index.clips, CLIPS)
    write_csv(POSITIONS, index.positions)
    calibrating = last_recordings(with_positions(index.clips, POSITIONS), options.calibration_fraction)
    write_clips(index.clips[(index.clips["split"] != "test") & ~calibrating], TRAIN_CLIPS)
    write_csv(FILES, index.files)
    write_csv(LABELS / "given.csv", index.given)
    write_csv(TRUTH, index.ground_truth)
    two_channels = survey(training(index.clips).merge(index.files, on="clip_id"))
    write_metrics("metrics/index.json", index.metrics | ({"two_channels": two_channels} if two_channels else {}))
    return f"{index.clips['machine'].nunique()} machines, {len(index.clips)} clips in {CLIPS}"


if __name__ == "__main__":
    run("index", main)
