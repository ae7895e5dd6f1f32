"""Members and weights of an ensemble, chosen by how well it tells pseudo anomalies from held-out normal clips."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.base.artifacts import percent
from asd.base.errors import UserError
from asd.scoring.fusion import comparably, equal, normalised
from asd.scoring.params import EnsembleParams
from asd.selection.evidence import SystemEvidence, by_kind, harmonic
from asd.selection.pseudo_auc import MEASURES, NORMAL, OWN, TRIAL, cell_aucs, cells

CHANCE = 0.5
STEPS = 12  # times that a member is added, the same one perhaps again
ROW = [*TRIAL, "kind", "clip_id"]


class Choice(NamedTuple):
    """What was chosen, and why.

    Attributes
    ----------
    by : str
        ``diverse pseudo-auc``, ``params`` or, where nothing is known, ``no evidence``: whence the weights.
    weights : dict of str to float
        Of the members, adding up to one.
    scorers : dict of str to str
        By which scorer each member is scored: :data:`asd.selection.pseudo_auc.OWN`, or one of the trade-off.
    pseudo_auc : float
        Of the fused scores, a share of 1; NaN where a member has no evidence.
    """

    by: str
    weights: dict[str, float]
    scorers: dict[str, str]
    pseudo_auc: float

    def figures(self) -> dict[str, Any]:
        """Give what is written of it, in percent; what is not known is left out."""
        known = {"pseudo_auc": percent(self.pseudo_auc)} if np.isfinite(self.pseudo_auc) else {}
        return {"chosen_by": self.by, "weights": self.weights, "scorer": self.scorers} | known


def decide(params: EnsembleParams, systems: list[str], evidence: dict[str, SystemEvidence]) -> Choice:
    """Choose the members of the ensemble, their scorers and their weights, as params say.

    ``members: auto`` takes the systems that tell pseudo anomalies better than chance, ``scorers: auto`` each with the
    scorer of the highest Diverse Pseudo-AUC, which compares within a system more surely than between systems;
    ``weights: auto`` are in proportion to it, ``forward`` are those of :func:`forward_selection`.

    Parameters
    ----------
    params : EnsembleParams
    systems : list of str
        All there are.
    evidence : dict
        Of those that have any.

    Raises
    ------
    UserError
        Where weights are to be found for a member without evidence.
    """
    scorers = {n: evidence[n].best if n in evidence and params.scorers == "auto" else OWN for n in systems}
    alone = {n: evidence[n].figures[scorers[n]]["pseudo_auc"] / 100 for n in evidence}
    names = _members(params, systems, alone)
    missing = [n for n in names if n not in evidence]
    by_evidence = params.weights in ("auto", "forward")
    if missing and by_evidence and alone:
        raise UserError(f"ensemble.weights is {params.weights}, but {missing[0]} has no Diverse Pseudo-AUC: set equal")
    known = None if missing else Evidence({n: evidence[n].of(scorers[n]) for n in names}, params.fusion)
    if isinstance(params.weights, dict):
        weights = normalised(params.weights)
    elif params.weights == "equal" or known is None:
        weights = equal(names)
    else:
        weights = forward_selection(known) if params.weights == "forward" else normalised({n: alone[n] for n in names})
    value = known.pseudo_auc(np.array([weights.get(n, 0.0) for n in names])) if known else np.nan
    by = "params" if not by_evidence else "diverse pseudo-auc" if alone else "no evidence"
    return Choice(by, weights, {n: scorers[n] for n in weights}, value)


def _members(params: EnsembleParams, systems: list[str], alone: dict[str, float]) -> list[str]:
    if isinstance(params.members, list):
        return params.members
    above = [n for n in systems if alone.get(n, 0.0) > CHANCE]
    return above if above and params.members == "auto" else systems


class Evidence:
    """Scores of the same normal clips and pseudo anomalies by several systems, and what a fusion makes of them.

    Parameters
    ----------
    tables : dict of str to pd.DataFrame
        By system, what :func:`asd.selection.pseudo_auc.pseudo_scores` made by one scorer.
    fusion : str
        One of :data:`asd.scoring.fusion.FUSIONS`: the held-out normal clips are the reference.

    Raises
    ------
    UserError
        Where systems scored other clips.
    """

    def __init__(self, tables: dict[str, pd.DataFrame], fusion: str) -> None:
        self.names = list(tables)
        first = tables[self.names[0]].reset_index(drop=True)
        columns = []
        for name, table in tables.items():
            if len(table) != len(first) or (table[ROW].to_numpy() != first[ROW].to_numpy()).any():
                raise UserError(f"{name} and {self.names[0]} have evidence of other clips or seeds: run dvc repro")
            split = np.where(table["kind"] == NORMAL, "train", "test")
            columns.append(comparably(table.assign(split=split), fusion)["score"].to_numpy())
        self.scores = np.column_stack(columns)
        self.cells = cells(first)
        self.keys = pd.DataFrame([cell.key for cell in self.cells], columns=[*TRIAL, "kind"])

    def pseudo_auc(self, weights: np.ndarray) -> float:
        """Compute the Diverse Pseudo-AUC of the weighted mean ``(systems,)``: a share of 1."""
        found = pd.DataFrame(cell_aucs(self.cells, self.scores @ weights), columns=list(MEASURES))
        return harmonic(by_kind(pd.concat([self.keys, found], axis=1)).to_numpy())


def forward_selection(evidence: Evidence, steps: int = STEPS) -> dict[str, float]:
    """Choose members and weights by forward selection with replacement.

    Beginning with nothing, the system is added that raises the Diverse Pseudo-AUC of the fused scores most (or lowers
    it least), again and again, the same ones among the candidates every time. Of all that were passed through, the
    best is taken, of equals the first; the weight of a system is how often it was added.

    Parameters
    ----------
    evidence : Evidence
        Of the candidates.
    steps : int

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    """
    each, counts = np.eye(len(evidence.names)), np.zeros(len(evidence.names))
    found = []
    for step in range(1, steps + 1):
        values = [evidence.pseudo_auc((counts + own) / step) for own in each]
        best = int(np.argmax(values))
        counts = counts + each[best]
        found.append((values[best], counts / step))
    _, weights = max(found, key=lambda own: own[0])
    return {name: float(share) for name, share in zip(evidence.names, weights, strict=True) if share}
