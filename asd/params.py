"""The whole of params.yaml: the sections of all packages, and checks across them."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import cuda

from asd.classifiers.objectives.classification import Classification
from asd.classifiers.objectives.reconstruction import Reconstruction
from asd.classifiers.params import SeedsParams, TrainParams
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.project import ENSEMBLE, LISTS
from asd.core.section import PARAMS, Section, checked
from asd.datasets.dataset_params import SIMULATED, DatasetParams, IndexParams, selected_machines
from asd.datasets.years import archives, others, years
from asd.encoders.encoder_params import (
    AdaptBlock,
    EmbedParams,
    EncoderBlock,
    EncoderParams,
    PublishedEncoder,
    TokenBlock,
    adaptable,
)
from asd.encoders.published import PUBLISHED
from asd.evaluation.evaluate_params import EvaluateParams
from asd.features.front_end import AnyFrontEnd
from asd.pseudo_labels.params import PseudoLabelParams
from asd.scoring.params import EnsembleParams, ThresholdParams
from asd.scoring.registry import ScoreParams
from asd.selection.params import SelectionParams

ADAPTED = 16  # the dims of an encoder that is adapted are a multiple: groups of the decoder's convolutions
OF_SPECTROGRAMS = ("statex", "spec_augment")
NAME = re.compile(r"[A-Za-z0-9_-]+")  # of a block: names files and stages


class TrainingFree(Section):
    """One block of ``training_free:``, a recipe: encoder, front end, scoring, and the paper it follows."""

    paper: str = Field("", description="whom the system follows, any text: shown in result tables, changes no result")
    encoder: str = Field(description="a folder of data/encoders: initial/<name>, adapted/<name>")
    features: str
    score: ScoreParams


class System(TrainingFree):
    """One block of ``systems:``, a recipe with training."""

    labels: str
    train: TrainParams


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0)
    dataset: DatasetParams
    index: IndexParams
    features: dict[str, AnyFrontEnd] = Field(min_length=1)
    encoders: dict[str, EncoderParams] = Field(min_length=1)
    adapt: dict[str, AdaptBlock]
    embed: EmbedParams
    pseudo_label: PseudoLabelParams
    train: SeedsParams
    training_free: dict[str, TrainingFree]
    systems: dict[str, System]
    decision: ThresholdParams
    selection: SelectionParams
    ensemble: EnsembleParams
    evaluate: EvaluateParams
    compute: ComputeParams

    def recipes(self) -> Iterator[tuple[str, str, TrainingFree]]:
        """List the blocks of all systems, with and without training: their key, their name, themselves."""
        for key in LISTS:
            for name, system in getattr(self, key).items():
                yield f"{key}.{name}", name, system

    def encoder(self, folder: str) -> EncoderBlock:
        """Find the block of the encoder in a folder of data/encoders: ``initial/tiny``, ``adapted/tiny``."""
        return self.encoders[folder.split("/")[1]].root


def check(content: dict[str, Any]) -> Params:
    """Check params.yaml as a whole.

    Raises
    ------
    UserError
        With the first wrong key's full name, its value and what is allowed.
    """
    params = checked(Params, content)
    for key, value, allowed in _references(params):
        if value not in allowed:
            raise UserError(f"{PARAMS}: {key} is {value!r}: one of {', '.join(allowed)}")
    for problem in chain(_misnamed(params), _mismatches(params), _missing(params)):
        raise UserError(f"{PARAMS}: {problem}")
    try:
        _chosen_data(params.dataset)
    except UserError as error:
        raise UserError(f"{PARAMS}: {error}") from None
    return params


def _misnamed(params: Params) -> Iterator[str]:
    """Find names of blocks that can't be those of files and stages."""
    for key in ("features", "encoders", *LISTS):
        for name in getattr(params, key):
            if not NAME.fullmatch(name):
                yield f"{key}.{name}: a name is of letters, digits, _ and -"
            if key in LISTS and name == ENSEMBLE:
                yield f"{key}.{name}: that is the fused system's name, choose another"


def _missing(params: Params) -> Iterator[str]:
    """Find what is named and not there: files of weights, packages."""
    for name, encoder in params.encoders.items():
        weights = encoder.root.weights if isinstance(encoder.root, PublishedEncoder) else "random"
        if weights == "published" and not PUBLISHED[encoder.root.architecture].file:
            yield f"encoders.{name}.weights is 'published': {encoder.root.architecture} has none, say random or a file"
        if weights not in ("published", "random") and not Path(weights).is_file():
            yield f"encoders.{name}.weights is {weights!r}: published, random, or the path of a file, and there is none"
    if params.compute.device == "cuda" and not cuda.is_available():
        yield "compute.device is 'cuda', but torch sees no CUDA device: set it to auto or cpu"
    if params.compute.backend == "dask" and not find_spec("distributed"):
        yield "compute.backend is 'dask': the package dask[distributed] is missing, install it or choose auto"


def _chosen_data(dataset: DatasetParams) -> None:
    """Choose machines, archives and further years as the stage ``download`` does, which refuses others."""
    if dataset.name == "simulated":
        selected_machines(dataset.machines, SIMULATED)
    if dataset.year:
        year = years()[dataset.year]
        others(dataset.year, dataset.pretrain)
        archives(year, year.used(dataset.split, dataset.train_on), dataset.machines)


def _references(params: Params) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """List every value that names a block elsewhere: its key, itself, what there is."""
    front_ends, systems = tuple(params.features), tuple(name for _, name, _ in params.recipes())
    encoders = (*(f"initial/{name}" for name in params.encoders), *(f"adapted/{name}" for name in params.adapt))
    for name, encoder in params.encoders.items():
        yield f"encoders.{name}.features", encoder.root.features, front_ends
    for name in params.adapt:
        yield "adapt", name, tuple(params.encoders)
    yield "embed.encoder", params.embed.encoder, encoders
    for name, features in params.pseudo_label.features().items():
        yield f"pseudo_label.{name}.features", features, front_ends
    labels = ("given", *(f"pseudo/{name}" for name in (*params.pseudo_label.labellers(), "auto")))
    for key, _, recipe in params.recipes():
        yield f"{key}.encoder", recipe.encoder, encoders
    for name, system in params.systems.items():
        yield f"systems.{name}.labels", system.labels, labels
    yield "selection.labels", params.selection.labels, labels
    for member in params.ensemble.members if isinstance(params.ensemble.members, list) else ():
        yield "ensemble.members", member, systems


def _mismatches(params: Params) -> Iterator[str]:
    """Find blocks that are right by themselves but do not fit each other."""
    users = {"embed": (params.embed.encoder, params.embed.features)}
    users |= {f"adapt.{name}": (f"initial/{name}", adapt.features) for name, adapt in params.adapt.items()}
    users |= {key: (recipe.encoder, recipe.features) for key, _, recipe in params.recipes()}
    for key, (encoder, features) in users.items():
        wanted = params.encoder(encoder).features
        if features != wanted:
            yield f"{key}.features is {features!r}: the encoder {encoder} takes {wanted!r}"
    if params.encoder(params.embed.encoder).reconstructs:
        yield f"embed.encoder is {params.embed.encoder!r}: it reconstructs and has no embeddings, choose another"
    if params.features[params.pseudo_label.features()["frequency"]].kind != "characteristic_frequencies":
        yield "pseudo_label.frequency.features: it takes a front end of the kind characteristic_frequencies"
    if params.features[params.pseudo_label.features()["spectrum"]].kind not in ("log_mel", "kaldi_fbank"):
        yield "pseudo_label.spectrum.features: it takes a front end of the kind log_mel or kaldi_fbank"
    for name, block in params.encoders.items():
        yield from _encoder_mismatches(params, name, block.root)
    for name, adapts in params.adapt.items():
        yield from _adapt_mismatches(name, adapts, params.encoders[name].root)
    for key, _, recipe in params.recipes():
        yield from _recipe_mismatches(params, key, recipe)
    for name, system in params.systems.items():
        yield from _system_mismatches(params, f"systems.{name}", system)
    names = [name for _, name, _ in params.recipes()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"systems.{twice[0]} is in training_free, too: give one of them another name"
    if not names:
        yield "systems: neither here nor in training_free is a system"
    yield from _ensemble_mismatches(params)


def _ensemble_mismatches(params: Params) -> Iterator[str]:
    """Find members that have no evidence although the weights depend on it."""
    weights, members = params.ensemble.weights, params.ensemble.members
    for _, name, recipe in params.recipes() if weights in ("auto", "forward") and members != "auto" else ():
        if recipe.score.root.input == "values" and (members == "all" or name in members):
            why = f"{name}, which scores values, has no Diverse Pseudo-AUC"
            yield f"ensemble.weights is {weights!r}: {why}: set equal, or leave it out of ensemble.members"


def _adapt_mismatches(name: str, params: AdaptBlock, encoder: EncoderBlock) -> Iterator[str]:
    if not encoder.adaptable:
        yield f"adapt.{name}: {encoder.architecture} is not adapted, only {', '.join(adaptable())}: leave it out"
        return
    if (dims := getattr(encoder, "dims", ADAPTED)) % ADAPTED:
        yield f"encoders.{name}.dims is {dims}: to be adapted it must be a multiple of {ADAPTED}"
    if 0 < params.crop < (least := encoder.network.least):
        yield f"adapt.{name}.crop is {params.crop}: a token takes {least} rows, give as many or 0"


def _encoder_mismatches(params: Params, name: str, encoder: EncoderBlock) -> Iterator[str]:
    front_end = params.features[encoder.features]
    key = f"encoders.{name}.features is {encoder.features!r}"
    if mismatch := encoder.mismatch(front_end):
        yield f"{key}: {encoder.architecture} {mismatch}"
    if not front_end.encodable:
        yield f"{key}: {front_end.kind} has no time axis to encode"
    elif front_end.clips == "train":
        yield f"{key}: made of normal training clips alone, systems embed test clips"


def _recipe_mismatches(params: Params, key: str, recipe: TrainingFree) -> Iterator[str]:
    scores = recipe.score.root
    if not isinstance(recipe, System) and params.encoder(recipe.encoder).reconstructs:
        yield f"{key}.encoder is {recipe.encoder!r}: it reconstructs, which it must be trained for, among systems"
    reconstructs = isinstance(recipe, System) and isinstance(recipe.train.root, Reconstruction)
    if reconstructs != (scores.input == "values"):
        yield f"{key}.score.scorer is {scores.scorer!r}: value and reconstruction go together"


def _system_mismatches(params: Params, key: str, system: System) -> Iterator[str]:
    encoder, trains = params.encoder(system.encoder), system.train.root
    if encoder.reconstructs != isinstance(trains, Reconstruction):
        yield f"{key}.train.objective is {trains.objective!r}: reconstruction and the encoder dense go together"
    if isinstance(trains, Classification) and not encoder.has_weights:
        yield f"{key}.encoder is {system.encoder!r}: it has no weights to train, its place is in training_free"
    if isinstance(trains, Classification) and (module := trains.adaptation_module):
        if not encoder.transformer:
            yield f"{key}.train.adaptation_module: {encoder.architecture} is no transformer, leave it out"
        elif isinstance(encoder, TokenBlock) and module.layers > encoder.n_layers:
            has = f"{system.encoder} has {encoder.n_layers}"
            yield f"{key}.train.adaptation_module.layers is {module.layers}: {has}"
    if isinstance(trains, Classification) and not encoder.adaptable:
        for part, off in (("fine_tune", "full"), ("groups", 0)):
            if (value := getattr(trains, part)) != off:
                known = ", ".join(adaptable())
                yield f"{key}.train.{part} is {value!r}: {encoder.architecture} is none of {known}: set it to {off}"
    if isinstance(trains, Classification) and not params.features[system.features].spectrogram:
        for change in OF_SPECTROGRAMS:
            if share := getattr(trains, change):
                yield f"{key}.train.{change} is {share:g}: {system.features} is no spectrogram, set it to 0"
