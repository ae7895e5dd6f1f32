"""Stage adapt@<encoder>: the first weights of an encoder, drawn, published or adapted to machine sounds."""

from pathlib import Path
from typing import Any

from asd import checkpoints, compute
from asd.artifacts import publish, write_metrics
from asd.clips import TRAIN_CLIPS, read_clips
from asd.encoders.params import EncoderParams, Tiny
from asd.encoders.registry import create_encoder, write_encoder
from asd.encoders.weights import weights_of
from asd.features.store import FeatureStore
from asd.section import load, read_params
from asd.stage import run


def main(name: str) -> str:
    """Draw, fetch or adapt the weights of one encoder."""
    params = load(EncoderParams, "encoders", name).root
    seed = int(read_params()["seed"])
    features = Path("data/features") / params.features / "train"
    store = FeatureStore(features)
    network = create_encoder(params, store.bands, seed, weights_of(params))
    metrics: dict[str, Any] = {"parameters": sum(p.numel() for p in network.parameters()), "steps": 0}
    mark = checkpoints.fingerprint((params, seed), TRAIN_CLIPS, features)
    with checkpoints.unfinished(f"adapt@{name}", mark) as work:
        if isinstance(params, Tiny) and params.adapt:
            from asd.adaptation.loop import adapt

            machines = {str(m): list(c) for m, c in read_clips(TRAIN_CLIPS).groupby("machine")["clip_id"]}
            device = compute.device()
            metrics |= adapt(network, store, machines, params.adapt, seed, device, work)  # type: ignore[arg-type]
            metrics["steps"] = params.adapt.steps
        write_encoder(work / "output", network, params, store.bands)
        publish(work / "output", Path("data/encoders") / name)
    write_metrics(Path("metrics/adapt") / f"{name}.json", metrics)
    return f"{metrics['parameters']:,} parameters, {metrics['steps']} steps of adaptation, in data/encoders/{name}"


if __name__ == "__main__":
    run("adapt", main)
