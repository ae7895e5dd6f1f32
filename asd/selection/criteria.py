"""Criteria of a choice without anomalies, by the names of ``selection.criterion``."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.selection import balance, pseudo_auc


class Criterion(NamedTuple):
    """How evidence of a system is made and read.

    Attributes
    ----------
    title : str
    metric : str
        Its key in ``metrics/score/<system>.json``.
    scores : callable
        Scores of held-out clips by all scorers; see :func:`asd.selection.pseudo_auc.pseudo_scores`.
    trials : callable
        The criterion's values, trial by trial, of these scores.
    figures : callable
        Of those by scorer [%], that under the criterion's own name first; more is better.
    measure : callable
        Of one scorer's table the function from other scores of its rows to the criterion, a share of 1.
    files : tuple of str
        Where scores and trials are stored.
    chance : float
        What a system must exceed to be a member of the ensemble by evidence, a share of 1.
    missing : str
        Why there may be no evidence.
    """

    title: str
    metric: str
    scores: Callable[..., pd.DataFrame]
    trials: Callable[[pd.DataFrame], pd.DataFrame]
    figures: Callable[[pd.DataFrame], dict[str, dict[str, float]]]
    measure: Callable[[pd.DataFrame], Callable[[np.ndarray], float]]
    files: tuple[str, str]
    chance: float
    missing: str


CRITERIA = {
    "pseudo_auc": Criterion(
        "Diverse Pseudo-AUC",
        "diverse_pseudo_auc",
        pseudo_auc.pseudo_scores,
        pseudo_auc.pseudo_aucs,
        pseudo_auc.figures,
        pseudo_auc.measure,
        ("pseudo.csv", "pseudo_aucs.csv"),
        0.5,
        "no machine's section has two blocks of normal recordings",
    ),
    "domain_balance": Criterion(
        "domain balance",
        "domain_balance",
        balance.held_out_scores,
        balance.balances,
        balance.figures,
        balance.measure,
        ("balance.csv", "balances.csv"),
        -1.0,
        "no machine's section has two recordings of each domain",
    ),
}
