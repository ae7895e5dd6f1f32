"""The whole of params.yaml: the sections of all packages, and checks across them."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from asd.classifiers.objectives.classification import Classification
from asd.classifiers.objectives.reconstruction import Reconstruction
from asd.classifiers.params import SeedsParams, TrainParams
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.section import PARAMS, Section, checked
from asd.datasets.dataset_params import DatasetParams, IndexParams
from asd.encoders.encoder_params import EmbedParams, EncoderBlock, EncoderParams, adaptable
from asd.evaluation.evaluate_params import EvaluateParams
from asd.features.front_end import AnyFrontEnd
from asd.pseudo_labels.params import PseudoLabelParams
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.selection.params import SelectionParams

OF_SPECTROGRAMS = ("statex", "spec_augment")


class System(Section):
    """One block of ``systems:``, a recipe: encoder, front end, labels, training, scoring, and the paper it follows."""

    paper: str = Field("", description="whom the system follows, any text: shown in result tables, changes no result")
    encoder: str
    features: str
    labels: str
    train: TrainParams
    score: ScoreParams


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0)
    dataset: DatasetParams
    index: IndexParams
    features: dict[str, AnyFrontEnd] = Field(min_length=1)
    encoders: dict[str, EncoderParams] = Field(min_length=1)
    embed: EmbedParams
    pseudo_label: PseudoLabelParams
    train: SeedsParams
    systems: dict[str, System] = Field(min_length=1)
    selection: SelectionParams
    ensemble: EnsembleParams
    evaluate: EvaluateParams
    compute: ComputeParams


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
    for problem in _mismatches(params):
        raise UserError(f"{PARAMS}: {problem}")
    return params


def _references(params: Params) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """List every value that names a block elsewhere: its key, itself, what there is."""
    front_ends, encoders, systems = tuple(params.features), tuple(params.encoders), tuple(params.systems)
    for name, encoder in params.encoders.items():
        yield f"encoders.{name}.features", encoder.root.features, front_ends
    yield "embed.encoder", params.embed.encoder, encoders
    for name, features in params.pseudo_label.features().items():
        yield f"pseudo_label.{name}.features", features, front_ends
    labels = ("given", *(f"pseudo/{name}" for name in (*params.pseudo_label.labellers(), "auto")))
    for name, system in params.systems.items():
        yield f"systems.{name}.encoder", system.encoder, encoders
        yield f"systems.{name}.labels", system.labels, labels
    yield "selection.labels", params.selection.labels, labels
    for member in params.ensemble.members if isinstance(params.ensemble.members, list) else ():
        yield "ensemble.members", member, systems


def _mismatches(params: Params) -> Iterator[str]:
    """Find blocks that are right by themselves but do not fit each other."""
    users = {"embed": (params.embed.encoder, params.embed.features)}
    users |= {f"systems.{name}": (system.encoder, system.features) for name, system in params.systems.items()}
    for key, (encoder, features) in users.items():
        wanted = params.encoders[encoder].root.features
        if features != wanted:
            yield f"{key}.features is {features!r}: the encoder {encoder} takes {wanted!r}"
    if params.features[params.pseudo_label.features()["frequency"]].kind != "characteristic_frequencies":
        yield "pseudo_label.frequency.features: it takes a front end of the kind characteristic_frequencies"
    if params.features[params.pseudo_label.features()["spectrum"]].kind not in ("log_mel", "kaldi_fbank"):
        yield "pseudo_label.spectrum.features: it takes a front end of the kind log_mel or kaldi_fbank"
    for name, block in params.encoders.items():
        yield from _encoder_mismatches(params, name, block.root)
    for name, system in params.systems.items():
        yield from _system_mismatches(params, name, system)


def _encoder_mismatches(params: Params, name: str, encoder: EncoderBlock) -> Iterator[str]:
    front_end = params.features[encoder.features]
    key = f"encoders.{name}.features is {encoder.features!r}"
    if mismatch := encoder.mismatch(front_end):
        yield f"{key}: {encoder.architecture} {mismatch}"
    if not front_end.encodable:
        yield f"{key}: {front_end.kind} has no time axis to encode"
    elif front_end.clips == "train":
        yield f"{key}: made of normal training clips alone, systems embed test clips"


def _system_mismatches(params: Params, name: str, system: System) -> Iterator[str]:
    encoder = params.encoders[system.encoder].root
    trains, scores = system.train.root, system.score.root
    key = f"systems.{name}"
    if encoder.reconstructs != isinstance(trains, Reconstruction):
        yield f"{key}.train.objective is {trains.objective!r}: reconstruction and the encoder dense go together"
    if isinstance(trains, Reconstruction) != (scores.input == "values"):
        yield f"{key}.score.scorer is {scores.scorer!r}: value and reconstruction go together"
    if isinstance(trains, Classification) and not encoder.has_weights:
        yield f"{key}.encoder is {system.encoder!r}: it has no weights to train, its objective is none"
    if isinstance(trains, Classification) and trains.adaptation_module and not encoder.transformer:
        yield f"{key}.train.adaptation_module: {encoder.architecture} is no transformer, leave it out"
    if isinstance(trains, Classification) and not encoder.adaptable:
        for part, off in (("fine_tune", "full"), ("groups", 0)):
            if (value := getattr(trains, part)) != off:
                known = ", ".join(adaptable())
                yield f"{key}.train.{part} is {value!r}: {encoder.architecture} is none of {known}: set it to {off}"
    if isinstance(trains, Classification) and not params.features[system.features].spectrogram:
        for change in OF_SPECTROGRAMS:
            if share := getattr(trains, change):
                yield f"{key}.train.{change} is {share:g}: {system.features} is no spectrogram, set it to 0"
