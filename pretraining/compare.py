"""Objectives and kinds of sound compared at equal cost: ``python -m pretraining.compare [VARIANT ...] [--seeds 0 1]``.

Each variant is params.yaml with other objectives (of all kinds of sound) or kinds, trained for as long as the others:
one whose step costs more takes fewer. Variants of the same kinds, and all seeds, train on the same recordings; a seed
is of first weights, batches and crops. The weights are left in ``WORK/VARIANT-SEED/weights.safetensors``, for
``python -m pretraining.probe`` and, as encoders ``machine_small_VARIANT=FILE``, ``python -m studies.encoders``.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from asd.core.artifacts import write_with
from asd.core.section import checked, read_params
from pretraining.settings import PretrainingParams
from pretraining.train import HERE, train


class Variant(NamedTuple):
    """What a variant changes of params.yaml."""

    cost: float
    """Seconds of a step, re those of ``parameters``."""
    sounds: dict[str, Any]
    train: dict[str, Any]


def _objectives(cost: float, *names: str) -> Variant:
    return Variant(cost, {}, {"objectives": dict.fromkeys(names, 1.0)})


def _kinds(*names: str) -> Variant:
    return Variant(1, {"kinds": list(names)}, {})


VARIANTS = {
    "parameters": _objectives(1, "parameters"),
    "dry": _objectives(1, "dry"),
    "parameters_dry": _objectives(1, "parameters", "dry"),
    "changes": _objectives(1, "changes"),
    "doppelgangers": _objectives(1, "doppelgangers"),
    "eat": _objectives(2, "eat"),
    "sum": _objectives(3, "parameters", "dry", "doppelgangers", "eat"),
    "machines": _kinds("machines"),
    "synthesizers": _kinds("synthesizers"),
    "textures": _kinds("textures"),
}


def variant(name: str, seed: int, steps: int, file: Path = HERE / "params.yaml") -> PretrainingParams:
    """Make the settings of a variant that trains for as long as ``steps`` steps of the shipped settings take."""
    params, (cost, sounds, trained) = read_params(file), VARIANTS[name]
    short = {"steps": max(1, round(steps / cost)), "warm_up": max(1, round(steps / cost / 4))}
    given = {"seed": seed, "sounds": params["sounds"] | sounds, "train": params["train"] | trained | short}
    return checked(PretrainingParams, params | given, "", file)


def compare(names: list[str], seeds: list[int], steps: int, work: Path) -> pd.DataFrame:
    """Train the variants that are not trained yet; tabulate steps, last losses and the files of weights."""
    rows = []
    for seed in seeds:
        for name in names:
            params, folder = variant(name, seed, steps), work / f"{name}-{seed}"
            weights, settings = folder / "weights.safetensors", folder / "params.yaml"
            text = yaml.safe_dump(params.model_dump(), sort_keys=False)
            if not settings.is_file() or settings.read_text() != text:
                shutil.rmtree(folder, ignore_errors=True)
                write_with(settings, lambda part, text=text: part.write_text(text))  # type: ignore[misc]
            train(params, folder, work / "blocks" / "-".join(params.sounds.kinds))  # goes on where it was left
            losses = pd.read_csv(folder / "losses.csv").drop(columns="step").tail(50).mean()
            rows.append({"variant": name, "seed": seed, "steps": params.train.steps, **losses, "weights": weights})
    return pd.DataFrame(rows)


def main() -> None:
    """Train what the command line names."""
    parser = argparse.ArgumentParser("python -m pretraining.compare", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variants", nargs="*", choices=[[], *VARIANTS], default=[], metavar="VARIANT", help="all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=192, help="of the shipped settings; others take as long")
    parser.add_argument("--work", type=Path, default=HERE / "work" / "compare")
    args = parser.parse_args()
    found = compare(args.variants or list(VARIANTS), args.seeds, args.steps, args.work)
    print(found.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
