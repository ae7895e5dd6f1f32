"""Self-supervised adaptation: does it find attributes that were not given, and by which part? docs/adaptation.md.

    python -m studies.adaptation [--seeds 1000 1001 1002] [--training 0 1 2]
    python -m studies.adaptation ablations [--seeds 1000 1001 1002] [--variants ema "teacher frozen" ...]

``--help`` after the name of a study says what it measures.
"""

import argparse
import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from asd.adaptation.batches import Batch
from asd.adaptation.loop import adapt as adapt_encoder
from asd.adaptation.measures import embed, probe, sample, signs_of_collapse, spread_of, statistics
from asd.adaptation.objective import SelfDistillation, Targets, UtteranceFrame, create_objective
from asd.core.artifacts import read_json
from asd.core.clips import read_clips, training
from asd.core.compute import rng
from asd.core.project import CLIPS, TRAIN_CLIPS, TRUTH
from asd.core.section import load, read_params
from asd.encoders.encoder import Encoder
from asd.encoders.encoder_params import AdaptBlock, AdaptParams, EncoderParams
from asd.encoders.networks import create_encoder
from asd.encoders.standardise import fit
from asd.encoders.training import crop, warm_cosine
from asd.features.store import FeatureStore
from stages import adapt, download, features, index
from studies.shared import (
    Commands,
    factory_options,
    interval,
    scratch_project,
    shipped_params,
    silent,
    simulated_params,
    table,
    write_params,
)

ENCODER, STATISTICS = "tiny", "log_mel"
STEPS, BATCH, RATE = 400, 64, 1e-3  # of the ceiling
MEASURES = ("accuracy", "ami")
CPU = torch.device("cpu")
VARIANTS: dict[str, dict[str, Any]] = {
    "ema": {},
    "teacher = student": {"ema_decay": 0.0, "ema_decay_end": 0.0},
    "teacher frozen": {"ema_decay": 1.0, "ema_decay_end": 1.0},
    "frame loss only": {"utterance_weight": 0.0},
    "utterance loss only": {"frame_weight": 0.0},
    "collapse": {"frame_weight": 0.0, "ema_decay": 0.0, "ema_decay_end": 0.0},
    "collapse_frames": {"ema_decay": 0.0, "ema_decay_end": 0.0},
}


@contextmanager
def prepared(seed: int, size: str = "default") -> Iterator[FeatureStore]:
    """Work in a scratch folder with the recordings and the features of a factory."""
    with scratch_project(simulated_params(seed, size=size)):
        with silent():
            download.main()
            index.main()
            front_end = load(EncoderParams, "encoders", ENCODER).root.features
            for name in sorted({front_end, STATISTICS}):
                features.main(name)
        yield FeatureStore(f"data/features/{front_end}/train")


def created(store: FeatureStore, seed: int) -> Encoder:
    """Initialise the encoder randomly and fit its standardisation."""
    encoder = create_encoder(load(EncoderParams, "encoders", ENCODER).root, store.n_features, seed)
    assert isinstance(encoder, Encoder)
    fit(encoder, store)
    return encoder


def worth(args: argparse.Namespace) -> None:
    """Compare the adapted encoder with random weights, its start, statistics and a ceiling.

    Default data with each factory seed, the encoder of the shipped params.yaml adapted with each training seed. Four
    rows of metrics/adapt/<encoder>.json (machines with given attributes), the statistics of another front end, and as a
    ceiling the same network trained with the true attributes of the test clips, which no other row has seen. Intervals:
    95 %, Student's t over factory seeds, each the mean over its training seeds; differences are paired.
    """
    torch.set_num_threads(shipped_params()["compute"]["threads"])
    found = pd.concat([part for seed in args.seeds for part in measured(seed, args.training)])
    means = found.groupby(["row", "factory"])[list(MEASURES)].mean()
    lines: dict[str, dict[str, str]] = {}
    for row in found["row"].unique():
        for measure in MEASURES:
            values, adapted_values = means.loc[row, measure], means.loc["adapted", measure]
            lines.setdefault(row, {})[measure] = points(values)
            lines[row][f"adapted less this, {measure}"] = points(adapted_values - values)
    print(table(pd.DataFrame(lines).T.rename_axis("row")))
    spread = found[found["row"] == "adapted"].groupby("factory")[list(MEASURES)].std().mean()
    print("sd of training seeds: " + ", ".join(f"{m} {100 * spread[m]:.1f}" for m in MEASURES))


def measured(seed: int, training_seeds: list[int]) -> Iterator[pd.DataFrame]:
    """Give all rows of a factory, one table a training seed."""
    with prepared(seed) as store:
        clips = sample(training(read_clips(TRAIN_CLIPS)))
        known = probe(statistics(FeatureStore(f"data/features/{STATISTICS}/train"), clips), clips)
        for training_seed in training_seeds:
            found = adapted(training_seed).rename(index={"log_mel": "statistics of its input"})
            found.loc[f"statistics of {STATISTICS}"] = [known[m] for m in MEASURES]
            found.loc["ceiling"] = ceiling(store, training_seed)
            print(f"factory {seed}, training {training_seed}\n{table(found.rename_axis('row'), 3)}\n", flush=True)
            yield found.assign(factory=seed, training=training_seed).rename_axis("row").reset_index()


def adapted(training_seed: int) -> pd.DataFrame:
    """Run the stage with a training seed; one row an encoder or statistic, columns :data:`MEASURES`."""
    write_params(read_params() | {"seed": training_seed})
    with silent():
        adapt.main(ENCODER)
    probes = read_json(f"metrics/adapt/{ENCODER}.json")["probes"]
    return pd.DataFrame({name: {m: row[m] for m in MEASURES} for name, row in probes.items()}).T


def ceiling(store: FeatureStore, seed: int) -> dict[str, float]:
    """Train the network with the attributes of test clips, all of them true, and probe it like the others."""
    encoder, tested = created(store, seed), FeatureStore(store.path.with_name("test"))
    truth = pd.read_csv(TRUTH, dtype=str, keep_default_na=False).merge(read_clips(CLIPS)[["clip_id", "machine"]])
    truth = truth[truth["clip_id"].isin(tested.clip_ids)]
    labels = pd.Categorical(truth["machine"] + truth["attributes"])
    torch.manual_seed(seed)
    head = torch.nn.LazyLinear(len(labels.categories))
    head(encoder(torch.zeros(1, encoder.frames, store.n_features)).flatten(1))  # now it knows its size
    weights = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, RATE, weight_decay=0.05)
    clips, classes = truth["clip_id"].to_numpy(), torch.tensor(labels.codes, dtype=torch.long)
    rows = min(encoder.frames, min(tested.n_frames(clip) for clip in clips))
    for step in range(STEPS):
        draw = rng(seed, "ceiling", step)
        batch = draw.choice(len(clips), BATCH)
        x = torch.from_numpy(np.stack([crop(tested.normalised(tested[clips[i]]), rows, draw) for i in batch]))
        loss = F.cross_entropy(head(encoder(x).flatten(1)), classes[batch], label_smoothing=0.1)
        optimiser.param_groups[0]["lr"] = RATE * warm_cosine(step, STEPS)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    probed = sample(training(read_clips(TRAIN_CLIPS)))
    found = probe(embed(encoder.eval(), store, probed, CPU), probed)
    return {measure: found[measure] for measure in MEASURES}


def points(values: pd.Series) -> str:
    """Write mean and 95 % interval, in points, of one value a factory."""
    mean, low, high = interval(100 * values)
    return f"{mean:.1f}" if len(values) < 2 else f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def ablations(args: argparse.Namespace) -> None:
    """Change one part of the objective at a time, and force collapses that the detector must see.

    One adaptation a variant and factory seed with the encoder of the shipped params.yaml. ``collapse`` learns from
    itself without a stop-gradient, without target normalisation, by the utterance loss alone; ``collapse_frames`` by
    both losses.
    """
    torch.set_num_threads(shipped_params()["compute"]["threads"])
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        with prepared(seed) as store:
            for variant in args.variants:
                rows.append({"variant": variant, "factory": seed} | run_variant(variant, store, seed))
                print(f"{variant}, factory {seed}: {rows[-1]}", flush=True)
    found = pd.DataFrame(rows)
    means = found.groupby("variant", sort=False)[["accuracy", "ami"]].agg(["mean", "std"])
    means.columns = [" ".join(column) for column in means.columns]
    print(table(means, 3))
    print(table(found.set_index("variant"), 3))


class WithoutStop(UtteranceFrame):
    """The student is its own teacher, gradients flow through the targets and nothing normalises them."""

    def targets(self, batch: Batch) -> Targets:
        """See :meth:`SelfDistillation.targets`."""
        real = super().targets(batch).real
        raw = torch.stack([grid.values.flatten(1, 2) for grid in self.student.hidden(batch.x)]).mean(dim=0)
        return Targets(raw, raw.mean(dim=1), real)


def objective(variant: str, encoder: Encoder, params: AdaptParams) -> SelfDistillation:
    """Make the objective of a variant."""
    return WithoutStop(encoder, params) if variant.startswith("collapse") else create_objective(encoder, params)  # type: ignore[arg-type]


def run_variant(variant: str, store: FeatureStore, seed: int) -> dict[str, Any]:
    """Adapt by a variant; probe the result, and look for a collapse."""
    encoder, params = created(store, seed), load(AdaptBlock, "adapt", ENCODER)
    clips = read_clips(TRAIN_CLIPS)
    probed = sample(training(clips))
    before = spread_of(embed(copy.deepcopy(encoder), store, probed, CPU))
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    settings = params.model_copy(update=VARIANTS[variant])
    with tempfile.TemporaryDirectory() as work, silent():
        adapt_encoder(encoder, store, machines, settings, seed, CPU, Path(work), partial(objective, variant))
    embeddings = embed(encoder, store, probed, CPU)
    after, found = spread_of(embeddings), probe(embeddings, probed)
    changes = zip(before.as_metrics().items(), after.as_metrics().values(), strict=True)
    return {
        "accuracy": found["accuracy"],
        "ami": found["ami"],
        **{f"{key} before, after": f"{a:.3g}, {b:.3g}" for (key, a), b in changes},
        "collapse": ", ".join(signs_of_collapse(before, after)) or "none",
    }


def main() -> None:
    """Run the study that the command line names."""
    commands = Commands(__doc__, default="worth")
    made = factory_options(commands.add("worth", worth), [1000, 1001, 1002])
    made.add_argument("--training", type=int, nargs="+", default=[0, 1, 2], help="training seeds")
    made = factory_options(commands.add("ablations", ablations), [1000, 1001, 1002])
    made.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    commands.run()


if __name__ == "__main__":
    main()
