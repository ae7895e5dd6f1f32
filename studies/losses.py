"""What a choice of scorers and systems loses against the best fixed choice, and against the best in hindsight."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from asd.selection.trial_scores import OWN
from studies.scored import HALVES, PSEUDO_AUC


def choices(table: pd.DataFrame, criterion: str = PSEUDO_AUC) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Name each choice and give the candidates of every cell, by ``option``: those with evidence by the criterion."""
    known = table.dropna(subset=criterion)
    by = ["factory", "seed"]
    for system, of_system in known.groupby("system", sort=False):
        yield f"scorer of {system}", [cell.assign(option=cell["scorer"]) for _, cell in of_system.groupby(by)]
    cells = [cell.assign(option=cell["scorer"]) for _, cell in known.groupby(["system", *by], sort=False)]
    yield "scorer, all systems", cells
    shipped = known[known["scorer"] == OWN]
    yield "system, by its own scorer", [cell.assign(option=cell["system"]) for _, cell in shipped.groupby(by)]
    both = known.assign(option=known["system"] + "/" + known["scorer"])
    yield "system and scorer", [cell for _, cell in both.groupby(by)]


def losses(cells: list[pd.DataFrame], criterion: str = PSEUDO_AUC) -> pd.DataFrame:
    """Compute for every cell the score reached, the loss to the best fixed choice and in hindsight, and ``rho``."""
    indexed = [cell.set_index("option") for cell in cells]
    fixed = pd.concat([cell["true"] for cell in indexed], axis=1).dropna().mean(axis=1).idxmax()
    rows = []
    for cell in indexed:
        taken = cell[criterion].idxmax()
        hindsight = [cell[b][cell[a].idxmax()] - cell[b][taken] for a, b in (HALVES, HALVES[::-1])]
        rho = spearmanr(cell[criterion], cell["true"]).statistic
        rows.append((cell["true"][taken], cell["true"][fixed] - cell["true"][taken], np.mean(hindsight), rho, fixed))
    return pd.DataFrame(rows, columns=["reached", "fixed", "hindsight", "rho", "option"])


def loss_table(table: pd.DataFrame, criterion: str = PSEUDO_AUC) -> list[str]:
    """Write in markdown what choices by a criterion lose, and rho: Spearman's correlation with the official score."""
    lines = [
        "| choice | cells | rho | reached | best fixed choice | loss to it, mean (worst) | to hindsight, mean (worst) |"
    ]
    lines.append("| --- | ---: | ---: | ---: | --- | ---: | ---: |")
    for name, cells in choices(table, criterion):
        loss = losses(cells, criterion)
        parts = [f"{100 * loss[kind].mean():+.2f} ({100 * loss[kind].max():+.2f})" for kind in ("fixed", "hindsight")]
        figures_of = f"{loss['rho'].mean():.2f} | {100 * loss['reached'].mean():.2f} | {loss['option'].iloc[0]}"
        lines.append(f"| {name} | {len(loss)} | {figures_of} | {parts[0]} | {parts[1]} |")
    return lines
