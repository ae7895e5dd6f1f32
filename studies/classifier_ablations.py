"""Ablations of a system: one part changed at a time, everything else as shipped. docs/classifiers.md.

    python -m studies.classifier_ablations [--system attribute_cnn] [--seeds 1000] [--size default]
                                           [--training-seeds 0 1 2] [--variants NAME ...]

Every variant is what ``dvc exp run -S KEY=VALUE`` makes of the shipped params.yaml; the keys are printed above the
table. ``oracle labels`` alone can't be had by a key, for nothing that trains may read the truth. Figures are means over
machines, factories and training seeds; differences are to the system as shipped, on the same test clips, with 95 %
intervals over clips and training seeds together. "Not resolved" is a result.
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from asd.core.clips import read_clips, training
from asd.core.project import CLIPS, LABELS, TRAIN_CLIPS
from asd.core.section import checked
from asd.evaluation.sections import LabelledSection
from asd.scoring.embeddings import read_embeddings
from asd.scoring.registry import ScoreParams
from asd.scoring.table import score_table
from stages import features
from studies import comparison
from studies.shared import (
    embed_clips,
    kept_project,
    label,
    make_encoders,
    silent,
    study_parser,
    system_options,
    tables,
    write_params,
)

Changes = dict[str, Any]
SHIPPED, ORACLE = "as shipped", "oracle labels"
LABELLERS = {
    "no pseudo-labels": "given",
    "labels by frequency": "pseudo/frequency",
    "labels by clustering": "pseudo/hierarchical",
    "labels by clustering spectra": "pseudo/spectrum",
    "labels by choice": "pseudo/auto",
    ORACLE: "oracle",
}


def trained(system: str, **values: Any) -> Changes:
    """Change keys of a system's training."""
    return {f"systems.{system}.train.{key}": value for key, value in values.items()}


def not_adapted(system: str) -> dict[str, Changes]:
    """Take the encoder, and the labellers', before its adaptation."""
    return {"no adaptation": {f"systems.{system}.encoder": "initial/tiny", "embed.encoder": "initial/tiny"}}


def back_end(system: str, name: str, scorer: str) -> dict[str, Changes]:
    """Take another scorer, which has the shipped one's options."""
    return {name: {f"systems.{system}.score.scorer": scorer}}


def labelled(system: str, *names: str) -> dict[str, Changes]:
    """Take other labels."""
    return {name: {f"systems.{system}.labels": LABELLERS[name]} for name in names}


def _attribute_cnn(own: str) -> dict[str, Changes]:
    return {
        "no mixup": trained(own, mixup=0.0),
        "no StatEx, no FeatEx": trained(own, statex=0.0, featex=0.0),
        "no StatEx": trained(own, statex=0.0),
        "no FeatEx": trained(own, featex=0.0),
        **labelled(own, "no pseudo-labels", "labels by frequency", "labels by clustering", ORACLE),
        "no noise class": trained(own, noise_class="none"),
        "no supplemental clips": trained(own, noise_class="none", clean_class="none"),
        "noise mixed in": trained(own, noise_mix=0.5),
        "domains are one class": trained(own, domain_class=False),
        "whole clips": trained(own, crop=0),
        "softmax": trained(own, objective="softmax"),
        "ArcFace": trained(own, objective="arcface"),
        "sub-cluster AdaCos": trained(own, objective="sub_cluster_adacos"),
        "no high-pass": {"features.log_mel_high_pass.high_pass": 0},
        "level kept": {"features.log_mel_high_pass.level": "keep"},
        **back_end(own, "local density", "local_density"),
    }


def _noise_aware_cnn(own: str) -> dict[str, Changes]:
    branches = "encoders.dual_branch.branches"
    return {
        "whole clips": trained(own, crop=0),
        "spectrogram alone": {branches: "stft"} | trained(own, featex=0.0),
        "spectrum alone": {branches: "spectrum"} | trained(own, featex=0.0),
        "logarithms of magnitudes": {"encoders.dual_branch.magnitudes": "log"},
        "no exchange of branches": trained(own, featex=0.0),
        "no mixup": trained(own, mixup=0.0),
        "no noise classes": trained(own, noise_class="none", clean_class="none"),
        "domains are one class": trained(own, domain_class=False),
        "softmax": trained(own, objective="softmax"),
        "sub-cluster AdaCos": trained(own, objective="sub_cluster_adacos"),
        "level kept": {"features.waveform.level": "keep"},
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _noise_aware_ssl(own: str) -> dict[str, Changes]:
    return {
        **not_adapted(own),
        "no freezing": trained(own, freeze_steps=0),
        "no noise classes": trained(own, noise_class="none", clean_class="none"),
        "no SpecAugment": trained(own, spec_augment=0.0),
        "last layer alone": {f"systems.{own}.train.adaptation_module.layers": 1},
        "domains are one class": trained(own, domain_class=False),
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _domain_adapted(own: str) -> dict[str, Changes]:
    return {
        **not_adapted(own),
        "no fine-tuning": trained(own, steps=0),
        **labelled(own, "no pseudo-labels", "labels by frequency", "labels by clustering spectra"),
        **labelled(own, "labels by choice", ORACLE),
        "LoRA": trained(own, fine_tune="lora"),
        **back_end(own, "local density", "local_density"),
    }


def _group_lora(own: str) -> dict[str, Changes]:
    return {
        **not_adapted(own),
        "full fine-tuning": trained(own, fine_tune="full"),
        "plain LoRA": trained(own, mixing="plain"),
        "fixed mixing": trained(own, mixing="fixed"),
        "gated mixing": trained(own, mixing="gated"),
        "no group adapter": trained(own, groups=0),
        "no VQ": trained(own, n_codes=0),
        "one-level contrastive": trained(own, n_levels=1),
        **labelled(own, "labels by choice", ORACLE),
        **back_end(own, "local density", "local_density"),
    }


def _autoencoder(own: str) -> dict[str, Changes]:
    baseline = {"epochs": 100, "batch": 256, "learning_rate": 0.001, "anneal": False, "fresh_statistics": False}
    return {
        "the baseline's training": trained(own, **baseline),
        "batches of 256": trained(own, epochs=18, batch=256),
        "running statistics": trained(own, fresh_statistics=False),
    }


VARIANTS: dict[str, dict[str, Changes]] = {
    system: {SHIPPED: {}} | changes(system)
    for system, changes in {
        "attribute_cnn": _attribute_cnn,
        "noise_aware_cnn": _noise_aware_cnn,
        "noise_aware_ssl": _noise_aware_ssl,
        "domain_adapted": _domain_adapted,
        "group_lora": _group_lora,
        "autoencoder": _autoencoder,
    }.items()
}


def changed(params: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Change keys of params that are there, as ``dvc exp run -S`` does."""
    params = yaml.safe_load(yaml.safe_dump(params))
    for key, value in changes.items():
        *path, last = key.split(".")
        block = params
        for part in path:
            block = block[part]
        if last not in block:
            raise KeyError(key)
        block[last] = value
    return params


def command(changes: Changes) -> str:
    """Write the command that makes a variant."""
    values = {key: "null" if value is None else str(value).lower() for key, value in changes.items()}
    return "dvc exp run " + " ".join(f"-S {key}={value}" for key, value in values.items())


def oracle() -> None:
    """Write the true attributes of all training clips as labels; for this study alone."""
    normal = training(read_clips(TRAIN_CLIPS))[["clip_id", "machine"]]
    truth = pd.read_csv("data/ground_truth.csv", keep_default_na=False)[["clip_id", "attributes"]]
    labels = normal.merge(truth, on="clip_id").rename(columns={"attributes": "label"})
    labels.assign(confidence=1.0).to_csv(LABELS / "oracle.csv", index=False)


def scored(params: dict[str, Any], system: str, changes: Changes) -> pd.DataFrame:
    """Train and score a system of the project with changed params; without changes it is scored as it was made."""
    if not changes:
        return _score(params, system)
    variant = changed(params, changes)
    with _aside(Path("data/models") / system), _aside(Path("data/embeddings") / system):
        try:
            _prepare(variant, system, changes)
            embed_clips(system)
            return _score(variant, system)
        finally:
            _prepare(params, system, changes)


@contextmanager
def _aside(folder: Path) -> Iterator[None]:
    """Put a folder aside and back again, also where an earlier process was killed before it could."""
    kept = folder.with_name(f"{folder.name}.kept")
    if not kept.exists():
        folder.rename(kept)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)


def _score(params: dict[str, Any], system: str) -> pd.DataFrame:
    (clips, trained), block = tables(), params["systems"][system]["score"]
    extracted = read_embeddings(Path("data/embeddings") / system, clips).by_seed
    table = score_table(clips, trained, extracted, checked(ScoreParams, block).root, params["seed"])
    return table[table["split"] == "test"][["clip_id", "machine", "section", "split", "seed", "score"]]


def _prepare(params: dict[str, Any], system: str, changes: Changes) -> None:
    """Write params.yaml and run again the stages before training that it changes: front end, encoder, labels."""
    write_params(params)
    block, sections = params["systems"][system], {key.split(".")[0] for key in changes}
    if "features" in sections:
        features.main(block["features"])
    make_encoders([block["encoder"]], anew=bool(sections & {"features", "encoders"}))
    embedded_anew = "embed" in sections or (
        sections & {"features", "encoders"} and block["encoder"] == params["embed"]["encoder"]
    )
    if block["labels"] == "oracle":
        oracle()
    elif block["labels"] != "given" and (embedded_anew or not (LABELS / f"{block['labels']}.csv").is_file()):
        label(params)


def variants(args: argparse.Namespace, seed: int) -> list[LabelledSection]:
    """Score the chosen variants on one factory, each kept in the project's folder."""
    with kept_project(args, seed) as params:
        parts = []
        for name in args.variants:
            kept = Path("ablations") / f"{name}.csv"
            if not kept.is_file():
                with silent():
                    made = scored(params, args.system, VARIANTS[args.system][name])
                kept.parent.mkdir(exist_ok=True)
                made.to_csv(kept, index=False)
            parts.append(pd.read_csv(kept, dtype={"section": str}).assign(system=name))
            print(f"factory {seed}: {name}", flush=True)
        return comparison.labelled(pd.concat(parts), read_clips(CLIPS), seed)


def main() -> None:
    """Print the commands and the table."""
    arguments = system_options(study_parser(__doc__))
    arguments.add_argument("--system", choices=VARIANTS, default="attribute_cnn")
    arguments.add_argument("--variants", nargs="+", help="all by default")
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    known = VARIANTS[args.system]
    if wrong := [name for name in args.variants or () if name not in known]:
        arguments.error(f"--variants: {wrong[0]!r} is none of {args.system}'s: {', '.join(known)}")
    args.systems, args.variants = [args.system], list(dict.fromkeys([SHIPPED, *(args.variants or known)]))
    sections = [section for seed in args.seeds for section in variants(args, seed)]
    for name in args.variants:
        print(f"{name}: {command(known[name]) if name != ORACLE else 'no key'}")
    comparison.show(comparison.rows(sections, lambda _: SHIPPED, args.resamples, same_models=False))


if __name__ == "__main__":
    main()
