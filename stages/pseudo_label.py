"""Stage pseudo_label: attributes for training clips that have none."""

from pathlib import Path

import numpy as np

from asd.base.artifacts import read_csv, write_csv, write_metrics
from asd.base.errors import UserError
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.features.store import FeatureStore
from asd.pseudo_labels.label import label
from asd.pseudo_labels.methods import Clips
from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.spaces import spectra

FEATURES = Path("data/features")
FIGURES = Path("data/pseudo_labels")
FREQUENCY, STRENGTH = 0, 4  # columns of the front end characteristic_frequencies


def main() -> str:
    """Label the normal training clips by every method."""
    params = load(PseudoLabelParams, "pseudo_label")
    folder = Path("data/embeddings") / read_params()["embed"]["encoder"]
    given = read_csv(LABELS / "given.csv", ("clip_id", "label"))[["clip_id", "label"]]
    table = training(read_clips(TRAIN_CLIPS)).merge(given, on="clip_id", validate="1:1")
    clip_ids = list(table["clip_id"])
    if clip_ids != list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]):
        raise UserError(f"{folder} holds other clips than data/train_clips.csv: run dvc repro")
    heard, turning = (FeatureStore(FEATURES / p.features / "train") for p in (params.spectrum, params.frequency))
    families = np.stack([turning[c] for c in clip_ids])
    clips = Clips(
        table["domain"].to_numpy(),
        np.load(folder / "embeddings.npy").reshape(len(clip_ids), -1),
        spectra([heard[c] for c in clip_ids], params.spectrum.smooth),
        families[:, :, FREQUENCY],
        families[:, :, STRENGTH],
    )
    found = label(table, clips, params)
    for name, labels in found.tables.items():
        write_csv(LABELS / f"{name}.csv", labels)
    for name, source in found.figures.items():
        write_csv(FIGURES / f"{name}.csv", source)
    write_metrics("metrics/pseudo_label.json", found.metrics)
    return f"{', '.join(found.tables)} for {len(clip_ids)} clips in {LABELS}"


if __name__ == "__main__":
    run("pseudo_label", main)
