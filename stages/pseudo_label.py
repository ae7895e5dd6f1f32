"""Stage pseudo_label: attributes for training clips that have none."""

from pathlib import Path

import numpy as np

from asd.artifacts import read_csv, write_csv, write_metrics
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.errors import UserError
from asd.features.store import FeatureStore
from asd.pseudo_labels.frequency import strongest_line
from asd.pseudo_labels.label import label
from asd.pseudo_labels.params import PseudoLabelParams
from asd.section import load, read_params
from asd.stage import run


def main() -> str:
    """Label the normal training clips by every method."""
    params = load(PseudoLabelParams, "pseudo_label")
    folder = Path("data/embeddings") / read_params()["embed"]["encoder"]
    given = read_csv(LABELS / "given.csv", ("clip_id", "label"))[["clip_id", "label"]]
    clips = training(read_clips(TRAIN_CLIPS)).merge(given, on="clip_id", validate="1:1").reset_index(drop=True)
    if list(clips["clip_id"]) != list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]):
        raise UserError(f"{folder} holds other clips than data/train_clips.csv: run dvc repro")
    embeddings = np.load(folder / "embeddings.npy").reshape(len(clips), -1)
    spectra = FeatureStore(Path("data/features") / params.frequency.features / "train")
    step = spectra.description["resolution"]
    by_frequency = params.frequency
    lines = [strongest_line(spectra[c][0], step, by_frequency.f_min, by_frequency.prominence) for c in clips["clip_id"]]
    tables, metrics = label(clips, embeddings, np.array(lines), params)
    for name, table in tables.items():
        write_csv(LABELS / f"{name}.csv", table)
    write_metrics("metrics/pseudo_label.json", metrics)
    return f"{', '.join(tables)} for {len(clips)} clips in {LABELS}"


if __name__ == "__main__":
    run("pseudo_label", main)
