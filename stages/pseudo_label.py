"""Stage pseudo_label: attributes for training clips that have none."""

import numpy as np

from asd.core.artifacts import read_csv, write_csv, write_metrics
from asd.core.clips import training
from asd.core.errors import UserError
from asd.core.project import Project
from asd.core.stage import run
from asd.features.store import FeatureStore
from asd.pseudo_labels.grouping import read_clips_of
from asd.pseudo_labels.label import label
from asd.pseudo_labels.params import PseudoLabelParams
from asd.pseudo_labels.trees import MOST


def main() -> str:
    """Label the normal training clips by every labeller."""
    project = Project()
    params, folder = (
        project.section(PseudoLabelParams, "pseudo_label"),
        project.embed(project.params["embed"]["encoder"]),
    )
    given = read_csv(project.labels("given"), ("clip_id", "label"))[["clip_id", "label"]]
    table = training(project.train_clips()).merge(given, on="clip_id", validate="1:1")
    if list(table["clip_id"]) != list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]):
        raise UserError(f"{folder} holds other clips than data/train_clips.csv: run dvc repro")
    stores = {name: FeatureStore(project.features(own)) for name, own in params.features().items()}
    embeddings, smooth = np.load(folder / "embeddings.npy"), params.labellers()["spectrum"].smooth
    clips = read_clips_of(table, embeddings, stores["spectrum"], stores["frequency"], smooth)
    labels = label(table, clips, params)
    for name, rows in labels.tables.items():
        write_csv(project.labels(f"pseudo/{name}"), rows)
    for name, figure in labels.figures.items():
        write_csv(project.data / "pseudo_labels" / f"{name}.csv", figure)
    write_metrics(project.metrics / "pseudo_label.json", labels.metrics)
    said = f"{', '.join(labels.tables)} for {len(table)} clips in {project.labels('pseudo').with_suffix('')}"
    if (largest := table.groupby(["machine", "section"]).size().max()) > MOST:
        said += f"; at most {MOST} of a machine's {largest} clips were clustered, the others joined the nearest group"
    return said


if __name__ == "__main__":
    run("pseudo_label", main)
