"""Stage train@<system>: train one system on normal clips, once for each training seed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from asd.classifiers.params import SeedsParams, TrainedObjective, TrainParams
from asd.classifiers.side_by_side import train_all
from asd.classifiers.task import Task, model_description
from asd.core import checkpoints, compute, processes
from asd.core.artifacts import publish, read_csv, significant, write_csv, write_json, write_metrics
from asd.core.clips import training
from asd.core.positions import last_recordings
from asd.core.project import POSITIONS, TRAIN_CLIPS, Project
from asd.core.stage import run
from asd.encoders.initial import initial_encoder
from asd.encoders.networks import save_tensors
from asd.features.store import FeatureStore


def main(name: str) -> str:
    """Train one system for every seed of ``train.seeds``; under ``torchrun``, process 0 alone writes."""
    project = Project()
    system, seeds = project.params["systems"][name], project.section(SeedsParams, "train").seeds
    params = project.section(TrainParams, "systems", name, "train").root
    features, first = project.features(system["features"]), project.encoder(system["encoder"])
    labels, model = project.labels(system["labels"]), project.model(name)
    clips, supplements = _material(project.train_clips(positions=True), labels)
    store, device = FeatureStore(features), compute.device()  # sets the threads, on whose number bytes depend
    encoder = initial_encoder(first, store, project.seed)
    task = Task(params, encoder, store, clips, project.seed, device, Path(), supplements)
    said = f"{len(clips)} clips, {len(seeds)} training seed(s), in {model}"
    if processes.rank():
        list(_networks(task, seeds))
        return said
    inputs = (project.root / TRAIN_CLIPS, project.root / POSITIONS, features, labels, first)
    mark = checkpoints.fingerprint((params, seeds, project.seed), *inputs)
    metrics: dict[str, Any] = {}
    losses: list[tuple[str, int, float, float]] = []
    with checkpoints.unfinished(project.work / f"train@{name}", mark) as work:
        output = work / "output"
        for which, seed, tensors, figures in _networks(replace(task, work=work), seeds):
            save_tensors(tensors, output / f"{which}_{seed}.safetensors")
            if which == "seed":
                losses += [(name, seed, significant(done), loss) for done, loss in figures.pop("losses", [])]
                metrics[f"seed_{seed}"] = figures
        write_json(output / "model.json", model_description(task) | {"seeds": seeds})
        fitted = list(_learnt(task)["clip_id"]) if isinstance(params, TrainedObjective) else []
        write_csv(output / "clips.csv", pd.DataFrame({"clip_id": fitted}))
        publish(output, model)
    write_metrics(project.metrics / "train" / f"{name}.json", metrics)
    table = pd.DataFrame(losses, columns=["system", "seed", "done", "loss"])
    write_csv(project.metrics / "plots" / "loss" / f"{name}.csv", table.assign(loss=table["loss"].map(significant)))
    return said


def _networks(task: Task, seeds: list[int]) -> Iterator[tuple[str, int, dict[str, Tensor], dict[str, Any]]]:
    """Train the network of every seed and, where recordings are held out, a second one without them."""
    learnt = _learnt(task)
    clips_of = {"seed": task.clips} | ({"second": learnt} if len(learnt) < len(task.clips) else {})
    names = [(name, seed) for seed in seeds for name in clips_of]
    tasks = [
        replace(task, clips=clips_of[name], seed=task.seed + seed, work=task.work / f"{name}_{seed}")
        for name, seed in names
    ]
    for (name, seed), trained in zip(names, train_all(tasks, compute.compute_params()), strict=True):
        yield name, seed, *trained


def _learnt(task: Task) -> pd.DataFrame:
    """Give the clips that the second network is trained on: all where no recording is held out."""
    hold_out = task.params.hold_out if isinstance(task.params, TrainedObjective) else 0.0
    return task.clips[~last_recordings(task.clips, hold_out)].reset_index(drop=True)


def _material(clips: pd.DataFrame, labels: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the normal clips and the supplements, with their labels: of supplements those that are given."""
    label = read_csv(labels, ("clip_id", "label"))[["clip_id", "label", "confidence"]]
    known = clips.merge(label, how="left", on="clip_id", validate="1:1")
    known = known.fillna({"label": known["attributes"], "confidence": 1.0})
    return training(known).reset_index(drop=True), known[known["split"] == "supplemental"]


if __name__ == "__main__":
    run("train", main)
