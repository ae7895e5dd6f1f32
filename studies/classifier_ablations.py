"""What each part of ``attribute_cnn`` is worth: one part changed at a time, everything else as shipped.

    python -m studies.classifier_ablations [--seeds 1000] [--size default] [--training-seeds 0 1 2] [--variants ...]

Every variant is what ``dvc exp run -S KEY=VALUE`` makes of the shipped params.yaml; the keys are printed above the
table. ``oracle labels`` alone can't be had by a key, for nothing that trains may read the truth. Figures are means over
machines, factories and training seeds; differences are to the system as shipped, on the same test clips, with 95 %
intervals over clips and training seeds together. "Not resolved" is a result.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.evaluation.sections import LabelledSection
from asd.scoring.extracted import read_extracted, read_trained
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table
from asd.section import checked
from stages import adapt, extract, features, train
from studies import comparison
from studies.factory import silent
from studies.pipeline import parser, project

SYSTEM = "attribute_cnn"
TRAIN, SCORE, ENCODER = f"systems.{SYSTEM}.train", f"systems.{SYSTEM}.score", "se_resnet18"
SHIPPED, ORACLE = "as shipped", "oracle labels"
VARIANTS: dict[str, dict[str, Any]] = {
    SHIPPED: {},
    "no mixup": {f"{TRAIN}.mixup": 0.0},
    "no StatEx, no FeatEx": {f"{TRAIN}.statex": 0.0, f"{TRAIN}.featex": 0.0},
    "no StatEx": {f"{TRAIN}.statex": 0.0},
    "no FeatEx": {f"{TRAIN}.featex": 0.0},
    "no pseudo-labels": {f"systems.{SYSTEM}.labels": "given"},
    "labels by frequency": {f"systems.{SYSTEM}.labels": "frequency"},
    "labels by clustering": {f"systems.{SYSTEM}.labels": "hierarchical"},
    ORACLE: {f"systems.{SYSTEM}.labels": "oracle"},
    "no noise class": {f"{TRAIN}.noise_class": "none"},
    "no supplemental clips": {f"{TRAIN}.noise_class": "none", f"{TRAIN}.clean_class": "none"},
    "noise mixed in": {f"{TRAIN}.noise_mix": 0.5},
    "domains are classes": {f"{TRAIN}.domain_class": True},
    "whole clips": {f"{TRAIN}.crop": 0},
    "softmax": {f"{TRAIN}.objective": "softmax"},
    "ArcFace": {f"{TRAIN}.objective": "arcface"},
    "sub-cluster AdaCos": {f"{TRAIN}.objective": "sub_cluster_adacos"},
    "dynamic AdaCos": {f"{TRAIN}.objective": "adacos_dynamic"},
    "not whitened": {f"{SCORE}.whiten": False},
    "nearest neighbour": {
        f"{SCORE}.scorer": "knn",
        f"{SCORE}.metric": "cosine",
        f"{SCORE}.neighbours": 1,
        f"{SCORE}.whiten": False,
    },
    "no high-pass": {"features.log_mel_high_pass.high_pass": 0},
}


def changed(params: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
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


def command(changes: dict[str, Any]) -> str:
    """Write the command that makes a variant."""
    return "dvc exp run " + " ".join(f"-S {key}={str(value).lower()}" for key, value in changes.items())


def oracle() -> None:
    """Write the true attributes of all training clips as labels; for this study alone."""
    normal = training(read_clips(TRAIN_CLIPS))[["clip_id", "machine"]]
    truth = pd.read_csv("data/ground_truth.csv", keep_default_na=False)[["clip_id", "attributes"]]
    labels = normal.merge(truth, on="clip_id").rename(columns={"attributes": "label"})
    labels.assign(confidence=1.0).to_csv(LABELS / "oracle.csv", index=False)


def scored(params: dict[str, Any], changes: dict[str, Any]) -> pd.DataFrame:
    """Train and score the system of the project with changed params; what is done is not done again."""
    shipped, params = params, changed(params, changes)
    heard = any(key.startswith("features.") for key in changes)
    _write(params, heard)
    train.main(SYSTEM)
    extract.main(SYSTEM)
    clips, block = read_clips(), params["systems"][SYSTEM]["score"]
    extracted = read_extracted(Path("data/extracted") / SYSTEM, clips)
    table = score_table(clips, read_trained(), extracted, checked(ScoreParams, block).root, params["seed"])
    _write(shipped, heard)
    return table[table["split"] == "test"][["clip_id", "machine", "section", "split", "seed", "score"]]


def _write(params: dict[str, Any], heard: bool) -> None:
    """Write params.yaml and, where what is heard changes, compute it anew."""
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    if heard:
        features.main(params["systems"][SYSTEM]["features"])
        adapt.main(ENCODER)


def variants(args: argparse.Namespace, seed: int) -> list[LabelledSection]:
    """Score the chosen variants on one factory, each kept in the project's folder."""
    with project(args, seed) as params:
        oracle()
        parts = []
        for name in args.variants:
            kept = Path("ablations") / f"{name}.csv"
            if not kept.is_file():
                with silent():
                    made = scored(params, VARIANTS[name])
                kept.parent.mkdir(exist_ok=True)
                made.to_csv(kept, index=False)
            parts.append(pd.read_csv(kept, dtype={"section": str}).assign(system=name))
            print(f"factory {seed}: {name}", flush=True)
        return comparison.labelled(pd.concat(parts), read_clips(), seed)


def main() -> None:
    """Print the commands and the table."""
    arguments = parser(__doc__)
    arguments.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    args.systems, args.variants = [SYSTEM], [SHIPPED, *(name for name in args.variants if name != SHIPPED)]
    sections = [section for seed in args.seeds for section in variants(args, seed)]
    for name in args.variants:
        print(f"{name}: {command(VARIANTS[name]) if name != ORACLE else 'no key'}")
    comparison.show(comparison.rows(sections, lambda _: SHIPPED, args.resamples, same_models=False))


if __name__ == "__main__":
    main()
