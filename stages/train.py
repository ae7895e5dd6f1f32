"""Stage train@<system>: train one system on normal clips, once for each training seed."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from asd import checkpoints, processes
from asd.base import compute
from asd.base.artifacts import publish, read_csv, read_json, significant, write_csv, write_json, write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.classifiers.params import SeedsParams, TrainParams
from asd.classifiers.task import Task, module
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.encoders.adaptation_module import described
from asd.encoders.registry import DESCRIPTION, save_tensors
from asd.features.store import FeatureStore
from asd.positions import POSITIONS, last_recordings, with_positions


def main(name: str) -> str:
    """Train one system for every seed of ``train.seeds``; under ``torchrun``, process 0 alone writes."""
    content = read_params()
    system, seeds = content["systems"][name], load(SeedsParams, "train").seeds
    params = load(TrainParams, "systems", name, "train").root
    features = Path("data/features") / system["features"] / "train"
    encoder = Path("data/encoders") / system["encoder"]
    labels = LABELS / f"{system['labels']}.csv"
    clips, supplements = _material(labels)
    mark = checkpoints.fingerprint((params, seeds, content["seed"]), TRAIN_CLIPS, POSITIONS, features, labels, encoder)
    metrics: dict[str, Any] = {}
    losses: list[tuple[str, int, float, float]] = []
    first = processes.rank() == 0
    with checkpoints.unfinished(f"train@{name}", mark) if first else nullcontext(Path()) as work:
        store, device = FeatureStore(features), compute.device()
        learnt = clips[~last_recordings(clips, getattr(params, "hold_out", 0.0))].reset_index(drop=True)
        for seed in seeds:
            task = Task(
                params, encoder, store, clips, content["seed"] + seed, device, work / f"seed_{seed}", supplements
            )
            tensors, found = module(params.objective).train(task)
            losses += [(name, seed, significant(done), loss) for done, loss in found.pop("losses", [])]
            metrics[f"seed_{seed}"] = found
            if first:
                save_tensors(tensors, work / "output" / f"seed_{seed}.safetensors")
            if len(learnt) < len(clips):
                second = replace(task, clips=learnt, work=work / f"second_{seed}")
                tensors, _ = module(params.objective).train(second)
                if first:
                    save_tensors(tensors, work / "output" / f"second_{seed}.safetensors")
        if first:
            model = read_json(encoder / DESCRIPTION) | {"objective": params.objective, "seeds": seeds}
            model |= described(getattr(params, "adaptation_module", None))
            write_json(work / "output" / "model.json", model)
            fitted = list(learnt["clip_id"]) if params.objective != "none" else []
            write_csv(work / "output" / "clips.csv", pd.DataFrame({"clip_id": fitted}))
            publish(work / "output", Path("data/models") / name)
    if first:
        write_metrics(Path("metrics/train") / f"{name}.json", metrics)
        table = pd.DataFrame(losses, columns=["system", "seed", "done", "loss"])
        write_csv(Path("metrics/plots/loss") / f"{name}.csv", table.assign(loss=table["loss"].map(significant)))
    return f"{len(clips)} clips, {len(seeds)} training seed(s), in data/models/{name}"


def _material(labels: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the normal clips and the supplements, with their labels: of supplements those that are given."""
    label = read_csv(labels, ("clip_id", "label"))[["clip_id", "label", "confidence"]]
    known = with_positions(read_clips(TRAIN_CLIPS)).merge(label, how="left", on="clip_id", validate="1:1")
    known = known.fillna({"label": known["attributes"], "confidence": 1.0})
    return training(known).reset_index(drop=True), known[known["split"] == "supplemental"]


if __name__ == "__main__":
    run("train", main)
