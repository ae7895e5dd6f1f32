"""How well an encoder as it is tells changed sounds from unchanged ones: ``python -m pretraining.probe WEIGHTS ...``.

Virtual machines that training never draws: each has normal recordings to compare with, and others, normal and of sounds
that have changed. AUC of the cosine distance to the nearest normal recording, a mean over machines of each kind.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from asd.core.compute import ComputeParams, parallel
from asd.encoders.networks import create_encoder
from pretraining.blocks import group
from pretraining.settings import SoundParams

SEED = 2**31  # no one trains on it
NORMAL, CHANGED, REFERENCE = 16, 6, 10  # recordings of a machine; of the normal ones, those to compare with


def probe_recordings(kind: str, machines: int, compute: ComputeParams | None = None) -> list[np.ndarray]:
    """Make the recordings of virtual machines of one kind: features ``(clips, rows, n_features)`` of each machine.

    Parameters
    ----------
    kind : str
    machines : int
    compute : ComputeParams, optional
        Workers.
    """
    params = SoundParams(kinds=[kind], groups=machines, same=NORMAL + 1, near=CHANGED, seconds=5.0)  # type: ignore[list-item]
    made = parallel(partial(_recordings, params), range(machines), compute)
    return list(made)


def _recordings(params: SoundParams, index: int) -> np.ndarray:
    features = group(params, SEED, 0, index).features
    return np.concatenate([features[:NORMAL], features[NORMAL + 1 :]])  # without the one recorded elsewhere


@torch.no_grad()
def probe(network: nn.Module, machines: list[np.ndarray]) -> float:
    """Compute the mean AUC [%] over machines of an encoder of recordings."""
    aucs = []
    for features in machines:
        z = network(torch.from_numpy(features.astype(np.float32))).flatten(1).numpy()
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        distance = 1 - (z[REFERENCE:] @ z[:REFERENCE].T).max(axis=1)
        aucs.append(roc_auc_score(np.arange(len(distance)) >= NORMAL - REFERENCE, distance))
    return 100 * float(np.mean(aucs))


def main() -> None:
    """Print a line for each file of weights."""
    parser = argparse.ArgumentParser("python -m pretraining.probe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="*", help="random weights are always among them")
    parser.add_argument("--architecture", default="machine_small")
    parser.add_argument("--machines", type=int, default=32, help="of each kind")
    args = parser.parse_args()
    kinds = ("machines", "synthesizers", "textures")
    recordings = {kind: probe_recordings(kind, args.machines) for kind in kinds}
    print("weights", *kinds, sep="\t")
    for file in (None, *args.weights):
        network = create_encoder(args.architecture, weights=file)
        network.pool.per_band = True  # type: ignore[union-attr]
        print(file or "random", *(f"{probe(network, made):.1f}" for made in recordings.values()), sep="\t")


if __name__ == "__main__":
    main()
