"""What the tests of adaptation share: a small store, small params, runs of them in processes of their own."""

import os
import signal
from pathlib import Path

import numpy as np
import torch

from asd.adaptation import loop
from asd.adaptation.objective import create_objective
from asd.encoders.architectures.vit import TinyParams
from asd.encoders.encoder_params import AdaptParams
from asd.encoders.networks import create_encoder, save_tensors

BANDS = 32
PARAMS = AdaptParams(
    steps=12, batch=4, clones=2, mask=0.75, block=2, learning_rate=0.001, ema_decay=0.9, ema_decay_end=0.99
)
PARAMS = PARAMS.model_copy(update={"crop": 64})
BLOCK = TinyParams(architecture="tiny", features="x", dims=32, depth=2, heads=2, frames=64)
MACHINES = {"a": [f"a{i}" for i in range(6)], "b": [f"b{i}" for i in range(5)]}


class Store:
    """Clips of two machines, each a constant spectrum with noise; one of each is shorter than a crop."""

    n_features = BANDS

    def __init__(self):
        rng = np.random.default_rng(0)
        spectra = {machine: rng.normal(size=BANDS) for machine in MACHINES}
        self.clips = {
            clip: spectra[machine] + rng.normal(size=(40 if clip.endswith("0") else 80, BANDS))
            for machine, clips in MACHINES.items()
            for clip in clips
        }

    def __contains__(self, clip):
        return clip in self.clips

    def __getitem__(self, clip):
        return self.clips[clip].astype(np.float32)

    def n_frames(self, clip):
        return len(self.clips[clip])

    def normalised(self, x):
        return x


def adapted(work: Path, precision=torch.float32, seed=7, objective=create_objective, **changes):
    """Adapt the small encoder; give its weights and the history."""
    encoder = create_encoder(BLOCK, BANDS, seed=3).to(precision)
    params = PARAMS.model_copy(update=changes)
    history = loop.adapt(encoder, Store(), MACHINES, params, seed, torch.device("cpu"), work, objective)
    return encoder.state_dict(), history


def killed(work: Path, steps: int, at: int) -> None:
    """Adapt in this process, which ends by SIGKILL in the middle of a step."""
    loop.EVERY = 3
    real, done = loop.draw, []

    def deadly(store, machines, params, encoder, seed, positions):
        if positions[0] // params.batch == at:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(positions)
        return real(store, machines, params, encoder, seed, positions)

    loop.draw = deadly
    torch.set_num_threads(1)
    adapted(work, steps=steps)


def twenty_steps(folder: Path):
    """Adapt for 20 steps in two precisions; give the weights by precision."""
    precisions = {"float32": torch.float32, "float64": torch.float64}
    return {
        name: adapted(folder / f"work_{name}", precision, steps=20, learning_rate=1e-4)[0]
        for name, precision in precisions.items()
    }


def main() -> None:
    """Under torchrun: adapt; process 0 writes what comes out."""
    out = Path(os.environ["OUT"])
    torch.set_num_threads(1)
    found = twenty_steps(out)
    if os.environ["RANK"] == "0":
        for name, weights in found.items():
            save_tensors(weights, out / f"{name}.safetensors")


if __name__ == "__main__":
    main()
