"""The choice of the ensemble, from ``metrics/ensemble.json``: text and tables for the page."""

from typing import Any

from asd.report.tables import Table, number

OWN = "own"  # a system's own scorer
CRITERIA = {"pseudo_auc": "Diverse Pseudo-AUC", "domain_balance": "domain balance"}  # as ``asd.selection.criteria``


def criterion(metrics: dict[str, Any]) -> str:
    """Name the criterion of the evidence: its figure is the one over all kinds of pseudo anomalies."""
    known = (name for name in CRITERIA for kinds in metrics["evidence"].values() if name in kinds)
    return next(known, "pseudo_auc")


def chosen(metrics: dict[str, Any]) -> str:
    """Write in a line which systems are fused, how, and on which evidence."""
    by = {name: "" if scorer == OWN else f" by {scorer}" for name, scorer in metrics["scorer"].items()}
    shares = ", ".join(f"{name}{by[name]} {weight:.3g}" for name, weight in sorted(metrics["weights"].items()))
    key = criterion(metrics)
    reached = f"; fused {metrics[key]:.2f} %" if key in metrics else ""
    return f"{metrics['fusion']} of {shares}; chosen by {metrics['chosen_by']}{reached}"


def evidence(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate systems by the criterion of the choice, each by its scorer in the ensemble.

    Parameters
    ----------
    metrics : dict
    systems : list of str
        In their order.

    Returns
    -------
    Table or None
        None where there is no evidence.
    """
    whole = criterion(metrics)
    known = [name for name in systems if name in metrics["evidence"]]
    figures = {name: metrics["evidence"][name] for name in known}
    kinds = sorted({kind for of_kinds in figures.values() for kind in of_kinds} - {whole})
    rows = [
        [name, f"{metrics['weights'].get(name, 0):.3g}", *(number(of_kinds.get(key)) for key in (whole, *kinds))]
        for name, of_kinds in figures.items()
    ]
    return Table(["System", "Weight", CRITERIA[whole], *kinds], rows) if rows else None


def scorers(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate for every system the scorer of the highest value by the criterion.

    Parameters
    ----------
    metrics : dict
    systems : list of str

    Returns
    -------
    Table or None
        None where no candidates were tried.
    """
    rows = []
    for name in systems:
        tried = metrics["scorers"].get(name, {})
        if len(tried) > 1:
            best = max(tried, key=lambda scorer: (tried[scorer], scorer == OWN))
            rows.append([name, number(tried[OWN]), best, number(tried[best])])
    title = f"Its {CRITERIA[criterion(metrics)]}"
    return Table(["System", "Its own scorer", "Best scorer", title], rows) if rows else None
