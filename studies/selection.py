"""The loss by choosing without anomalies, and the gain by an ensemble so chosen. See docs/selection.md.

    python -m studies.selection [--seeds 1000] [--size study] [--training-seeds 0 1 2] [--systems NAME ...]

1. In every cell (factory, training seed, system) the scorer of the highest Diverse Pseudo-AUC is taken; in every
   factory and training seed the system, by its own scorer, and both at once. Its loss against the best fixed
   choice, one for all cells, found with the labels of all of them, and against the best in hindsight, chosen by the
   labels of one half of a cell's test clips and judged, as is the other, on the other half; means and the worst cell.
   rho is Spearman's correlation of Diverse Pseudo-AUC and official score over the candidates of a cell.
2. The ensemble and its variants beside their members and the plain mean of all systems by their own scorers.
   Differences are paired: 95 % intervals over clips and training seeds.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from asd.core.artifacts import read_csv
from asd.core.compute import rng
from asd.core.section import checked
from asd.evaluation.official import official_scores, point_values
from asd.evaluation.sections import LabelledSection
from asd.scoring.embeddings import Embeddings
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.scoring.table import score_table
from asd.selection.choice import Choice, decide
from asd.selection.evidence import SystemEvidence, make_evidence, scorers_tried
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import OWN, figures
from studies import comparison
from studies.shared import kept_project, study_parser, system_embeddings, system_options, tables

BY_EVIDENCE = {"members": "auto", "scorers": "auto", "weights": "auto"}
VARIANTS: dict[str, dict[str, Any]] = {  # of the shipped section ``ensemble``
    "ensemble": {},
    "standardised scores": {"fusion": "mean"},
    "ranks": {"fusion": "rank"},
    "all systems": {"members": "all"},
    "by evidence": BY_EVIDENCE,
    "by evidence, own scorers": BY_EVIDENCE | {"scorers": "own"},
    "by forward selection": BY_EVIDENCE | {"weights": "forward"},
}
CANDIDATE = ["factory", "seed", "system", "scorer"]
HALVES = ("first", "second")


class Scored:
    """All systems of one project by all scorers that are tried, and the evidence without a label.

    Attributes
    ----------
    scores : dict of (str, str) to pd.DataFrame
        By system and scorer, tables of :func:`asd.scoring.table.score_table`.
    evidence : dict of str to SystemEvidence
    pseudo : pd.DataFrame
        ``seed, system, scorer, pseudo``: Diverse Pseudo-AUC of every training seed.
    """

    def __init__(self, params: dict[str, Any]) -> None:
        self.params, (self.clips, reference) = params, tables()
        asked = checked(SelectionParams, params["selection"])
        labels = asked.labels if Path(f"data/labels/{asked.labels}.csv").exists() else "given"
        label = read_csv(f"data/labels/{labels}.csv", ("clip_id", "label"))
        self.scores, self.evidence, pseudo = {}, {}, []
        for system, block in params["systems"].items():
            own, embeddings = checked(ScoreParams, block["score"]).root, system_embeddings(system, self.clips)
            made = Embeddings(self.clips, embeddings, {})
            scorers = scorers_tried(own, made, asked.scorers)
            for name, scorer in (scorers or {OWN: own}).items():
                self.scores[system, name] = score_table(self.clips, reference, embeddings, scorer, params["seed"])
            tried, aucs = make_evidence(made, reference, label, scorers, asked, params["seed"])
            if scorers:
                self.evidence[system] = SystemEvidence(figures(aucs), tried)
            for seed, mine in aucs.groupby("seed"):
                pseudo += [(seed, system, name, one["pseudo_auc"] / 100) for name, one in figures(mine).items()]
        self.pseudo = pd.DataFrame(pseudo, columns=["seed", "system", "scorer", "pseudo"])

    def choice(self, **how: Any) -> Choice:
        """Choose as the stage ``ensemble`` does, with some of its params changed."""
        return decide(self.ensemble_params(how), list(self.params["systems"]), self.evidence)

    def ensemble_params(self, how: dict[str, Any]) -> EnsembleParams:
        """Read the section ``ensemble`` of the project, some of its keys changed, of systems that the project has."""
        block = self.params["ensemble"] | how
        if isinstance(block["members"], list):
            block["members"] = [name for name in block["members"] if name in self.params["systems"]] or "all"
        return checked(EnsembleParams, block)

    def fused(self, **how: Any) -> pd.DataFrame:
        """Fuse the chosen members."""
        choice, params = self.choice(**how), self.ensemble_params(how)
        members = {system: self.scores[system, scorer] for system, scorer in choice.scorers.items()}
        return fuse(members, self.clips, params, params.fusion, choice.weights)

    def labelled(self, made: dict[str, pd.DataFrame], factory: int) -> list[LabelledSection]:
        """Set named tables of scores beside the truth."""
        columns = ["seed", "clip_id", "machine", "section", "split", "score"]
        parts = pd.concat([table[columns].assign(system=name) for name, table in made.items()])
        return comparison.labelled(parts, self.clips, factory)


def candidates(scored: Scored, factory: int) -> pd.DataFrame:
    """Tabulate every system by every scorer: :data:`CANDIDATE`, ``pseudo``, ``true`` and the score on either half."""
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
    whole = pd.concat(found, axis=1).reset_index().merge(scored.pseudo, how="left")
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


def choices(table: pd.DataFrame) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Name each choice and give the candidates of every cell, by ``option``: those with evidence."""
    known = table.dropna(subset="pseudo")
    by = ["factory", "seed"]
    for system, of_system in known.groupby("system", sort=False):
        yield f"scorer of {system}", [cell.assign(option=cell["scorer"]) for _, cell in of_system.groupby(by)]
    cells = [cell.assign(option=cell["scorer"]) for _, cell in known.groupby(["system", *by], sort=False)]
    yield "scorer, all systems", cells
    shipped = known[known["scorer"] == OWN]
    yield "system, by its own scorer", [cell.assign(option=cell["system"]) for _, cell in shipped.groupby(by)]
    both = known.assign(option=known["system"] + "/" + known["scorer"])
    yield "system and scorer", [cell for _, cell in both.groupby(by)]


def losses(cells: list[pd.DataFrame]) -> pd.DataFrame:
    """Compute for every cell the score reached, the loss to the best fixed choice and in hindsight, and ``rho``."""
    indexed = [cell.set_index("option") for cell in cells]
    fixed = pd.concat([cell["true"] for cell in indexed], axis=1).dropna().mean(axis=1).idxmax()
    rows = []
    for cell in indexed:
        taken = cell["pseudo"].idxmax()
        hindsight = [cell[b][cell[a].idxmax()] - cell[b][taken] for a, b in (HALVES, HALVES[::-1])]
        rho = spearmanr(cell["pseudo"], cell["true"]).statistic
        rows.append((cell["true"][taken], cell["true"][fixed] - cell["true"][taken], np.mean(hindsight), rho, fixed))
    return pd.DataFrame(rows, columns=["reached", "fixed", "hindsight", "rho", "option"])


def loss_table(table: pd.DataFrame) -> list[str]:
    """Write the first table in markdown."""
    lines = [
        "| choice | cells | rho | reached | best fixed choice | loss to it, mean (worst) | to hindsight, mean (worst) |"
    ]
    lines.append("| --- | ---: | ---: | ---: | --- | ---: | ---: |")
    for name, cells in choices(table):
        loss = losses(cells)
        parts = [f"{100 * loss[kind].mean():+.2f} ({100 * loss[kind].max():+.2f})" for kind in ("fixed", "hindsight")]
        figures_of = f"{loss['rho'].mean():.2f} | {100 * loss['reached'].mean():.2f} | {loss['option'].iloc[0]}"
        lines.append(f"| {name} | {len(loss)} | {figures_of} | {parts[0]} | {parts[1]} |")
    return lines


def fused_sections(scored: Scored, factory: int) -> list[LabelledSection]:
    """Set the ensemble, its variants and all systems, by chosen and own scorers, beside the truth."""
    made = {name: scored.fused(**how) for name, how in VARIANTS.items()}
    scorers = scored.choice(members="all", weights="equal", scorers="auto").scorers
    members = {f"member {system}": scored.scores[system, scorer] for system, scorer in scorers.items()}
    own = {f"{system} by its own scorer": scored.scores[system, OWN] for system in scorers}
    return scored.labelled(made | members | own, factory)


def main() -> None:
    """Print both tables."""
    arguments = system_options(study_parser(__doc__), size="study")
    arguments.add_argument("--resamples", type=int, default=1000)
    args = arguments.parse_args()
    found: list[pd.DataFrame] = []
    sections: list[LabelledSection] = []
    for seed in args.seeds:
        with kept_project(args, seed) as params:
            scored = Scored(params)
            found.append(candidates(scored, seed))
            sections += fused_sections(scored, seed)
            print(f"factory {seed}: {scored.choice().figures()}")
    print("\n".join(["", *loss_table(pd.concat(found, ignore_index=True)), ""]))
    values = official_scores(point_values(sections, comparison.YEAR), "official", comparison.YEAR)
    members = {name: own.mean() for name, own in values.items() if name.startswith("member ")}
    best, mean = max(members, key=lambda name: members[name]), "all systems"
    for reference, shown in {best: list(values), mean: ["ensemble", best, mean]}.items():
        print(f"\ndifferences are to {reference}")
        some = [replace(own, scores={name: own.scores[name] for name in shown}) for own in sections]
        comparison.show(comparison.rows(some, lambda _, own=reference: own, args.resamples, same_models=True))


if __name__ == "__main__":
    main()
