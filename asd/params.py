"""The whole of params.yaml: the rooms' sections put together, and what one section must know of another."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from asd.base.compute import ComputeParams
from asd.base.errors import UserError
from asd.base.section import PARAMS, Section, checked
from asd.classifiers.params import Classification, Reconstruction, SeedsParams, TrainParams
from asd.datasets.params import CalibrationParams, DatasetParams, IndexParams
from asd.encoders.params import ADAPTED, TRANSFORMERS, EmbedParams, EncoderParams, MelBands
from asd.encoders.published import PUBLISHED
from asd.evaluation.params import EvaluateParams
from asd.features.mel_params import KaldiFbankParams, LogMelParams
from asd.features.params import EnvelopeSpectrumParams, FrequenciesParams, FrontEndParams
from asd.pseudo_labels.params import PseudoLabelParams
from asd.scoring.params import EnsembleParams, ScoreParams, ValueParams
from asd.selection.params import SelectionParams

WEIGHTLESS = ("texture", "pooled_mel", "mel_bands")
ONE_DIMENSIONAL = ("waveform", "magnitude_spectrum")  # kinds of front ends
OF_SPECTROGRAMS = ("statex", "spec_augment")
LABELS = ("given", "hierarchical", "frequency", "spectrum", "gmm", "hdbscan", "auto")


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
    features: dict[str, FrontEndParams] = Field(min_length=1)
    encoders: dict[str, EncoderParams] = Field(min_length=1)
    embed: EmbedParams
    pseudo_label: PseudoLabelParams
    train: SeedsParams
    score: CalibrationParams
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
    yield "pseudo_label.frequency.features", params.pseudo_label.frequency.features, front_ends
    yield "pseudo_label.spectrum.features", params.pseudo_label.spectrum.features, front_ends
    for name, system in params.systems.items():
        yield f"systems.{name}.encoder", system.encoder, encoders
        yield f"systems.{name}.labels", system.labels, LABELS
    yield "selection.labels", params.selection.labels, LABELS
    for member in params.ensemble.members if isinstance(params.ensemble.members, list) else ():
        yield "ensemble.members", member, systems


def _mismatches(params: Params) -> Iterator[str]:
    """Find blocks that are right by themselves but do not fit each other."""
    users = {"embed": (params.embed.encoder, params.embed.features)}
    users |= {f"systems.{name}": (system.encoder, system.features) for name, system in params.systems.items()}
    for key, (encoder, features) in users.items():
        wanted = params.encoders[encoder].root.features
        if features != wanted:
            yield f"{key}.features is {features!r}: the encoder {encoder} hears through {wanted!r}"
    if not isinstance(params.features[params.pseudo_label.frequency.features], FrequenciesParams):
        yield "pseudo_label.frequency.features: it takes a front end of the kind characteristic_frequencies"
    if not isinstance(params.features[params.pseudo_label.spectrum.features], LogMelParams | KaldiFbankParams):
        yield "pseudo_label.spectrum.features: it takes a front end of the kind log_mel or kaldi_fbank"
    for name, block in params.encoders.items():
        yield from _encoder_mismatches(params, name, block.root.architecture, block.root.features)
    for name, system in params.systems.items():
        yield from _system_mismatches(params, name, system)


def _encoder_mismatches(params: Params, name: str, architecture: str, features: str) -> Iterator[str]:
    front_end = params.features[features]
    key = f"encoders.{name}.features is {features!r}"
    ours = architecture in ("tiny", "small")
    if ours and not (isinstance(front_end, KaldiFbankParams | LogMelParams) and front_end.n_mels % 16 == 0):
        yield f"{key}: {architecture} takes a log_mel or kaldi_fbank whose n_mels is a multiple of 16"
    published = PUBLISHED.get(architecture)
    if published and (front_end.kind, front_end.bands) != (published.front_end, published.bands):
        yield f"{key}: {architecture} takes a {published.front_end} of {published.bands} bands"
    encoder = params.encoders[name].root
    if isinstance(encoder, MelBands) and front_end.bands % encoder.tokens:
        yield f"encoders.{name}.tokens is {encoder.tokens}: a divisor of the {front_end.bands} bands of {features}"
    heard = (front_end.kind, front_end.sample_rate)
    if architecture == "dual_branch" and heard != ("waveform", 16000):
        yield f"{key}: dual_branch takes a waveform of 16000 Hz"
    if isinstance(front_end, EnvelopeSpectrumParams | FrequenciesParams):
        yield f"encoders.{name}.features is {features!r}: {front_end.kind} has no time axis to encode"
    elif front_end.clips == "train":
        yield f"encoders.{name}.features is {features!r}: made of normal training clips alone, systems hear test clips"


def _system_mismatches(params: Params, name: str, system: System) -> Iterator[str]:
    architecture: str = params.encoders[system.encoder].root.architecture
    trains, scores = system.train.root, system.score.root
    key = f"systems.{name}"
    if (architecture == "dense") != isinstance(trains, Reconstruction):
        yield f"{key}.train.objective is {trains.objective!r}: reconstruction and the encoder dense go together"
    if isinstance(trains, Reconstruction) != isinstance(scores, ValueParams):
        yield f"{key}.score.scorer is {scores.scorer!r}: value and reconstruction go together"
    if isinstance(trains, Classification) and architecture in WEIGHTLESS:
        yield f"{key}.encoder is {system.encoder!r}: it has no weights to train, its objective is none"
    if isinstance(trains, Classification) and trains.adaptation_module and not architecture.startswith(TRANSFORMERS):
        yield f"{key}.train.adaptation_module: {architecture} is no transformer, leave it out"
    if isinstance(trains, Classification) and not architecture.startswith(ADAPTED):
        for part, off in (("fine_tune", "full"), ("groups", 0)):
            if (value := getattr(trains, part)) != off:
                fitting = ", ".join(ADAPTED)
                yield f"{key}.train.{part} is {value!r}: {architecture} is none of {fitting}: set it to {off}"
    if isinstance(trains, Classification) and params.features[system.features].kind in ONE_DIMENSIONAL:
        for change in OF_SPECTROGRAMS:
            if share := getattr(trains, change):
                yield f"{key}.train.{change} is {share:g}: {system.features} is no spectrogram, set it to 0"
