"""What each part of a system is worth: one part changed at a time, everything else as shipped.

    python -m studies.classifier_ablations [--system attribute_cnn] [--seeds 1000] [--size default]
                                           [--training-seeds 0 1 2] [--variants NAME ...]

Every variant (:mod:`studies.variants`) is what ``dvc exp run -S KEY=VALUE`` makes of the shipped params.yaml; the keys
are printed above the table. ``oracle labels`` alone can't be had by a key, for nothing that trains may read the truth.
Figures are means over machines, factories and training seeds; differences are to the system as shipped, on the same
test clips, with 95 % intervals over clips and training seeds together. "Not resolved" is a result.
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from asd.base.section import checked
from asd.clips import LABELS, TRAIN_CLIPS, read_clips, training
from asd.evaluation.sections import LabelledSection
from asd.scoring.extracted import read_extracted
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table
from stages import adapt, extract, features, train
from studies import comparison
from studies.factory import silent
from studies.pipeline import label, parser, project, tables
from studies.variants import ORACLE, SHIPPED, VARIANTS, Changes, changed, command


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
    with _aside(Path("data/models") / system), _aside(Path("data/extracted") / system):
        try:
            _prepare(variant, system, changes)
            train.main(system)
            extract.main(system)
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
    extracted = read_extracted(Path("data/extracted") / system, clips)
    table = score_table(clips, trained, extracted, checked(ScoreParams, block).root, params["seed"])
    return table[table["split"] == "test"][["clip_id", "machine", "section", "split", "seed", "score"]]


def _prepare(params: dict[str, Any], system: str, changes: Changes) -> None:
    """Write params.yaml and do again what changes before a system is trained: hearing, encoder, labels."""
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    own, rooms = params["systems"][system], {key.split(".")[0] for key in changes}
    if "features" in rooms:
        features.main(own["features"])
    if rooms & {"features", "encoders"}:
        adapt.main(own["encoder"])
    embedded_anew = rooms & {"features", "encoders"} and own["encoder"] == params["embed"]["encoder"]
    if own["labels"] == "oracle":
        oracle()
    elif own["labels"] != "given" and (embedded_anew or not (LABELS / f"{own['labels']}.csv").is_file()):
        label(params)


def variants(args: argparse.Namespace, seed: int) -> list[LabelledSection]:
    """Score the chosen variants on one factory, each kept in the project's folder."""
    with project(args, seed) as params:
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
        return comparison.labelled(pd.concat(parts), read_clips(), seed)


def main() -> None:
    """Print the commands and the table."""
    arguments = parser(__doc__)
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
