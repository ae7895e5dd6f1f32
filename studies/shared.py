"""Shared by all studies: their command lines, projects of simulated factories, and what they print.

A study prints a table of the docs; ``python -m studies.MODULE [STUDY] --help`` says what it measures. Stages run inside
a project folder, silently: a scratch one, or one that is kept in ``.asd/studies`` and made once for one set of params.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import t as student

from asd.core.artifacts import write_csv
from asd.core.compute import ComputeParams, compute_params, configure
from asd.core.errors import UserError
from asd.core.project import LISTS, Project, systems_of
from asd.core.section import checked, read_params
from asd.datasets.dataset_params import selected_machines
from asd.encoders.encoder_params import EncoderParams
from asd.evaluation.sections import LabelledSection
from asd.pseudo_labels.params import PseudoLabelParams
from asd.scoring.embeddings import read_embeddings
from asd.simulation.simulation import MACHINES
from stages import adapt, check, download, embed, embeddings, features, index, pseudo_label, train, training_free

PARAMS = Path(__file__).parents[1] / "params.yaml"
PROJECTS = PARAMS.parent / ".asd" / "studies"
DONE = Path("done")
STEPS = "beside each trained system the same with so many steps; 0: its network not trained"


def study_parser(doc: str | None) -> argparse.ArgumentParser:
    """Make the parser of a module with one study, whose docstring is the help."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


class Commands:
    """The studies of one module, each a subcommand with options of its own.

    Parameters
    ----------
    doc : str, optional
        The module's docstring.
    default : str
        The study that runs where the command line names none.
    """

    def __init__(self, doc: str | None, default: str = "") -> None:
        self.parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
        self.studies = self.parser.add_subparsers(metavar="study", required=True)
        self.default = default

    def add(self, name: str, study: Callable[[argparse.Namespace], object]) -> argparse.ArgumentParser:
        """Add a study, a function of the parsed options; give its parser. Its docstring is the command's help."""
        doc = study.__doc__ or ""
        line = doc.splitlines()[0].replace("%", "%%")  # argparse formats it
        shown = argparse.RawDescriptionHelpFormatter
        made = self.studies.add_parser(name, help=line, description=doc, formatter_class=shown)
        made.set_defaults(study=study)
        return made

    def run(self, words: Sequence[str] | None = None) -> None:
        """Run the study that the command line names."""
        words = sys.argv[1:] if words is None else words
        if self.default and (not words or words[0] not in self.studies.choices):
            words = [self.default, *words]
        args = self.parser.parse_args(words)
        args.study(args)


def factory_options(
    parser: argparse.ArgumentParser, seeds: Sequence[int] = range(1000, 1005), machines: str = "all"
) -> argparse.ArgumentParser:
    """Add the options ``--seeds`` and ``--machines`` of studies of the simulated factory."""
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds), help="of the simulated factories")
    parser.add_argument("--machines", default=machines, help="all, or names joined by +")
    return parser


def chosen(machines: str) -> list[str]:
    """Read the option ``--machines``."""
    return selected_machines(machines, MACHINES)


def system_options(
    parser: argparse.ArgumentParser, seeds: Sequence[int] = (1000,), size: str = "default"
) -> argparse.ArgumentParser:
    """Add the options that choose factories, training seeds and systems."""
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds), help="of the simulated factories")
    parser.add_argument("--size", default=size, help="dataset.simulated.size")
    parser.add_argument("--training-seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--systems", nargs="+", help="those of params.yaml by default")
    return parser


def shipped_params() -> dict[str, Any]:
    """Read the shipped params.yaml."""
    return read_params(PARAMS)


def simulated_params(seed: int, machines: str = "all", **simulated: Any) -> dict[str, Any]:
    """Read the shipped params.yaml, with another simulated factory, one thread and no second networks."""
    params = shipped_params()
    params["dataset"] |= {"name": "simulated", "machines": machines}
    params["dataset"]["simulated"] |= {"seed": seed, **simulated}
    params["compute"]["threads"] = 1  # networks so small gain nothing by a second one
    return without_second_networks(without_evidence(params))


def without_evidence(params: dict[str, Any]) -> dict[str, Any]:
    """Let stage score need no pseudo-labels and try no candidate: no evidence for a choice of scorers is read."""
    params["selection"] |= {"labels": "given", "scorers": "own"}
    return params


def without_second_networks(params: dict[str, Any]) -> dict[str, Any]:
    """Set ``hold_out`` of all systems to 0, which halves the training; AUCs of single systems do not depend on it.

    Thresholds and the ensemble do: its members are standardised by scores of clips that their networks were trained on.
    """
    for system in params["systems"].values():
        system["train"] |= {"hold_out": 0.0} if "hold_out" in system["train"] else {}
    return params


def write_params(params: dict[str, Any]) -> None:
    """Write params.yaml of the current folder, and compute as it says."""
    configure(checked(ComputeParams, params["compute"]))
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def only(params: dict[str, Any], names: Sequence[str] | None) -> dict[str, Any]:
    """Keep some systems of params, all where none is named; the ensemble is of those members that are left, or all."""
    if unknown := [name for name in names or () if name not in systems_of(params)]:
        raise UserError(f"{unknown[0]!r} is no system: choose among {', '.join(systems_of(params))}")
    kept = params | {key: {n: b for n, b in params[key].items() if n in (names or params[key])} for key in LISTS}
    members = members_left(params["ensemble"]["members"], kept)
    return kept | {"ensemble": params["ensemble"] | {"members": members}}


def members_left(members: str | list[str], params: dict[str, Any]) -> str | list[str]:
    """Keep those members of an ensemble that are systems of params; all of these where none is left."""
    return members if isinstance(members, str) else [name for name in members if name in systems_of(params)] or "all"


@contextmanager
def scratch_project(params: dict[str, Any]) -> Iterator[Path]:
    """Work in an empty folder with this params.yaml, removed afterwards."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder), configuration_kept():
        write_params(params)
        yield Path(folder)


@contextmanager
def configuration_kept() -> Iterator[None]:
    """Give the process its device, threads and workers back behind a project."""
    before = compute_params()
    try:
        yield
    finally:
        configure(before)


@contextmanager
def kept_project(args: argparse.Namespace, seed: int, **index: Any) -> Iterator[dict[str, Any]]:
    """Work in the project of one factory, made up to embeddings of all systems; kept, so that it is made once.

    Parameters
    ----------
    args : Namespace
        Of :func:`system_options`; ``steps``, if it has them, are other budgets: :func:`with_budgets`.
    seed : int
        Of the factory.
    **index
        Values of the section ``index`` of params.yaml.

    Yields
    ------
    dict
        Its params.yaml.
    """
    params = shipped_params()
    params["dataset"] |= {"name": "simulated"}
    params["dataset"]["simulated"] |= {"size": args.size, "seed": seed}
    params["train"]["seeds"], params["index"] = args.training_seeds, params["index"] | index
    params = only(params, args.systems)
    params = without_second_networks(with_budgets(params, getattr(args, "steps", [])))
    with kept(f"{args.size}-{seed}", params):
        yield read_params()


@contextmanager
def kept(name: str, params: dict[str, Any], manifest: pd.DataFrame | None = None) -> Iterator[None]:
    """Work in a project of these params, made up to embeddings of all systems once and kept.

    Parameters
    ----------
    name : str
        How its folder's name begins.
    params : dict
    manifest : pd.DataFrame, optional
        ``manifest.csv`` of a data set ``folder``, with absolute paths.
    """
    identity = params | {"compute": params["compute"]["device"]}  # threads and jobs make no other project
    content = json.dumps(identity, sort_keys=True) + ("" if manifest is None else manifest.to_csv(index=False))
    folder = PROJECTS / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with chdir(folder), configuration_kept():
        write_params(params)
        if manifest is not None:
            write_csv("manifest.csv", manifest)
        if not DONE.exists():
            with silent(progress=True):
                make(params)
            DONE.touch()
        yield


def gathered(
    args: argparse.Namespace, labelled: Callable[[dict[str, Any], int], list[LabelledSection]]
) -> list[LabelledSection]:
    """Collect ``labelled(params, seed)`` of the projects of all factories."""
    sections = []
    for seed in args.seeds:
        with kept_project(args, seed) as params:
            sections += labelled(params, seed)
    return sections


def with_budgets(params: dict[str, Any], budgets: Sequence[int]) -> dict[str, Any]:
    """Put beside each system that trains itself with other numbers of steps: ``<system>_<steps>``, scored alike.

    With 0 steps its network is randomly initialised, neither adapted nor trained; published weights stay. Steps with
    the encoder frozen keep their fraction.
    """
    params = yaml.safe_load(yaml.safe_dump(params, sort_keys=False))
    trained = {name: system for name, system in params["systems"].items() if "steps" in system["train"]}
    for steps in budgets:
        for name, system in trained.items():
            encoder, train = system["encoder"], dict(system["train"])
            if not steps:
                encoder = encoder.replace("adapted/", "initial/")
            if "freeze_steps" in train:
                train["freeze_steps"] = round(train["freeze_steps"] * steps / max(1, train["steps"]))
            params["systems"][f"{name}_{steps}"] = system | {"encoder": encoder, "train": train | {"steps": steps}}
    return params


def make(params: dict[str, Any]) -> None:
    """Run the stages up to embeddings of all systems in the current folder."""
    systems = systems_of(params)
    download.main()
    index.main()
    for name in sorted({system["features"] for system in systems.values()}):
        features.main(name)
    make_encoders([system["encoder"] for system in systems.values()])
    if any(system.get("labels", "given") != "given" for system in systems.values()):  # else no labeller is needed
        label(params)
    for name in systems:
        embed_clips(name)


def make_encoders(folders: Sequence[str], anew: bool = True) -> None:
    """Run the stages that make some folders of data/encoders; ``anew`` where they are there, too."""
    project = Project()
    blocks = {name: project.section(EncoderParams, "encoders", name) for name in project.params["encoders"]}
    check.write_encoders(project, blocks)
    for name in sorted({folder.removeprefix("adapted/") for folder in folders if folder.startswith("adapted/")}):
        if anew or not project.encoder(f"adapted/{name}").is_dir():
            adapt.main(name)


def embed_clips(system: str) -> None:
    """Run the stages of a system that end in its embeddings of all clips."""
    if "train" not in Project().systems[system]:
        training_free.main(system)
        return
    train.main(system)
    embeddings.main(system)


def label(params: dict[str, Any]) -> None:
    """Find pseudo-labels in the current folder; what labellers need is made where it is not there."""
    project, embedded = Project(), params["embed"]
    of_labellers = checked(PseudoLabelParams, params["pseudo_label"]).features().values()
    for name in sorted({embedded["features"], *of_labellers}):
        if not project.features(name).is_dir():
            features.main(name)
    make_encoders([embedded["encoder"]], anew=False)
    embed.main()
    pseudo_label.main()


def tables() -> tuple[pd.DataFrame, set[str]]:
    """Read the clip table of the project, for scores rather than thresholds, and which clips systems trained on."""
    project = Project()
    return project.clips(positions=True).assign(fitted=False), project.reference()


def system_embeddings(system: str, clips: pd.DataFrame) -> dict[int, np.ndarray]:
    """Read a system's embeddings of the clips, by training seed."""
    return read_embeddings(Project().embeddings(system), clips).by_seed


@contextmanager
def silent(progress: bool = False) -> Iterator[None]:
    """Keep the output of stages away from a table, and their progress bars, too, unless they are wanted."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(sys.stderr if progress else nowhere),
    ):
        yield


def interval(values: pd.Series) -> tuple[float, float, float]:
    """Give the mean of some seeds' values and its 95 % interval (Student's t); NaN about a single one."""
    half = student.ppf(0.975, len(values) - 1) * values.std() / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def table(rows: pd.DataFrame, digits: int = 1) -> str:
    """Write a Markdown table, its index first."""
    head = [rows.index.name or "", *map(str, rows.columns)]
    lines = [head, ["---:"] * len(head)]
    lines += [
        [str(i), *(f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row)] for i, *row in rows.itertuples()
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdict(windows: dict[str, tuple[float, float, float]]) -> None:
    """Print each ``name: (value, low, high)`` and exit with 1 if one is out of its window."""
    wrong = 0
    for name, (value, low, high) in windows.items():
        inside = low <= value <= high
        wrong += not inside
        print(f"{name}: {value:.2f}, window {low:g} to {high:g}: {'holds' if inside else 'FAILS'}")
    sys.exit(int(wrong > 0))
