"""What studies of systems share: the pipeline up to embeddings, in a project of its own for each factory."""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from asd.base.section import read_params
from asd.clips import read_clips
from asd.evaluation.sections import LabelledSection
from asd.positions import with_positions
from asd.scoring.extracted import read_extracted, read_trained
from stages import adapt, download, embed, extract, features, index, pseudo_label, train
from studies.factory import PARAMS, silent

PROJECTS = PARAMS.parent / ".asd" / "studies"
DONE = Path("done")
STEPS = "beside each trained system the same with so many steps; 0: its network as it is drawn"


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Make a parser with the options that choose factories and training seeds."""
    made = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    made.add_argument("--seeds", type=int, nargs="+", default=[1000], help="of the simulated factories")
    made.add_argument("--size", default="default", help="dataset.simulated.size")
    made.add_argument("--training-seeds", type=int, nargs="+", default=[0, 1, 2])
    made.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    return made


@contextmanager
def project(args: argparse.Namespace, seed: int, **score: Any) -> Iterator[dict[str, Any]]:
    """Work in the project of one factory, with embeddings of all systems made; the same one, made once, for one answer.

    Parameters
    ----------
    args : Namespace
        Of :func:`parser`.
    seed : int
        Of the factory.
    **score
        Values of the section ``score`` of params.yaml.

    Yields
    ------
    dict
        Its params.yaml.
    """
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    params["dataset"] |= {"name": "simulated"}
    params["dataset"]["simulated"] |= {"size": args.size, "seed": seed}
    params["train"]["seeds"], params["score"] = args.training_seeds, params["score"] | score
    params["systems"] = {name: params["systems"][name] for name in args.systems or params["systems"]}
    params = with_budgets(params, getattr(args, "steps", []))
    for system in params["systems"].values():  # no threshold is looked at: a second network would be for nothing
        system["train"] |= {"hold_out": 0.0} if "hold_out" in system["train"] else {}
    what = params | {"compute": params["compute"]["device"]}  # how many threads and jobs makes no other project
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    folder = PROJECTS / f"{args.size}-{seed}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
        if not DONE.exists():
            with silent(progress=True):
                make(params)
            DONE.touch()
        yield read_params()


def gathered(
    args: argparse.Namespace, labelled: Callable[[dict[str, Any], int], list[LabelledSection]]
) -> list[LabelledSection]:
    """Collect what ``labelled(params, seed)`` finds in the projects of all factories."""
    sections = []
    for seed in args.seeds:
        with project(args, seed) as params:
            sections += labelled(params, seed)
    return sections


def with_budgets(params: dict[str, Any], budgets: Sequence[int]) -> dict[str, Any]:
    """Put beside each system that trains itself with other numbers of steps: ``<system>_<steps>``, scored alike.

    With 0 steps its network is as it was drawn, neither adapted nor trained; published weights stay. Steps with the
    encoder frozen keep their share.
    """
    params = yaml.safe_load(yaml.safe_dump(params))
    trained = {name: system for name, system in params["systems"].items() if "steps" in system["train"]}
    for steps in budgets:
        for name, system in trained.items():
            own, train, encoder = system["encoder"], dict(system["train"]), params["encoders"][system["encoder"]]
            if "freeze_steps" in train:
                train["freeze_steps"] = round(train["freeze_steps"] * steps / max(1, train["steps"]))
            if not steps and encoder.get("adapt"):
                own += "_drawn"
                params["encoders"][own] = {key: value for key, value in encoder.items() if key != "adapt"}
            params["systems"][f"{name}_{steps}"] = system | {"encoder": own, "train": train | {"steps": steps}}
    return params


def make(params: dict[str, Any]) -> None:
    """Run the stages up to embeddings of all systems in the current folder."""
    systems = params["systems"]
    encoders = {system["encoder"] for system in systems.values()}
    download.main()
    index.main()
    for name in sorted({params["encoders"][name]["features"] for name in encoders}):
        features.main(name)
    for name in sorted(encoders):
        adapt.main(name)
    if any(system["labels"] != "given" for system in systems.values()):  # else no labeller is needed
        label(params)
    for name in systems:
        train.main(name)
        extract.main(name)


def label(params: dict[str, Any]) -> None:
    """Find pseudo-labels in the current folder; what labellers need is made where it is not there."""
    embedded, methods = params["embed"], (params["pseudo_label"][method] for method in ("frequency", "spectrum"))
    for name in sorted({embedded["features"], *(method["features"] for method in methods)}):
        if not (Path("data/features") / name).is_dir():
            features.main(name)
    if not (Path("data/encoders") / embedded["encoder"]).is_dir():
        adapt.main(embedded["encoder"])
    embed.main()
    pseudo_label.main()


def tables() -> tuple[pd.DataFrame, set[str]]:
    """Read the clip table of the project, for scores rather than thresholds, and which clips are remembered."""
    return with_positions(read_clips()).assign(fitted=False), read_trained()


def embeddings(system: str, clips: pd.DataFrame) -> dict[int, np.ndarray]:
    """Read what a system of the project made of the clips, by training seed."""
    return read_extracted(Path("data/extracted") / system, clips)
