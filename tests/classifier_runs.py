"""What the tests of training share: a small store, small params, runs of them in processes of their own."""

import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from asd.classifiers.objectives import classification
from asd.classifiers.params import TrainParams
from asd.classifiers.task import Task, embed, model_description
from asd.encoders.architectures.se_resnet import SEResNet18Params
from asd.encoders.architectures.vit import TinyParams
from asd.encoders.initial import InitialEncoder
from asd.encoders.networks import create_encoder, save_tensors

CPU = torch.device("cpu")
BANDS = 16
CNN = SEResNet18Params(architecture="se_resnet18", features="x", width=8)
TINY = TinyParams(architecture="tiny", features="x", dims=16, depth=2, heads=2, frames=32)
CLASSIFY = {"objective": "adacos", "steps": 40, "batch": 8, "learning_rate": 0.003}
EVERYTHING = {"mixup": 0.5, "statex": 0.5, "featex": 0.5, "spec_augment": 0.5, "noise_mix": 0.5}
EVERYTHING |= {"noise_class": "shared", "clean_class": "machine", "objective": "adacos_dynamic"}
EVERYTHING |= {"min_target_fraction": 0.3}
GROUP_LORA = {"objective": "dual_contrastive", "sampler": "pairs", "spec_augment": 0.5, "n_codes": 3}
GROUP_LORA |= {"min_target_fraction": 0.3}
GROUP_LORA |= {"fine_tune": "lora", "branches": 2, "rank": 2, "mixing": "gated", "groups": 2, "bottleneck": 4}
SETUPS = {"cnn": (CNN, EVERYTHING), "group_lora": (TINY, GROUP_LORA)}  # encoder, what is switched on


def train_params(**options):
    """Params of training, ``CLASSIFY`` but for some options."""
    return TrainParams.model_validate(CLASSIFY | options).root


class Store:
    """Clips of unlike lengths, a spectrum for each machine, kind, domain and label."""

    n_features = BANDS

    def __init__(self, clips):
        self.description = {"kind": "log_mel", "unit": "dB"}
        rng = np.random.default_rng(0)
        kinds = clips[["machine", "kind", "domain", "label"]].agg("|".join, axis=1)
        spectra = {kind: 5 * rng.normal(size=BANDS) for kind in sorted(set(kinds))}
        self.clips = {
            clip: (spectra[kind] + rng.normal(size=(20 + i % 3, BANDS))).astype(np.float32)
            for i, (clip, kind) in enumerate(zip(clips["clip_id"], kinds, strict=True))
        }

    def __contains__(self, clip_id):
        return clip_id in self.clips

    def __getitem__(self, clip_id):
        return self.clips[clip_id]

    def n_frames(self, clip_id):
        return len(self.clips[clip_id])

    def normalised(self, x):
        return x


def clips(kind="machine", machines=("fan", "valve"), labels=("speed=1", "speed=2"), count=8):
    """Eight clips of two machines with two attributes each, the last of them of the target."""
    rows = [(m, a, i) for m in machines for a in labels for i in range(count)]
    return pd.DataFrame(
        {
            "clip_id": [f"{kind}{m}{a}{i}" for m, a, i in rows],
            "machine": [m for m, _, _ in rows],
            "section": "00",
            "kind": kind,
            "split": "train" if kind == "machine" else "supplemental",
            "domain": ["target" if kind == "machine" and i == 7 else "source" for _, _, i in rows],
            "label": [a for _, a, _ in rows],
            "confidence": 1.0,
        }
    )


def supplements():
    """Clean clips of one machine, noise-only clips of the other."""
    return pd.concat([clips("clean", ("fan",), ("",), 4), clips("noise", ("valve",), ("",), 4)], ignore_index=True)


def task(table, params, block, folder: Path, name="work", extra=None):
    """Make the task of training an encoder on clips, and on supplements if there are any."""
    encoder = InitialEncoder(create_encoder(block, BANDS, seed=1), block, BANDS)
    store = Store(table if extra is None else pd.concat([table, extra], ignore_index=True))
    return Task(params, encoder, store, table, 3, CPU, folder / name, extra)


def embedded(made, tensors, table, stores=None):
    """Embed clips by what a task's training gave."""
    return embed(model_description(made), tensors, table, stores or [made.store], CPU)


def whole(setup: str, folder: Path, name: str, **options):
    """Make a task with everything switched on: some machines with attributes, some without, and supplements."""
    block, params = SETUPS[setup]
    table = pd.concat([clips(), clips(machines=("saw",), labels=("",))], ignore_index=True)
    return task(table, train_params(**params | options), block, folder, name, supplements())


def killed(folder: Path, at: int, setup: str) -> None:
    """Train in this process, which ends by SIGKILL in the middle of a step."""
    real, done = classification.train_step, []

    def deadly(*arguments):
        if len(done) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(at)
        return real(*arguments)

    classification.train_step = deadly
    torch.set_num_threads(1)
    made = whole(setup, folder, "killed")
    made.params.train(made)


class InDoublePrecision(Task):
    """A task whose encoder and features are in float64, so that only the order of sums is left."""

    def network(self):
        return super().network().double()


def twelve_steps(setup: str, folder: Path) -> dict[str, torch.Tensor]:
    """Train for twelve steps in float64 with everything switched on; give the weights and the losses."""
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        made = whole(setup, folder, f"work_{setup}", steps=12)
        made.store.clips = {clip: rows.astype(np.float64) for clip, rows in made.store.clips.items()}
        weights, found = made.params.train(InDoublePrecision(**vars(made)))
        return {k: v.contiguous() for k, v in weights.items()} | {"losses": torch.tensor(found["losses"])}
    finally:
        torch.set_default_dtype(precision)


def main() -> None:
    """Under torchrun: train by every setup; process 0 writes what comes out."""
    out = Path(os.environ["OUT"])
    torch.set_num_threads(1)
    for setup in SETUPS:
        tensors = twelve_steps(setup, out)
        if os.environ["RANK"] == "0":
            save_tensors(tensors, out / f"{setup}.safetensors")


if __name__ == "__main__":
    main()
