"""Write params.md, the reference of params.yaml, from the types that check it: ``python docs/params.py``.

Every class that types a block gives the keys that it declares, so a key that many variants share stands once, and again
where a variant has another default. What a key means is said by its field, else by the docstring of what the block
makes, else by the comment in params.yaml.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from inspect import get_annotations, getdoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from asd.classifiers.params import OBJECTIVES
from asd.encoders.encoder_params import ENCODERS, AdaptBlock
from asd.features.front_end import FRONT_ENDS
from asd.params import Params, System
from asd.pseudo_labels.params import LABELLERS
from asd.scoring.registry import SCORERS

FILE = Path(__file__).parents[1] / "params.yaml"
INTRODUCTION = """\
# Settings

All keys of `params.yaml`. This page is made from the types that check the file (`python docs/params.py`); a test keeps
it true. *Default* counts where a key is left out; a key without one must be given. *Shipped* is what the committed file
says, several values where its blocks differ. The stage `check` refuses wrong values before anything runs.
"""
SECTIONS = {  # what introduces them
    "dataset": "More: [data.md](data.md).",
    "index": "More: [data.md](data.md).",
    "features": "One block a front end, [features.md](features.md). `kind` says which further keys it has.",
    "encoders": "One block an encoder, [encoders.md](encoders.md). `architecture` says which further keys it has.",
    "adapt": "One block an encoder that is adapted, by its name: [adaptation.md](adaptation.md).",
    "embed": "Embeddings of which [pseudo-labels](pseudo_labels.md) are made.",
    "pseudo_label": "Besides these keys one block a labeller: [pseudo_labels.md](pseudo_labels.md).",
    "train": "Of all systems.",
    "systems": "One block a [system](systems.md); `training_free` has the same without `labels` and `train`.",
    "systems.NAME.train": "`objective` says which further keys it has: [classifiers.md](classifiers.md).",
    "systems.NAME.score": "`scorer` says which further keys it has; [scorers.md](scorers.md) has the formulas.",
    "decision": "More: [scorers.md](scorers.md#thresholds).",
    "selection": "More: [selection.md](selection.md).",
    "ensemble": "More: [selection.md](selection.md).",
    "evaluate": "More: [metrics.md](metrics.md).",
    "compute": "More: [scaling.md](scaling.md).",
}
CHOSEN: dict[str, tuple[str, Mapping[str, type]]] = {  # the key that chooses among variants
    "features": ("kind", FRONT_ENDS),
    "encoders": ("architecture", ENCODERS),
    "systems.NAME.train": ("objective", OBJECTIVES),
    "systems.NAME.score": ("scorer", SCORERS),
}
UNSAID = {  # by class and key: what neither field nor docstring says, and the comment of one block does not either
    "SimulatedParams.seed": "of the simulated recordings",
    "EncoderBlock.features": "the block of `features` that it takes",
    "TrainingFree.features": "the block of `features` that its encoder takes",
    "Frequency.features": "a block of `features` of the kind `characteristic_frequencies`",
    "Spectrum.features": "a block of `features` that is a spectrogram in dB or nat",
    "AdaptParams.steps": "of the optimiser",
    "AdaptParams.ema_decay_end": "`ema_decay` after the last step",
    "AdaptParams.frame_weight": "of the loss of single patches",
    "AdaptParams.utterance_weight": "of the loss of the mean over patches",
    "AdaptParams.decoder_layers": "convolutions between student and loss",
    "PseudoLabelParams.min_groups": "of a machine's clips",
    "PseudoLabelParams.max_groups": "of a machine's clips",
    "SeedsParams.seeds": "training seeds: every system is trained with each",
    "TrainedObjective.batch": "clips of a step; of `reconstruction` vectors of five frames",
    "TrainedObjective.learning_rate": "the highest",
    "PoolingParams.kind": "from tokens to one embedding",
    "FineTuneParams.fine_tune": "all weights, or LoRA beside frozen ones",
    "Augmented.mixup": "fraction of clips that are blended with others",
    "Augmented.statex": "fraction of clips that take the bands' means and deviations of others",
    "Augmented.featex": "fraction of clips that take half of the embedding of others",
    "Augmented.spec_augment": "fraction of clips in which stretches of time and frequency are hidden",
    "DualContrastive.temperature": "of the cosines that are compared",
    "GMM.n_components": "Gaussians at most",
    "SmoteKNN.n_neighbors": "as of `knn`",
    "SmoteKNN.per_domain": "as of `knn`",
}
HEADER = "| key | values | default | shipped | |\n| --- | --- | --- | --- | --- |\n"
KINDS = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`", NoneType: "nothing"}
BOUNDS = {"ge": "≥ ", "gt": "> ", "le": "≤ ", "lt": "< ", "multiple_of": "a multiple of "}
MAKERS = ("estimator", "loss", "function", "network")  # attributes of a class of blocks: what they make
Blocks = list[dict[str, Any]]
Said = Mapping[str, str]  # comments of a section of params.yaml by key


def page() -> str:
    """Make the whole page."""
    text = FILE.read_text(encoding="utf-8")
    shipped, said = yaml.safe_load(text), comments(text)
    systems = [*shipped["training_free"].values(), *shipped["systems"].values()]
    parts = [INTRODUCTION, table(rows(Params, ["seed"], [shipped], said["seed"]))]
    for name, field in Params.model_fields.items():
        if name in SECTIONS:
            parts.append(f"## {name}\n\n{SECTIONS[name]}\n")
        if name in CHOSEN:
            parts += chosen(name, list(shipped[name].values()), said[name])
        elif name == "adapt":
            parts.append(table(rows(AdaptBlock, AdaptBlock.model_fields, list(shipped[name].values()), said[name])))
        elif name == "systems":
            own = [key for key in System.model_fields if f"systems.NAME.{key}" not in CHOSEN]
            parts.append(table(rows(System, own, systems, said[name])))
            for key in ("train", "score"):
                parts.append(f"### systems.NAME.{key}\n\n{SECTIONS[f'systems.NAME.{key}']}\n")
                parts += chosen(f"systems.NAME.{key}", [block[key] for block in systems if key in block], said[name])
        elif name in SECTIONS and (section := section_of(field.annotation)):
            parts.append(table(rows(section, section.model_fields, [shipped[name]], said[name])))
        if name == "pseudo_label":
            for labeller, kind in sorted(LABELLERS.items()):
                block = shipped[name].get(labeller, {})
                parts += [f"`{labeller}`:\n", table(rows(kind, kind.model_fields, [block], said[name]))]
    return "\n".join(parts)


def chosen(part: str, blocks: Blocks, said: Said) -> Iterator[str]:
    """Make the tables of a block with variants: one for all classes from which the same variants derive."""
    key, registry = CHOSEN[part]
    deriving: dict[type, list[str]] = {}
    for name, variant in sorted(registry.items()):
        for kind in reversed(variant.__mro__):
            deriving.setdefault(kind, []).append(name)
    tables: dict[tuple[str, ...], list[str]] = {}
    for kind, names in deriving.items():
        own = [block for block in blocks if block[key] in names]
        declared = [
            field for field in get_annotations(kind) if field in getattr(kind, "model_fields", ()) and field != key
        ]
        tables.setdefault(tuple(names), []).extend(rows(kind, declared, own, said))
    for names, found in sorted(tables.items(), key=lambda item: -len(item[0])):
        if found:
            yield f"{'All' if len(names) == len(registry) else ', '.join(f'`{name}`' for name in names)}:\n"
            yield table(found)


def table(found: Iterable[str]) -> str:
    """Put rows under a header."""
    return HEADER + "".join(found)


def rows(kind: type[BaseModel], keys: Iterable[str], blocks: Blocks, said: Said, prefix: str = "") -> Iterator[str]:
    """Make the rows of some keys of a class, and of the sections in them."""
    for key in keys:
        field, values = kind.model_fields[key], [block[key] for block in blocks if key in block]
        section = section_of(field.annotation)
        if section is None or NoneType in get_args(field.annotation):
            default = "" if field.is_required() else shown(field.default)
            given = ", ".join(dict.fromkeys(shown(value) for value in values if not isinstance(value, dict)))
            cells = (f"`{prefix}{key}`", allowed(field.annotation, field.metadata), default, given)
            says = meaning(kind, key, said)
            yield f"| {' | '.join(cells)} | {'' if words(says) == words(cells[1]) else says} |\n"
        if section is not None:
            yield from rows(section, section.model_fields, values, said, f"{prefix}{key}.")


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Find the class of a block within a type, if it is one."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def allowed(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Say which values a type allows."""
    arguments = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            return allowed(arguments[0], [*arguments[1:], *metadata])
        case origin if origin is Literal:
            return ", ".join(shown(value) for value in arguments)
        case origin if origin in (Union, UnionType):
            return " or ".join(allowed(kind) for kind in arguments)
        case origin if origin in (list, tuple):
            return f"list of: {allowed(arguments[0])}"
        case origin if origin is dict:
            return "block"
    if section_of(annotation):
        return "block"
    flat = [one for part in metadata for one in (part.metadata if isinstance(part, FieldInfo) else [part])]
    bounds = [f"{sign}{getattr(one, name):g}" for one in flat for name, sign in BOUNDS.items() if hasattr(one, name)]
    return ", ".join([KINDS[annotation], *bounds])


def meaning(kind: type[BaseModel], key: str, said: Said) -> str:
    """Say what a key means: by its field or that of a class from which this derives, a docstring, a comment."""
    made = next((getattr(kind, maker) for maker in MAKERS if hasattr(kind, maker)), None)
    makers = getattr(made, "__mro__", (made,))
    fields = [base.model_fields[key] for base in kind.__mro__ if key in getattr(base, "model_fields", ())]
    texts = [field.description for field in fields if field.description]
    texts += [UNSAID.get(f"{base.__name__}.{key}", "") for base in (*kind.__mro__, *makers) if base]
    texts += [parameters(base).get(key, "") for base in makers]
    texts += [said.get(key, "")]
    return next((plain(text) for text in texts if text and not text.startswith("See ")), "")


def parameters(made: Any) -> dict[str, str]:
    """Read the section Parameters of a numpydoc docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", getdoc(made) or "", re.DOTALL | re.MULTILINE)
    found = re.findall(r"^(\w[\w, ]*?)(?: : .*)?\n((?: {4}.*\n?)+)", section[1] if section else "", re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in found for name in names.split(", ")}


def plain(text: str) -> str:
    """Make markdown of a docstring's text."""
    text = re.sub(r"(?::\w+:)?`+([^`]+)`+", r"`\1`", text.removesuffix("."))
    return re.sub(r"<(\w+)>", lambda name: name[1].upper(), text).replace("|", "\\|")


def words(text: str) -> set[str]:
    """Take the words of a text, to see whether two say the same."""
    return set(re.findall(r"\w+", text)) - {"or"}


def shown(value: Any) -> str:
    """Write a value as params.yaml does."""
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "`[]`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{str(value).lower() if isinstance(value, bool) else 'null' if value is None else value or repr(value)}`"


def comments(text: str) -> dict[str, dict[str, str]]:
    """Find the comments of params.yaml: by section and key, the first of each, with the lines under it."""
    found: dict[str, dict[str, str]] = {}
    own: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if written := re.fullmatch(r"( *)([\w-]+):.*?(?:  # (.*))?", line):
            indent, key, comment = written.groups()
            own = own if indent else found.setdefault(key, {})
            key = key if comment and key not in own else ""
            own |= {key: comment} if key else {}
        elif key and line.strip().startswith("# "):
            own[key] += " " + line.strip().removeprefix("# ")
    return found


if __name__ == "__main__":
    FILE.with_name("docs").joinpath("params.md").write_text(page(), encoding="utf-8", newline="\n")
