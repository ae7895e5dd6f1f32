"""What a lower precision does to embeddings and to the official score: the table of docs/encoders.md.

    python -m studies.precision ENCODER

Embeds all clips of the project's finished run with ``data/encoders/<ENCODER>`` in every precision, scores test clips
by the cosine distance to the nearest training clip of their machine, and prints time, change and official score.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from asd.base.compute import compute_params
from asd.base.section import read_params
from asd.clips import read_clips, training
from asd.encoders.batches import apply
from asd.encoders.registry import read_encoder
from asd.evaluation.auc import auc, partial_auc
from asd.evaluation.joined import read_truth, tested
from asd.evaluation.official import mean
from asd.features.store import FeatureStore

PRECISIONS = ("float32", "bfloat16", "int8")


def main() -> None:
    """Print one line a precision."""
    parser = argparse.ArgumentParser()
    parser.add_argument("encoder")
    arguments = parser.parse_args()
    torch.set_num_threads(compute_params().threads)
    network = read_encoder(Path("data/encoders") / arguments.encoder)
    features = Path("data/features") / read_params()["encoders"][arguments.encoder]["features"]
    stores = [FeatureStore(features / part) for part in ("train", "test")]
    clips = pd.concat([training(read_clips()), tested(read_clips())], ignore_index=True)
    exact = None
    for precision in PRECISIONS:
        network.precision = precision  # type: ignore[assignment]
        start = time.monotonic()
        found = apply(network, stores, list(clips["clip_id"]), torch.device("cpu"))
        milliseconds = 1000 * (time.monotonic() - start) / len(clips)
        exact = found if exact is None else exact
        change = np.linalg.norm(found - exact) / np.linalg.norm(exact)
        print(f"{precision:9} {milliseconds:7.1f} ms/clip  change {change:.2%}  official {official(clips, found):.3%}")


def official(clips: pd.DataFrame, embeddings: np.ndarray) -> float:
    """Score by the nearest training clip and compute the official score of 2022-2026."""
    points = embeddings.reshape(len(clips), -1).astype(np.float64)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    table = clips.drop(columns="domain").merge(read_truth(), how="left", on="clip_id", validate="1:1")
    values: list[float] = []
    for _, own in table.groupby("machine"):
        train, test = own[own["split"] == "train"], own[own["split"] == "test"]
        scores = (1 - points[test.index] @ points[train.index].T).min(axis=1)
        faulty = (test["anomaly"] == 1).to_numpy()
        within = [~faulty & (test["domain"] == domain).to_numpy() for domain in ("source", "target")]
        values += [float(auc(scores[normal], scores[faulty])[0]) for normal in within]
        values.append(float(partial_auc(scores[~faulty], scores[faulty])[0]))
    return mean(np.array(values))


if __name__ == "__main__":
    main()
