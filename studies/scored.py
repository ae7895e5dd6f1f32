"""Projects whose systems are scored by all scorers that are tried, with the evidence for a choice among them."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.compute import ComputeParams, configure, rng
from asd.core.errors import UserError
from asd.core.project import LISTS, systems_of
from asd.core.section import checked, read_params
from asd.evaluation.official import official_scores, point_values
from asd.evaluation.sections import LabelledSection
from asd.scoring.embeddings import Embeddings
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.scoring.table import score_table
from asd.selection.choice import Choice, decide
from asd.selection.criteria import CRITERIA
from asd.selection.evidence import SystemEvidence, make_evidence, scorers_tried
from asd.selection.params import SelectionParams
from asd.selection.trial_scores import OWN
from studies import comparison
from studies.shared import DONE, configuration_kept, members_left, shipped_params, system_embeddings, tables

HALVES = ("first", "second")
PSEUDO_AUC = "pseudo_auc"


@contextmanager
def finished_project(folder: Path) -> Iterator[dict[str, Any]]:
    """Work in a finished project of :func:`kept_project`, wherever it is, and write nothing there.

    Yields
    ------
    dict
        Its params.yaml, but for the shipped sections ``decision``, ``selection``, ``ensemble`` and ``compute``, by
        which nothing in it was made; of its systems those that are shipped (others are of other budgets).

    Raises
    ------
    UserError
        Where the project is not finished.
    """
    if not (folder / DONE).exists():
        raise UserError(f"{folder} has no file {DONE}: name a folder of .asd/studies whose study has made it")
    shipped = shipped_params()
    with chdir(folder), configuration_kept():
        params = read_params() | {key: shipped[key] for key in ("decision", "selection", "ensemble", "compute")}
        params |= {key: {name: one for name, one in params[key].items() if name in shipped[key]} for key in LISTS}
        configure(checked(ComputeParams, params["compute"]))
        yield params


class Scored:
    """All systems of the project in the current folder by all scorers that are tried, and the evidence without a label.

    Parameters
    ----------
    params : dict
        Of the project.
    criteria : sequence of str
        Out of :data:`asd.selection.criteria.CRITERIA`.

    Attributes
    ----------
    scores : dict of (str, str) to pd.DataFrame
        By system and scorer, tables of :func:`asd.scoring.table.score_table`.
    evidence : dict of str to dict of str to SystemEvidence
        By criterion and system; systems without any are missing.
    by_seed : pd.DataFrame
        ``seed, system, scorer`` and the criteria [%] of every training seed.
    """

    def __init__(self, params: dict[str, Any], criteria: tuple[str, ...] = (PSEUDO_AUC,)) -> None:
        self.params, (self.clips, self.reference) = params, tables()
        self.scores: dict[tuple[str, str], pd.DataFrame] = {}
        self.evidence: dict[str, dict[str, SystemEvidence]] = {name: {} for name in criteria}
        values: list[tuple[Any, str, str, str, float]] = []
        for system in systems_of(params):
            values += self._score(system, criteria)
        keys = ["seed", "system", "scorer"]
        found = pd.DataFrame(values, columns=[*keys, "criterion", "value"])
        self.by_seed = found.pivot_table("value", keys, "criterion").reindex(columns=list(criteria))
        self.by_seed = self.by_seed.rename_axis(columns=None).reset_index()

    def _score(self, system: str, criteria: tuple[str, ...]) -> list[tuple[Any, str, str, str, float]]:
        """Score a system by all scorers and find its evidence: seed, system, scorer, criterion and its value [%]."""
        asked = checked(SelectionParams, self.params["selection"])
        labels = asked.labels if Path(f"data/labels/{asked.labels}.csv").exists() else "given"
        label = read_csv(f"data/labels/{labels}.csv", ("clip_id", "label"))
        own = checked(ScoreParams, systems_of(self.params)[system]["score"]).root
        made, seed = Embeddings(self.clips, system_embeddings(system, self.clips), {}), self.params["seed"]
        scorers = scorers_tried(own, made, asked.scorers)
        for name, scorer in (scorers or {OWN: own}).items():
            self.scores[system, name] = score_table(self.clips, self.reference, made.by_seed, scorer, seed)
        values = []
        for criterion in criteria:
            how, figures = asked.model_copy(update={"criterion": criterion}), CRITERIA[criterion].figures
            tried, trials = make_evidence(made, self.reference, label, scorers, how, seed)
            if len(trials):
                self.evidence[criterion][system] = SystemEvidence(figures(trials), tried, criterion)
            for training_seed, mine in trials.groupby("seed"):
                values += [
                    (training_seed, system, name, criterion, one[criterion]) for name, one in figures(mine).items()
                ]
        return values

    def choice(self, criterion: str = PSEUDO_AUC, **how: Any) -> Choice:
        """Choose as the stage ``ensemble`` does, with some of its params changed."""
        return decide(self.ensemble_params(how), list(systems_of(self.params)), self.evidence[criterion])

    def ensemble_params(self, how: dict[str, Any]) -> EnsembleParams:
        """Read the section ``ensemble`` of the project, some of its keys changed, of systems that the project has."""
        block = self.params["decision"] | self.params["ensemble"] | how
        return checked(EnsembleParams, block | {"members": members_left(block["members"], self.params)})

    def fused(self, criterion: str = PSEUDO_AUC, **how: Any) -> pd.DataFrame:
        """Fuse the chosen members."""
        choice, params = self.choice(criterion, **how), self.ensemble_params(how)
        members = {system: self.scores[system, scorer] for system, scorer in choice.scorers.items()}
        return fuse(members, self.clips, params, params.fusion, choice.weights)

    def labelled(self, made: dict[str, pd.DataFrame], factory: int) -> list[LabelledSection]:
        """Set named tables of scores beside the truth."""
        columns = ["seed", "clip_id", "machine", "section", "split", "score"]
        parts = pd.concat([table[columns].assign(system=name) for name, table in made.items()])
        return comparison.labelled(parts, self.clips, factory)


def candidates(scored: Scored, factory: int) -> pd.DataFrame:
    """Tabulate every system by every scorer: its criteria, ``true`` and the score on either half."""
    names = {f"{system}/{scorer}": table for (system, scorer), table in scored.scores.items()}
    sections = scored.labelled(names, factory)
    seeds = sorted(next(iter(names.values()))["seed"].unique())
    columns = {"true": sections} | dict(zip(HALVES, halves(sections), strict=True))
    found = []
    for column, evaluated in columns.items():
        values = official_scores(point_values(evaluated, comparison.YEAR), "official", comparison.YEAR)
        rows = [(*name.split("/"), seed, v) for name, of in values.items() for seed, v in zip(seeds, of, strict=True)]
        keys = ["system", "scorer", "seed"]
        found.append(pd.DataFrame(rows, columns=[*keys, column]).set_index(keys))
    whole = pd.concat(found, axis=1).reset_index().merge(scored.by_seed, how="left")
    return whole.assign(factory=factory)


def halves(sections: list[LabelledSection]) -> tuple[list[LabelledSection], list[LabelledSection]]:
    """Divide the test clips of every section into two halves, stratified by domain and label."""
    found: tuple[list[LabelledSection], list[LabelledSection]] = ([], [])
    for section in sections:
        draw, first = rng(0, "halves", section.machine, section.section), np.zeros(len(section.anomalous), dtype=bool)
        strata = pd.DataFrame({"domain": section.domain, "anomalous": section.anomalous})
        for _, clips in sorted(strata.groupby(["domain", "anomalous"]).indices.items()):
            first[draw.permutation(clips)[: len(clips) // 2]] = True
        for half, taken in zip(found, (first, ~first), strict=True):
            scores = {name: values[:, taken] for name, values in section.scores.items()}
            clips = (section.anomalous[taken], section.domain[taken], section.recording[taken])
            half.append(replace(section, anomalous=clips[0], domain=clips[1], recording=clips[2], scores=scores))
    return found
