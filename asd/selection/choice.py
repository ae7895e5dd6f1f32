"""Members and weights of an ensemble, chosen by a criterion of training clips alone: :mod:`asd.selection.criteria`."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.core.artifacts import percent
from asd.core.errors import UserError
from asd.scoring.fusion import comparably, equal, normalised
from asd.scoring.params import EnsembleParams
from asd.selection.criteria import CRITERIA
from asd.selection.evidence import SystemEvidence
from asd.selection.trial_scores import NORMAL, OWN, TRIAL

STEPS = 12  # times that a member is added, the same one perhaps again
ROW = [*TRIAL, "kind", "clip_id"]


class Choice(NamedTuple):
    """The choice, and its reason.

    Attributes
    ----------
    by : str
        Where the weights are from: ``diverse pseudo-auc``, ``domain balance``, ``params`` or, for want of evidence,
        ``no evidence``.
    weights : dict of str to float
        Of the members, adding up to one.
    scorers : dict of str to str
        By which scorer each member is scored: :data:`asd.selection.pseudo_auc.OWN`, or a candidate.
    criterion : str
        By which there is evidence.
    reached : float
        It, of the fused scores, a share of 1; NaN where a member has no evidence.
    """

    by: str
    weights: dict[str, float]
    scorers: dict[str, str]
    criterion: str
    reached: float

    def figures(self) -> dict[str, Any]:
        """List the choice as metrics, in percent; the criterion is left out where it is unknown."""
        known = {self.criterion: percent(self.reached)} if np.isfinite(self.reached) else {}
        return {"chosen_by": self.by, "weights": self.weights, "scorer": self.scorers} | known


def decide(params: EnsembleParams, systems: list[str], evidence: dict[str, SystemEvidence]) -> Choice:
    """Choose the members of the ensemble, their scorers and their weights, as params say.

    ``members: auto`` takes the systems that tell pseudo anomalies better than chance (by domain balance, which knows no
    chance, all that have evidence), ``scorers: auto`` each with the scorer of the highest value, which compares within
    a system more surely than between systems; ``weights: auto`` are in proportion to it, ``forward`` are those of
    :func:`forward_selection`. Without any evidence all systems count the same, each by its own scorer.

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
        Where weights depend on the evidence of a member that has none, or systems have evidence by unlike criteria.
    """
    criterion = _criterion(evidence)
    auto = params.scorers == "auto"
    scorers = {name: evidence[name].best if auto and name in evidence else OWN for name in systems}
    alone = {name: item.values[scorers[name]] / 100 for name, item in evidence.items()}
    members = _members(params, systems, alone, CRITERIA[criterion].chance)
    known = None
    if all(name in evidence for name in members):
        known = Evidence({name: evidence[name].of(scorers[name]) for name in members}, params.fusion, criterion)
    weights = _weights(params, members, alone, known, CRITERIA[criterion].title)
    reached = known.value(np.array([weights.get(name, 0.0) for name in members])) if known else np.nan
    by_evidence = params.weights in ("auto", "forward")
    by = "params" if not by_evidence else CRITERIA[criterion].title.lower() if alone else "no evidence"
    return Choice(by, weights, {name: scorers[name] for name in weights}, criterion, reached)


def _criterion(evidence: dict[str, SystemEvidence]) -> str:
    names = sorted({item.criterion for item in evidence.values()}) or ["pseudo_auc"]
    if len(names) > 1:
        raise UserError(f"systems have evidence by {' and '.join(names)}: run dvc repro")
    return names[0]


def _members(params: EnsembleParams, systems: list[str], alone: dict[str, float], chance: float) -> list[str]:
    """Name the members; ``alone`` is the criterion of each system that has evidence, a share of 1."""
    if isinstance(params.members, list):
        return params.members
    above = [name for name in systems if name in alone and alone[name] > chance]
    return (above or list(alone) or systems) if params.members == "auto" else systems


def _weights(
    params: EnsembleParams, members: list[str], alone: dict[str, float], known: "Evidence | None", title: str
) -> dict[str, float]:
    if isinstance(params.weights, dict):
        return normalised(params.weights)
    if params.weights == "equal" or not alone:
        return equal(members)
    if known is None:
        missing = next(name for name in members if name not in alone)
        raise UserError(f"ensemble.weights is {params.weights}, but {missing} has no {title}: set equal")
    if params.weights == "forward":
        return forward_selection(known)
    shares = {name: alone[name] for name in members}
    return normalised(shares) if any(shares.values()) else equal(members)


class Evidence:
    """Scores of the same normal clips, and pseudo anomalies, by several systems, to be fused.

    Parameters
    ----------
    tables : dict of str to pd.DataFrame
        By system, of the criterion's ``scores`` by one scorer.
    fusion : str
        One of :data:`asd.scoring.fusion.FUSIONS`: the held-out normal clips are the reference.
    criterion : str
        One of :data:`asd.selection.criteria.CRITERIA`.

    Raises
    ------
    UserError
        Where systems scored other clips.
    """

    def __init__(self, tables: dict[str, pd.DataFrame], fusion: str, criterion: str = "pseudo_auc") -> None:
        self.names = list(tables)
        first = tables[self.names[0]].reset_index(drop=True)
        columns = []
        for name, table in tables.items():
            if len(table) != len(first) or (table[ROW].to_numpy() != first[ROW].to_numpy()).any():
                raise UserError(f"{name} and {self.names[0]} have evidence of other clips or seeds: run dvc repro")
            split = np.where(table["kind"] == NORMAL, "train", "test")
            columns.append(comparably(table.assign(split=split), fusion)["score"].to_numpy())
        self.scores = np.column_stack(columns)
        self.measured = CRITERIA[criterion].measure(first)

    def value(self, weights: np.ndarray) -> float:
        """Compute the criterion of the weighted mean ``(systems,)``: a share of 1."""
        return self.measured(self.scores @ weights)


def forward_selection(evidence: Evidence, steps: int = STEPS) -> dict[str, float]:
    """Choose members and weights by forward selection with replacement.

    In each step the system is added that raises the criterion of the fused scores most (or lowers it least); all
    systems are candidates every time. The best of all steps is taken, of equals the first; the weight of a system is
    how often it was added.

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
    reached = []
    for step in range(1, steps + 1):
        values = [evidence.value((counts + one) / step) for one in each]
        best = int(np.argmax(values))
        counts = counts + each[best]
        reached.append((values[best], counts / step))
    _, weights = max(reached, key=lambda one: one[0])
    return {name: float(share) for name, share in zip(evidence.names, weights, strict=True) if share}
