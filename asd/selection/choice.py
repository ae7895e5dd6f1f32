"""Members and weights of an ensemble, chosen by how well it tells pseudo anomalies from held-out normal clips."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.artifacts import percent
from asd.errors import UserError
from asd.scoring.fusion import comparably, equal, normalised
from asd.scoring.params import EnsembleParams
from asd.selection.evidence import by_kind
from asd.selection.pseudo_auc import MEASURES, NORMAL, TRIAL, cell_aucs, cells

STEPS = 12  # times that a member is added, the same one perhaps again
ROW = [*TRIAL, "kind", "clip_id"]


class Choice(NamedTuple):
    """What was chosen, and why.

    Attributes
    ----------
    by : str
        ``diverse pseudo-auc``, ``params`` or, where nothing is known, ``no evidence``.
    weights : dict of str to float
        Of the members, adding up to one.
    pseudo_auc : float
        Of the fused scores, a share of 1; NaN where a member has no evidence.
    """

    by: str
    weights: dict[str, float]
    pseudo_auc: float

    def figures(self) -> dict[str, Any]:
        """Give what is written of it, in percent; what is not known is left out."""
        known = {"pseudo_auc": percent(self.pseudo_auc)} if np.isfinite(self.pseudo_auc) else {}
        return {"chosen_by": self.by, "weights": self.weights} | known


def decide(params: EnsembleParams, systems: list[str], tables: dict[str, pd.DataFrame]) -> Choice:
    """Choose the members of the ensemble and their weights as params say.

    Parameters
    ----------
    params : EnsembleParams
    systems : list of str
        All there are.
    tables : dict of str to pd.DataFrame
        Those with evidence, see :class:`Evidence`.

    Raises
    ------
    UserError
        Where weights are to be found for a member that is named but has no evidence.
    """
    names = systems if isinstance(params.members, str) else params.members
    if isinstance(params.weights, dict):
        return _by_params(normalised(params.weights), params.fusion, tables)
    if params.weights == "equal":
        return _by_params(equal(names), params.fusion, tables)
    known = {name: tables[name] for name in names if name in tables}
    unknown = [name for name in names if name not in tables]
    if unknown and isinstance(params.members, list):
        raise UserError(
            f"ensemble.weights is auto, but {unknown[0]} has no Diverse Pseudo-AUC: set it to equal or leave it out"
        )
    return choose(known, params.fusion) if known else Choice("no evidence", equal(names), np.nan)


def _by_params(weights: dict[str, float], fusion: str, tables: dict[str, pd.DataFrame]) -> Choice:
    value = np.nan
    if set(weights) <= set(tables):
        value = Evidence({name: tables[name] for name in weights}, fusion).pseudo_auc(np.array([*weights.values()]))
    return Choice("params", weights, value)


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
        return float(by_kind(pd.concat([self.keys, found], axis=1)).mean())


def choose(tables: dict[str, pd.DataFrame], fusion: str, steps: int = STEPS) -> Choice:
    """Choose members and weights by forward selection with replacement.

    Beginning with nothing, the system is added that raises the Diverse Pseudo-AUC of the fused scores most (or lowers
    it least), again and again, the same ones among the candidates every time. Of all that were passed through, the
    best is taken, of equals the first; the weight of a system is how often it was added.

    Parameters
    ----------
    tables, fusion
        See :class:`Evidence`; at least one system.
    steps : int

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    """
    evidence = Evidence(tables, fusion)
    each, counts = np.eye(len(tables)), np.zeros(len(tables))
    found = []
    for step in range(1, steps + 1):
        values = [evidence.pseudo_auc((counts + own) / step) for own in each]
        best = int(np.argmax(values))
        counts = counts + each[best]
        found.append((values[best], counts / step))
    value, weights = max(found, key=lambda own: own[0])
    shares = {name: float(share) for name, share in zip(evidence.names, weights, strict=True) if share}
    return Choice("diverse pseudo-auc", shares, value)
