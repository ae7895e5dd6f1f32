"""Choices by Diverse Pseudo-AUC and by domain balance, on simulated factories and on real recordings."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.errors import UserError
from asd.core.project import FILES
from asd.evaluation.bootstrap import resampled_scores
from asd.evaluation.difference import difference, seed_error
from asd.evaluation.official import YEARS, official_scores, point_values
from asd.evaluation.sections import LabelledSection
from asd.selection.criteria import CRITERIA
from asd.selection.trial_scores import OWN
from studies import comparison, real
from studies.losses import loss_table
from studies.real_scores import Values, judged
from studies.scored import Scored, candidates, finished_project
from studies.shared import kept, kept_project, only, system_options

SHIPPED = "ensemble"  # the ensemble as params.yaml has it
OF_ENSEMBLE = "scorers of the ensemble"
HEADER = (
    "choice",
    "by",
    "reached",
    "less the default [95 %]",
    "less the best fixed choice [95 %]",
    "best fixed choice",
)
Gap = tuple[float, float, float]  # value and its interval, shares of 1
Pairs = Sequence[tuple[str, str]]


class Question(NamedTuple):
    """What is to be chosen.

    Attributes
    ----------
    name : str
    options : tuple of str
        Names of tables of scores, ``system/scorer``.
    default : str
        The table that is taken where nobody chooses.
    """

    name: str
    options: tuple[str, ...]
    default: str


class Judgement(NamedTuple):
    """Scores of named tables, and paired differences.

    Attributes
    ----------
    reached : dict of str to float
        Share of 1.
    gap : callable
        The mean of the differences of pairs of names, and whether both sides score the same trained models: value and
        95 % interval.
    """

    reached: dict[str, float]
    gap: Callable[[Pairs, bool], Gap]


def questions(scored: Scored) -> list[Question]:
    """List what a project offers: a scorer of every system with evidence, a system, both, scorers of the ensemble."""
    known = sorted({system for of_systems in scored.evidence.values() for system in of_systems})
    of_system = {name: tuple(f"{name}/{other}" for own, other in scored.scores if own == name) for name in known}
    own = tuple(f"{name}/{OWN}" for name in known)
    return [
        *(Question(f"scorer of {name}", options, f"{name}/{OWN}") for name, options in of_system.items()),
        Question("system, by its own scorer", own, SHIPPED),
        Question("system and scorer", tuple(name for options in of_system.values() for name in options), SHIPPED),
        Question(OF_ENSEMBLE, (), SHIPPED),
    ]


def tables_of(scored: Scored) -> dict[str, pd.DataFrame]:
    """Name all tables of scores of a project: options, the shipped ensemble, and ``criterion: question``."""
    options = {f"{system}/{scorer}": table for (system, scorer), table in scored.scores.items()}
    made = options | {SHIPPED: scored.fused(scorers="own", members=_listed(scored), weights="equal")}
    for criterion, evidence in scored.evidence.items():
        values = {f"{system}/{name}": v for system, of in evidence.items() for name, v in of.values.items()}
        for question in questions(scored):
            known = [name for name in question.options if name in values]
            taken = max(known, key=lambda name: (values[name], name.endswith(f"/{OWN}"))) if known else question.default
            made[f"{criterion}: {question.name}"] = made[taken]
        made[f"{criterion}: {OF_ENSEMBLE}"] = scored.fused(criterion, scorers="auto", weights="equal")
    return made


def _listed(scored: Scored) -> Any:
    """Give the shipped members; all where params leave them to evidence."""
    members = scored.params["ensemble"]["members"]
    return members if isinstance(members, list) else "all"


def factory_judgement(
    sections: list[LabelledSection], resamples: int, wanted: Callable[[dict[str, float]], set[str]]
) -> Judgement:
    """Judge by the official score over the machines of all factories; intervals over clips and training seeds.

    Parameters
    ----------
    sections : list of LabelledSection
    resamples : int
    wanted : callable
        Which names differences will be asked of, by the scores reached.
    """
    values = official_scores(point_values(sections, comparison.YEAR), "official", comparison.YEAR)
    reached = {name: float(own.mean()) for name, own in values.items()}
    names = sorted(wanted(reached))
    some = [replace(own, scores={name: own.scores[name] for name in names}) for own in sections]
    resampled = resampled_scores(some, YEARS[comparison.YEAR], resamples, seed=0)

    def gap(pairs: Pairs, same_models: bool) -> Gap:
        ours, theirs = (np.mean([values[pair[side]] for pair in pairs], axis=0) for side in (0, 1))
        apart = np.mean([resampled[a] - resampled[b] for a, b in pairs], axis=0)
        found = difference(ours.mean() - theirs.mean(), apart, seed_error(ours, theirs, same_models=same_models))
        return found.value, found.low, found.high

    return Judgement(reached, gap)


def real_judgement(scores: pd.DataFrame, resamples: int, wanted: Callable[[dict[str, float]], set[str]]) -> Judgement:
    """Judge by the mean AUC over real machine-sections; intervals over recordings. See :func:`factory_judgement`.

    Parameters
    ----------
    scores : pd.DataFrame
        See :func:`studies.real_scores.judged`.
    resamples : int
    wanted : callable
    """
    reached = {name: of["auc"].mean for name, of in judged(scores, 1).items()}
    found = judged(scores[scores["system"].isin(wanted(reached))], resamples)

    def gap(pairs: Pairs, _: bool) -> Gap:
        apart = [found[a]["auc"].minus(found[b]["auc"]) for a, b in pairs]
        mean = Values(
            pd.concat([one.sections for one in apart], axis=1).mean(axis=1),
            np.mean([one.resampled for one in apart], axis=0),
        )
        return mean.mean, *mean.interval()

    return Judgement(reached, gap)


def best_fixed(asked: list[Question], reached: dict[str, float]) -> dict[str, str]:
    """Name the best option of each question, one for all projects, found with their labels."""
    return {one.name: max(one.options, key=lambda name: reached[name]) for one in asked if one.options}


def all_names(asked: list[Question], chosen_by: Sequence[str], reached: dict[str, float]) -> set[str]:
    """Name all tables that differences are asked of."""
    chosen = {f"{criterion}: {one.name}" for criterion in chosen_by for one in asked}
    return chosen | {one.default for one in asked} | set(best_fixed(asked, reached).values())


def rows(asked: list[Question], chosen_by: dict[str, bool], found: Judgement) -> Iterator[tuple[str, ...]]:
    """Write the table: a question by the default and by every criterion, the scorers of all systems together first.

    Parameters
    ----------
    asked : list of Question
    chosen_by : dict of str to bool
        Criteria, and whether there is any evidence by them.
    found : Judgement
    """
    best = best_fixed(asked, found.reached)
    scorers = [one for one in asked if one.name.startswith("scorer of ")]
    groups = [("scorer, mean of systems", scorers), *((one.name, [one]) for one in asked)]
    for name, group in groups:
        same = group[0] in scorers or group[0].name == OF_ENSEMBLE
        for criterion in ("default", *chosen_by):
            if not chosen_by.get(criterion, True):
                yield name, CRITERIA[criterion].title, "can't tell: the default stays", "", "", ""
                continue
            names = [one.default if criterion == "default" else f"{criterion}: {one.name}" for one in group]
            to_default = list(zip(names, [one.default for one in group], strict=True))
            to_best = [(own, best[one.name]) for own, one in zip(names, group, strict=True) if one.name in best]
            yield (
                name,
                "default" if criterion == "default" else CRITERIA[criterion].title,
                f"{100 * np.mean([found.reached[one] for one in names]):.2f}",
                "" if criterion == "default" else _cell(found.gap(to_default, same)),
                _cell(found.gap(to_best, same)) if to_best else "",
                best.get(group[0].name, "") if len(group) == 1 else "each system's",
            )


def _cell(gap: Gap) -> str:
    value, low, high = (100 * one for one in gap)
    return f"{value:+.2f} [{low:+.1f}, {high:+.1f}]" + (" not resolved" if low < 0 < high else "")


def show(title: str, asked: list[Question], chosen_by: dict[str, bool], found: Judgement) -> None:
    """Print the table in markdown."""
    print(f"\n{title}\n")
    for row in (HEADER, ("---",) * len(HEADER), *rows(asked, chosen_by, found)):
        print(f"| {' | '.join(row)} |")


def factories(args: argparse.Namespace) -> Iterator[Any]:
    """Give the context of every project of a simulated factory that the command line names."""
    yield from (finished_project(folder.resolve()) for folder in args.projects)
    seeds = args.seeds if args.seeds is not None else [] if args.projects or args.real else [1000]
    yield from (kept_project(args, seed) for seed in seeds)


def with_scorers(params: dict[str, Any], scorers: list[str] | None) -> dict[str, Any]:
    """Try other scorers than those that params name."""
    return params | {"selection": params["selection"] | ({"scorers": scorers} if scorers else {})}


def on_factories(args: argparse.Namespace) -> None:
    """Print the tables of simulated factories: losses by training seed, then differences with intervals."""
    sections: list[LabelledSection] = []
    cells, asked, known = [], [], dict.fromkeys(CRITERIA, False)
    for project in factories(args):
        with project as params:
            params = with_scorers(only(params, args.systems), args.scorers)
            factory = int(params["dataset"]["simulated"]["seed"])
            scored = Scored(params, tuple(CRITERIA))
            asked = questions(scored)
            known = {name: known[name] or bool(scored.evidence[name]) for name in CRITERIA}
            cells.append(candidates(scored, factory))
            sections += scored.labelled(tables_of(scored), factory)
    if not cells:
        return
    for criterion in [name for name, there in known.items() if there]:
        print(f"\nby {CRITERIA[criterion].title}, a cell a factory and training seed\n")
        print("\n".join(loss_table(pd.concat(cells, ignore_index=True), criterion)))
    found = factory_judgement(sections, args.resamples, lambda reached: all_names(asked, tuple(CRITERIA), reached))
    show("official score [%], one choice a factory", asked, known, found)


@contextmanager
def real_project(args: argparse.Namespace, listed: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Work in the project of real recordings, made up to embeddings once and kept; no label is in it."""
    params = real.overridden([], args.systems, args.training_seeds[0])
    with kept("real", params, listed[real.PASSED].assign(path=listed["file"])):
        yield with_scorers(params, args.scorers)


def on_real_recordings(args: argparse.Namespace) -> None:
    """Print the table of real recordings, by the split of their manifests."""
    listed = real.read_manifests([path.resolve() for path in args.real])
    with real_project(args, listed) as params:
        scored = Scored(params, tuple(CRITERIA))
        made = pd.concat([table.assign(system=name) for name, table in tables_of(scored).items()])
        made = made.merge(read_csv(FILES, ("clip_id", "path")).rename(columns={"path": "file"}), on="clip_id")
    asked, known = questions(scored), {name: bool(scored.evidence[name]) for name in CRITERIA}
    scores = listed[(listed["split"] == "test") & (listed["anomaly"] != "")].astype({"anomaly": int})
    scores = scores.merge(made[["file", "system", "score", "threshold", "decision"]], on="file").assign(fold=0)
    found = real_judgement(scores, args.resamples, lambda reached: all_names(asked, tuple(CRITERIA), reached))
    show("mean AUC [%] of real machine-sections", asked, known, found)


def criteria(args: argparse.Namespace) -> None:
    """Hold choices by Diverse Pseudo-AUC against choices by domain balance.

    Asked are the scorer of every system, the system, both at once, and the scorers of the ensemble's members. What is
    taken by each criterion, from training clips alone, is set beside the default (a system's own scorer; of systems
    the shipped ensemble) and beside the best fixed choice, one for all projects, found with their labels. Differences
    are paired: 95 % intervals over clips and, of factories, training seeds. Projects are made once, in .asd/studies;
    ``--projects`` takes finished ones of any study, from anywhere, and writes nothing there. Of real recordings the
    manifest's split counts; without a second domain the balance can't tell.
    """
    try:
        on_factories(args)
        if args.real:
            on_real_recordings(args)
    except UserError as error:
        print(f"asd: {error}", file=sys.stderr)
        sys.exit(2)


def criteria_options(parser: argparse.ArgumentParser) -> None:
    """Declare the study's options."""
    system_options(parser, size="study").set_defaults(seeds=None)
    parser.add_argument("--projects", type=Path, nargs="+", default=[], metavar="FOLDER", help="finished projects")
    parser.add_argument("--real", type=Path, nargs="+", default=[], metavar="MANIFEST", help="of real recordings")
    parser.add_argument("--scorers", nargs="+", metavar="NAME", help="candidates tried, as in selection.scorers")
    parser.add_argument("--resamples", type=int, default=1000)
