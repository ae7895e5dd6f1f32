"""Stage adapt@<encoder>: the weights of an encoder, adapted to machine sounds by self-supervision."""

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from asd.adaptation.loop import adapt
from asd.adaptation.measures import compare, curve, losses, sample
from asd.core import checkpoints, compute, processes
from asd.core.artifacts import publish, write_csv, write_metrics
from asd.core.clips import training
from asd.core.project import TRAIN_CLIPS, Project
from asd.core.stage import run
from asd.encoders.encoder_params import AdaptBlock
from asd.encoders.initial import InitialEncoder, initial_encoder
from asd.encoders.networks import create_encoder, write_encoder
from asd.encoders.standardise import fit
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Adapt one encoder to all training clips; under ``torchrun``, process 0 alone writes."""
    project = Project()
    params, seed = project.section(AdaptBlock, "adapt", name), project.seed
    features, initial = project.features(params.features), project.encoder(f"initial/{name}")
    store, device = FeatureStore(features), compute.device()  # sets the threads, on whose number bytes depend
    start, output = initial_encoder(initial, store, seed), project.encoder(f"adapted/{name}")
    network: Any = copy.deepcopy(start.network)
    clips = project.train_clips()
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    if processes.rank():
        adapt(network, store, machines, params, seed, device, Path())
        return f"adapted beside process 0, which writes {output}"
    mark = checkpoints.fingerprint((params, seed), project.root / TRAIN_CLIPS, features, initial)
    with checkpoints.unfinished(project.work / f"adapt@{name}", mark) as work:
        history = adapt(network, store, machines, params, seed, device, work)
        measures = _measures(network, start, store, clips, seed, device) | losses(history)
        write_encoder(work / "output", network, start.params, start.n_features)
        publish(work / "output", output)
    parameters = sum(p.numel() for p in network.parameters())
    write_metrics(
        project.metrics / "adapt" / f"{name}.json", measures | {"parameters": parameters, "steps": len(history)}
    )
    write_csv(project.metrics / "plots" / "adapt" / f"{name}.csv", curve(history))
    return f"{parameters:,} parameters, {len(history)} steps of adaptation, in {output}"


def _measures(
    network: nn.Module, start: InitialEncoder, store: FeatureStore, clips: pd.DataFrame, seed: int, device: torch.device
) -> dict[str, Any]:
    """Compare the adapted network with its start and with random weights, on the normal training clips."""
    random = create_encoder(start.params, store.n_features, seed)
    fit(random, store, by_band=False)
    encoders: dict[str, Any] = {"random": random, "start": start.network, "adapted": network}
    return compare(encoders, store, sample(training(clips)), device)


if __name__ == "__main__":
    run("adapt", main)
