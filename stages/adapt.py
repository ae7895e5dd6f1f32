"""Stage adapt@<encoder>: the first weights of an encoder, drawn, published or adapted to machine sounds."""

import copy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from asd import checkpoints, processes
from asd.adaptation.loop import Step, adapt
from asd.adaptation.measures import compare, curve, losses
from asd.adaptation.probes import sample
from asd.base import compute
from asd.base.artifacts import publish, write_csv, write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.clips import TRAIN_CLIPS, read_clips, training
from asd.encoders.params import EncoderBlock, EncoderParams
from asd.encoders.registry import create_encoder, write_encoder
from asd.encoders.standardise import fit
from asd.encoders.weights import weights_of
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Draw, fetch or adapt the weights of one encoder; under ``torchrun``, process 0 alone writes."""
    params = load(EncoderParams, "encoders", name).root
    seed = int(read_params()["seed"])
    features = Path("data/features") / params.features / "train"
    store, first = FeatureStore(features), processes.rank() == 0
    mark = checkpoints.fingerprint((params, seed), TRAIN_CLIPS, features)
    with checkpoints.unfinished(f"adapt@{name}", mark) if first else nullcontext(Path()) as work:
        network = create_encoder(params, store.bands, seed, weights_of(params))
        fit(network, store)
        metrics: dict[str, Any] = {"parameters": sum(p.numel() for p in network.parameters()), "steps": 0}
        noted, history = _adapted(network, params, store, seed, work) if params.adapt else ({}, [])
        if first:
            write_encoder(work / "output", network, params, store.bands)
            publish(work / "output", Path("data/encoders") / name)
    if first:
        write_metrics(Path("metrics/adapt") / f"{name}.json", metrics | noted)
        write_csv(Path("metrics/plots/adapt") / f"{name}.csv", curve(history))
    return f"{metrics['parameters']:,} parameters, {len(history)} steps of adaptation, in data/encoders/{name}"


def _adapted(
    network: Any, params: EncoderBlock, store: FeatureStore, seed: int, work: Path
) -> tuple[dict[str, Any], list[Step]]:
    """Adapt a network in place to all clips but those of the test; give what is noted, and the losses."""
    assert params.adapt
    clips, device = read_clips(TRAIN_CLIPS), compute.device()
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    start = copy.deepcopy(network)
    history = adapt(network, store, machines, params.adapt, seed, device, work)
    if processes.rank():
        return {}, history
    drawn = create_encoder(params, store.bands, seed)
    fit(drawn, store, by_band=False)
    encoders = {"random": drawn, "start": start, "adapted": network}
    noted = compare(encoders, store, sample(training(clips)), device)  # type: ignore[arg-type]
    return noted | losses(history) | {"steps": len(history)}, history


if __name__ == "__main__":
    run("adapt", main)
