"""Does adaptation find attributes that nobody told it? See docs/adaptation.md.

    python -m studies.adaptation [--seeds 1000 1001 1002] [--training 0 1 2]

Default data with each factory seed, the encoder of the shipped params.yaml adapted with each training seed. Four rows
of metrics/adapt/<encoder>.json (machines with given attributes), the statistics of another front end, and as a ceiling
the same network trained with the true attributes of the test clips, which no other row has heard. Intervals: 95 %,
Student's t over factory seeds, each the mean over its training seeds; differences are paired.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml

from asd.adaptation.measures import embed
from asd.adaptation.probes import probe, sample, statistics
from asd.base.artifacts import read_json
from asd.base.compute import compute_params, rng
from asd.base.section import load
from asd.clips import TRAIN_CLIPS, TRUTH, read_clips, training
from asd.encoders.encoder import Encoder
from asd.encoders.params import EncoderParams
from asd.encoders.registry import create_encoder
from asd.encoders.standardise import fit
from asd.encoders.training import crop, warm_cosine
from asd.features.store import FeatureStore
from stages import adapt, download, features, index
from studies.factory import interval, parser, project, silent, table

ENCODER, STATISTICS = "tiny_adapted", "log_mel"
STEPS, BATCH, RATE = 400, 64, 1e-3  # of the ceiling
MEASURES = ("accuracy", "ami")
CPU = torch.device("cpu")


@contextmanager
def prepared(seed: int, size: str = "default") -> Iterator[FeatureStore]:
    """Work in a scratch folder with the recordings and the features of a factory."""
    with project(seed, size=size):
        with silent():
            download.main()
            index.main()
            front_end = load(EncoderParams, "encoders", ENCODER).root.features
            for name in sorted({front_end, STATISTICS}):
                features.main(name)
        yield FeatureStore(f"data/features/{front_end}/train")


def adapted(training_seed: int) -> pd.DataFrame:
    """Run the stage with a training seed; one row an encoder or statistic, columns :data:`MEASURES`."""
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump(content | {"seed": training_seed}), encoding="utf-8")
    with silent():
        adapt.main(ENCODER)
    probes = read_json(f"metrics/adapt/{ENCODER}.json")["probes"]
    return pd.DataFrame({name: {m: row[m] for m in MEASURES} for name, row in probes.items()}).T


def ceiling(store: FeatureStore, seed: int) -> dict[str, float]:
    """Train the network with the attributes of test clips, all of them true, and probe it like the others."""
    params = load(EncoderParams, "encoders", ENCODER).root
    tested = FeatureStore(store.path.with_name("test"))
    encoder = create_encoder(params, store.bands, seed)
    assert isinstance(encoder, Encoder)
    fit(encoder, store)
    truth = pd.read_csv(TRUTH, dtype=str, keep_default_na=False).merge(read_clips()[["clip_id", "machine"]])
    truth = truth[truth["clip_id"].isin(tested.clip_ids)]
    labels = pd.Categorical(truth["machine"] + truth["attributes"])
    torch.manual_seed(seed)
    head = torch.nn.LazyLinear(len(labels.categories))
    head(encoder(torch.zeros(1, encoder.frames, store.bands)).flatten(1))  # now it knows its size
    weights = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, RATE, weight_decay=0.05)
    clips, classes = truth["clip_id"].to_numpy(), torch.tensor(labels.codes, dtype=torch.long)
    rows = min(encoder.frames, min(tested.rows(clip) for clip in clips))
    for step in range(STEPS):
        draw = rng(seed, "ceiling", step)
        some = draw.choice(len(clips), BATCH)
        x = torch.from_numpy(np.stack([crop(tested.normalised(tested[clips[i]]), rows, draw) for i in some]))
        loss = F.cross_entropy(head(encoder(x).flatten(1)), classes[some], label_smoothing=0.1)
        optimiser.param_groups[0]["lr"] = RATE * warm_cosine(step, STEPS)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    chosen = sample(training(read_clips(TRAIN_CLIPS)))
    asked = probe(embed(encoder.eval(), store, chosen, CPU), chosen)
    return {measure: asked[measure] for measure in MEASURES}


def measured(seed: int, training_seeds: list[int]) -> Iterator[pd.DataFrame]:
    """Give all rows of a factory, one table a training seed."""
    with prepared(seed) as store:
        chosen = sample(training(read_clips(TRAIN_CLIPS)))
        known = probe(statistics(FeatureStore(f"data/features/{STATISTICS}/train"), chosen), chosen)
        for training_seed in training_seeds:
            found = adapted(training_seed).rename(index={"log_mel": "statistics of its input"})
            found.loc[f"statistics of {STATISTICS}"] = [known[m] for m in MEASURES]
            found.loc["ceiling"] = ceiling(store, training_seed)
            print(f"factory {seed}, training {training_seed}\n{table(found.rename_axis('row'), 3)}\n", flush=True)
            yield found.assign(factory=seed, training=training_seed).rename_axis("row").reset_index()


def points(values: pd.Series) -> str:
    """Write mean and 95 % interval, in points, of one value a factory."""
    mean, low, high = interval(100 * values)
    return f"{mean:.1f}" if len(values) < 2 else f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    """Print a table a run, and one of all: each row, and how far the adapted encoder is above it."""
    made: argparse.ArgumentParser = parser(__doc__, seeds=[1000, 1001, 1002])
    made.add_argument("--training", type=int, nargs="+", default=[0, 1, 2], help="training seeds")
    args = made.parse_args()
    torch.set_num_threads(compute_params().threads)
    found = pd.concat([part for seed in args.seeds for part in measured(seed, args.training)])
    means = found.groupby(["row", "factory"])[list(MEASURES)].mean()
    lines = {}
    for row in found["row"].unique():
        for measure in MEASURES:
            own, ours = means.loc[row, measure], means.loc["adapted", measure]
            lines.setdefault(row, {})[measure] = points(own)
            lines[row][f"adapted less this, {measure}"] = points(ours - own)
    print(table(pd.DataFrame(lines).T.rename_axis("row")))
    spread = found[found["row"] == "adapted"].groupby("factory")[list(MEASURES)].std().mean()
    print("sd of training seeds: " + ", ".join(f"{m} {100 * spread[m]:.1f}" for m in MEASURES))


if __name__ == "__main__":
    main()
