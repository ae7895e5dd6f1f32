"""Stage adapt@<encoder>: the initial weights of an encoder: random, published or adapted to machine sounds."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asd.adaptation.loop import Step, adapt
from asd.adaptation.measures import compare, curve, losses, sample
from asd.core import checkpoints, compute, processes
from asd.core.artifacts import publish, write_csv, write_metrics
from asd.core.clips import read_clips, training
from asd.core.project import TRAIN_CLIPS, Project
from asd.core.stage import run
from asd.encoders.encoder_params import EncoderBlock, EncoderParams
from asd.encoders.networks import create_encoder, write_encoder
from asd.encoders.standardise import fit
from asd.encoders.weights import weights_of
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Initialise, fetch or adapt the weights of one encoder; under ``torchrun``, process 0 alone writes."""
    project = Project()
    params, seed = project.section(EncoderParams, "encoders", name).root, project.seed
    features = project.features(params.features)
    store, device = FeatureStore(features), compute.device()  # sets the threads, on whose number bytes depend
    network = create_encoder(params, store.n_features, seed, weights_of(params))
    fit(network, store)
    metrics: dict[str, Any] = {"parameters": sum(p.numel() for p in network.parameters()), "steps": 0}
    if processes.rank():
        _adapt(network, params, store, seed, device, Path())
        return f"adapted beside process 0, which writes {project.encoder(name)}"
    mark = checkpoints.fingerprint((params, seed), project.root / TRAIN_CLIPS, features)
    with checkpoints.unfinished(project.work / f"adapt@{name}", mark) as work:
        start = copy.deepcopy(network)
        history = _adapt(network, params, store, seed, device, work)
        if history:
            metrics |= (
                _measures(network, start, params, store, seed, device) | losses(history) | {"steps": len(history)}
            )
        write_encoder(work / "output", network, params, store.n_features)
        publish(work / "output", project.encoder(name))
    write_metrics(project.metrics / "adapt" / f"{name}.json", metrics)
    write_csv(project.metrics / "plots" / "adapt" / f"{name}.csv", curve(history))
    return f"{metrics['parameters']:,} parameters, {len(history)} steps of adaptation, in {project.encoder(name)}"


def _adapt(
    network: Any, params: EncoderBlock, store: FeatureStore, seed: int, device: torch.device, work: Path
) -> list[Step]:
    """Adapt a network in place to all training clips, if its params say so."""
    if not params.adapt:
        return []
    clips = read_clips(TRAIN_CLIPS)
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    return adapt(network, store, machines, params.adapt, seed, device, work)


def _measures(
    network: nn.Module, start: nn.Module, params: EncoderBlock, store: FeatureStore, seed: int, device: torch.device
) -> dict[str, Any]:
    """Compare the adapted network with its start and with random weights, on the normal training clips."""
    random = create_encoder(params, store.n_features, seed)
    fit(random, store, by_band=False)
    encoders: dict[str, Any] = {"random": random, "start": start, "adapted": network}
    return compare(encoders, store, sample(training(read_clips(TRAIN_CLIPS))), device)


if __name__ == "__main__":
    run("adapt", main)
