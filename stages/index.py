"""Stage index: one anonymous row a clip; labels and hidden attributes apart, for evaluate alone."""

import pandas as pd

from asd.base.artifacts import write_csv, write_metrics
from asd.base.section import load
from asd.base.stage import run
from asd.clips import CLIPS, FILES, LABELS, TRAIN_CLIPS, TRUTH, training, write_clips
from asd.datasets import auxiliary, registry
from asd.datasets.index import make_index
from asd.datasets.params import CalibrationParams, DatasetParams, IndexParams
from asd.features.channels import survey
from asd.positions import POSITIONS, last_recordings, with_positions


def main() -> str:
    """Decode and index all recordings."""
    params = load(DatasetParams, "dataset")
    on_bad_clip = load(IndexParams, "index").on_bad_clip
    recordings = registry.dataset(params.name).recordings(params, registry.RAW, registry.TRUTH)
    if params.auxiliary == "simulated":
        recordings = pd.concat([recordings, auxiliary.recordings(registry.RAW)], ignore_index=True)
    index = make_index(recordings, on_bad_clip)
    write_clips(index.clips, CLIPS)
    write_csv(POSITIONS, index.positions)
    calibrating = last_recordings(with_positions(index.clips), load(CalibrationParams, "score").calibration)
    write_clips(index.clips[(index.clips["split"] != "test") & ~calibrating], TRAIN_CLIPS)
    write_csv(FILES, index.files)
    write_csv(LABELS / "given.csv", index.given)
    write_csv(TRUTH, index.ground_truth)
    two_channels = survey(training(index.clips).merge(index.files, on="clip_id"))
    write_metrics("metrics/index.json", index.metrics | ({"two_channels": two_channels} if two_channels else {}))
    return f"{index.clips['machine'].nunique()} machines, {len(index.clips)} clips in {CLIPS}"


if __name__ == "__main__":
    run("index", main)
