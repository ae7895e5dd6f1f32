"""What stages do with settings, in memory, over half a second of noise and tones; for :mod:`studies.options`."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from asd.adaptation.loop import adapt
from asd.adaptation.measures import compare, curve, losses
from asd.classifiers.task import Task, embed, model_description
from asd.core import compute
from asd.core.clips import training
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.positions import last_recordings
from asd.core.project import systems_of
from asd.datasets.dataset_params import selected_machines
from asd.datasets.years import archives, others, years
from asd.encoders.embedding import apply
from asd.evaluation.bootstrap import bias_corrected_interval
from asd.params import Params, System, TrainingFree
from asd.pseudo_labels.grouping import read_clips_of
from asd.pseudo_labels.label import label
from asd.scoring.candidates import candidate_scores
from asd.scoring.embeddings import Embeddings
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.scoring.summary import guarantee, summary
from asd.scoring.table import score_table
from asd.selection.choice import decide
from asd.selection.criteria import CRITERIA
from asd.selection.evidence import SystemEvidence, make_evidence, scorers_tried
from asd.simulation.plan import plan
from asd.simulation.simulation import MACHINES
from stages import train
from studies.options.material import clip_table, features, initial, made_up, remembered, scratch

CPU = torch.device("cpu")
ONE = ComputeParams(jobs=1, threads=1)


_EMBEDDINGS: dict[str, Embeddings] = {}
_EVIDENCE: dict[str, dict[str, SystemEvidence]] = {}


def run_front(params: Params) -> None:
    """Compute the front end ``x`` of two clips."""
    features(params, "x", (0, 9))


def run_system(params: Params) -> None:
    """Train the system ``net``, embed and score its clips."""
    scored(params, "net", embedded(params, "net", params.systems["net"]))


def run_auto(params: Params) -> None:
    """Train the autoencoder, and score by its values."""
    scored(params, "auto", embedded(params, "auto", params.systems["auto"]))


def run_free(params: Params) -> None:
    """Embed and score clips by the system ``free``."""
    scored(params, "free", embedded(params, "free", params.training_free["free"]))


def embedded(params: Params, name: str, recipe: TrainingFree) -> Embeddings:
    """Embed all clips by one system, and those of training by its second network."""
    block, front = params.encoder(recipe.encoder).model_dump(), params.features[recipe.features].model_dump()
    learnt = (recipe.train.root.model_dump(), recipe.labels) if isinstance(recipe, System) else None
    key = (front, block, learnt, params.index.calibration_fraction if learnt else 0, name)
    return remembered(_EMBEDDINGS, key, lambda: _embedded(params, recipe))


def _embedded(params: Params, recipe: TrainingFree) -> Embeddings:
    store, clips = features(params, recipe.features), clip_table()
    encoder = initial(params, recipe.encoder, store)
    if not isinstance(recipe, System):
        return Embeddings(clips, {0: apply(encoder.network, [store], list(clips["clip_id"]), CPU)}, {})
    known = clips if recipe.labels == "given" else clips.assign(label=[f"x_{i % 2}" for i in clips["position"]])
    fraction = params.index.calibration_fraction
    learnt = training(known[~last_recordings(known, fraction)] if fraction else known).reset_index(drop=True)
    further = known[known["split"] == "supplemental"]
    made: dict[str, dict[int, np.ndarray]] = {"seed": {}, "second": {}}
    with tempfile.TemporaryDirectory(dir=scratch()) as work:
        task = Task(recipe.train.root, encoder, store, learnt, params.seed, CPU, Path(work), further)
        fitted: Any = train._learnt(task)["clip_id"] if hasattr(task.params, "hold_out") else []
        for which, seed, tensors, _ in train._networks(task, [0]):
            wanted = clips if which == "seed" else training(clips).reset_index(drop=True)
            made[which][seed] = embed(model_description(task), tensors, wanted, [store], CPU)
    return Embeddings(clips.assign(fitted=clips["clip_id"].isin(fitted)), made["seed"], made["second"])


def scored(params: Params, name: str, made: Embeddings) -> None:
    """Score embeddings by the system's own scorer, as the stage does, and summarise; of a kind once."""
    arrays = [*made.by_seed.values(), *made.second.values()]
    if not all(np.isfinite(values).all() for values in arrays):
        raise UserError("embeddings are not finite")
    shapes = [values.shape for values in arrays]
    key = score_block(params, name).model_dump(), shapes, params.index.calibration_fraction, list(made.clips["fitted"])
    remembered(_SCORED, key, lambda: _scored(params, name, made))


_SCORED: dict[str, Any] = {}


def _scored(params: Params, name: str, made: Embeddings) -> None:
    held = last_recordings(made.clips, params.index.calibration_fraction)
    reference = set(training(made.clips[~held])["clip_id"])
    block = score_block(params, name)
    table = score_table(made.clips, reference, made.by_seed, block, params.seed, made.second, ONE)
    if not np.isfinite(table[["score", "threshold"]]).all(axis=None):
        raise UserError("a score or threshold is not finite")
    guarantee(summary(table, made.clips, block, reference, next(iter(made.by_seed.values()))), block)


def score_block(params: Params, name: str) -> Any:
    """Give a system's scorer with what ``decision`` says."""
    return ScoreParams.model_validate(systems_of(params.model_dump(exclude_unset=True))[name]["score"]).root


def run_scores(params: Params) -> None:
    """Score made-up embeddings of one and of three bands, or values, by the system's scorer and the candidates."""
    for name in ("net", "auto"):
        block = score_block(params, name)
        shapes = [(2,)] if block.input == "values" else [(1, 4), (3, 4)]
        for shape in shapes:
            made = made_up(shape)
            scored(params, name, made)
            reference = set(training(made.clips)["clip_id"])
            remembered(_CANDIDATES, shape, lambda: candidate_scores(made.clips, reference, made.by_seed, block, 0, ONE))  # noqa: B023


_CANDIDATES: dict[str, Any] = {}


def run_adapt(params: Params) -> None:
    """Adapt the encoder ``net`` to the training clips, and measure it."""
    block = params.adapt["net"]
    store = features(params, block.features)
    start, copy = initial(params, "initial/net", store), initial(params, "initial/net", store)
    clips = clip_table()[clip_table()["split"] != "test"]
    machines = {str(machine): list(ids) for machine, ids in clips.groupby("machine")["clip_id"]}
    with tempfile.TemporaryDirectory(dir=scratch()) as work:
        history = adapt(copy.network, store, machines, block, params.seed, CPU, Path(work))  # type: ignore[arg-type]
    encoders: Any = {"random": start.network, "start": start.network, "adapted": copy.network}
    measures = compare(encoders, store, training(clips), CPU) | losses(history)
    curve(history)
    if "NaN" in json.dumps(measures):
        raise UserError("a measure of the adaptation is not finite")


def run_labels(params: Params) -> None:
    """Embed training clips and label them by every labeller."""
    clips = training(clip_table()).reset_index(drop=True)
    own = params.pseudo_label.features()
    store = features(params, params.embed.features)

    def made() -> np.ndarray:
        network = initial(params, params.embed.encoder, store).network
        return apply(network, [store], list(clips["clip_id"]), CPU)

    embeddings = remembered(_LABELS, (params.embed, params.encoder(params.embed.encoder)), made)
    stores = {name: features(params, front_end) for name, front_end in own.items()}
    smooth = params.pseudo_label.labellers()["spectrum"].smooth
    some = read_clips_of(clips, embeddings, stores["spectrum"], stores["frequency"], smooth)
    label(clips, some, params.pseudo_label)


_LABELS: dict[str, np.ndarray] = {}


def run_ensemble(params: Params) -> None:
    """Make evidence of made-up embeddings, decide and fuse."""
    made = {"free": made_up((3, 4)), "net": made_up((1, 4)), "auto": made_up((2,))}
    reference = set(training(clip_table())["clip_id"])

    def evidence() -> dict[str, SystemEvidence]:
        found, criterion = {}, params.selection.criterion
        for name, one in made.items():
            scorers = scorers_tried(score_block(params, name), one, params.selection.scorers)
            scores, aucs = make_evidence(one, reference, clip_table(), scorers, params.selection, 0, ONE)
            if len(aucs):
                found[name] = SystemEvidence(CRITERIA[criterion].figures(aucs), scores, criterion)
        return found

    written = params.model_dump(exclude_unset=True)
    fusion = EnsembleParams.model_validate(written["decision"] | written["ensemble"])
    known = remembered(_EVIDENCE, params.selection.model_dump(), evidence)
    choice = decide(fusion, list(made), known)
    tables = {
        name: remembered(_TABLES, name, lambda: score_table(one.clips, reference, one.by_seed, block, 0, None, ONE))  # noqa: B023
        for name, one, block in ((name, made[name], score_block(params, name)) for name in choice.scorers)
    }
    table = fuse(tables, clip_table(), fusion, fusion.fusion, choice.weights)
    summary(table, clip_table(), fusion, set(clip_table()["clip_id"]))


_TABLES: dict[str, pd.DataFrame] = {}


def run_dataset(params: Params) -> None:
    """Choose machines, clips and archives as the stage ``download`` does; hold the last recordings out."""
    dataset = params.dataset
    if dataset.name == "simulated":
        for name in selected_machines(dataset.machines, MACHINES):
            next(plan(MACHINES[name], dataset.simulated))
    elif dataset.year:
        year = years()[dataset.year]
        others(dataset.year, dataset.pretrain)
        archives(year, year.used(dataset.split, dataset.train_on), dataset.machines)
    last_recordings(clip_table(), params.index.calibration_fraction)


def run_compute(params: Params) -> None:
    """Choose the device, map over two items, and make an interval."""
    threads = torch.get_num_threads()
    compute.device(params.compute)
    torch.set_num_threads(threads)
    list(compute.parallel(abs, [1, 2], params.compute))
    values = np.random.default_rng(0).random(min(params.evaluate.resamples, 2000))
    interval = bias_corrected_interval(0.5, values, params.evaluate.confidence)
    if not np.isfinite(interval).all():
        raise UserError("an interval is not finite")
