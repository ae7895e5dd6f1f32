"""What each part of the objective is good for, and does the detector see a collapse? See docs/adaptation.md.

    python -m studies.adaptation_ablations [--seeds 1000 1001 1002] [--variants ema frozen ...]

One adaptation a variant and factory seed with the encoder of the shipped params.yaml. ``collapse`` learns from itself
without a stop-gradient, without target normalisation, by the utterance loss alone; ``collapse_frames`` by both losses.
"""

import copy
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from asd.adaptation.batches import Batch
from asd.adaptation.collapse import signs_of_collapse, spread_of
from asd.adaptation.loop import adapt
from asd.adaptation.measures import embed
from asd.adaptation.objective import SelfDistillation, Targets, UtteranceFrame, create_objective
from asd.adaptation.probes import probe, sample
from asd.base.compute import compute_params
from asd.base.section import load
from asd.clips import TRAIN_CLIPS, read_clips, training
from asd.encoders.encoder import Encoder
from asd.encoders.params import AdaptParams, EncoderParams
from asd.encoders.registry import create_encoder
from asd.encoders.standardise import fit
from asd.features.store import FeatureStore
from studies.adaptation import CPU, ENCODER, prepared
from studies.factory import parser, silent, table

VARIANTS: dict[str, dict[str, Any]] = {
    "ema": {},
    "teacher = student": {"decay": 0.0, "decay_end": 0.0},
    "teacher frozen": {"decay": 1.0, "decay_end": 1.0},
    "frame loss only": {"utterance_weight": 0.0},
    "utterance loss only": {"frame_weight": 0.0},
    "collapse": {"frame_weight": 0.0, "decay": 0.0, "decay_end": 0.0},
    "collapse_frames": {"decay": 0.0, "decay_end": 0.0},
}


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


def run(variant: str, store: FeatureStore, seed: int) -> dict[str, Any]:
    """Adapt by a variant; probe the result and ask the detector."""
    params = load(EncoderParams, "encoders", ENCODER).root
    assert params.adapt
    encoder = create_encoder(params, store.bands, seed)
    assert isinstance(encoder, Encoder)
    fit(encoder, store)
    clips = read_clips(TRAIN_CLIPS)
    chosen = sample(training(clips))
    before = spread_of(embed(copy.deepcopy(encoder), store, chosen, CPU))
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    settings = params.adapt.model_copy(update=VARIANTS[variant])
    with tempfile.TemporaryDirectory() as work, silent():
        made = partial(objective, variant)
        adapt(encoder, store, machines, settings, seed, CPU, Path(work), made)
    found = embed(encoder, store, chosen, CPU)
    after, asked = spread_of(found), probe(found, chosen)
    signs = signs_of_collapse(before, after)
    return {
        "accuracy": asked["accuracy"],
        "ami": asked["ami"],
        **{f"{key} before, after": f"{a:.3g}, {b:.3g}" for (key, a), b in _pairs(before, after)},
        "collapse": ", ".join(signs) or "none",
    }


def _pairs(before: Any, after: Any) -> Any:
    return zip(before.as_metrics().items(), after.as_metrics().values(), strict=True)


def main() -> None:
    """Print one line a variant and factory seed, then the means."""
    made = parser(__doc__, seeds=[1000, 1001, 1002])
    made.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    args = made.parse_args()
    torch.set_num_threads(compute_params().threads)
    rows: list[dict[str, Any]] = []
    for seed in args.seeds:
        with prepared(seed) as store:
            for variant in args.variants:
                rows.append({"variant": variant, "factory": seed} | run(variant, store, seed))
                print(f"{variant}, factory {seed}: {rows[-1]}", flush=True)
    found = pd.DataFrame(rows)
    means = found.groupby("variant", sort=False)[["accuracy", "ami"]].agg(["mean", "std"])
    means.columns = [" ".join(column) for column in means.columns]
    print(table(means, 3))
    print(table(found.set_index("variant"), 3))


if __name__ == "__main__":
    main()
