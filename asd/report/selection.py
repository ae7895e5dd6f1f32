"""The choice of the ensemble, from ``metrics/ensemble.json``: text and tables for the page."""

from typing import Any

from asd.report.tables import Table, number

OWN, ALL_KINDS = "own", "pseudo_auc"  # a system's own scorer; the figure over all kinds of pseudo anomalies


def chosen(metrics: dict[str, Any]) -> str:
    """Write in a line which systems are fused, how, and on which evidence."""
    by = {name: "" if scorer == OWN else f" by {scorer}" for name, scorer in metrics["scorer"].items()}
    shares = ", ".join(f"{name}{by[name]} {weight:.3g}" for name, weight in sorted(metrics["weights"].items()))
    reached = f"; fused {metrics[ALL_KINDS]:.2f} %" if ALL_KINDS in metrics else ""
    return f"{metrics['fusion']} of {shares}; chosen by {metrics['chosen_by']}{reached}"


def evidence(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate systems by Diverse Pseudo-AUC, each by its scorer in the ensemble.

    Parameters
    ----------
    metrics : dict
    systems : list of str

    Returns
    -------
    Table or None
        None where there is no evidence.
    """
    known = [name for name in systems if name in metrics["evidence"]]
    figures = {name: metrics["evidence"][name] for name in known}
    kinds = sorted({kind for of_kinds in figures.values() for kind in of_kinds} - {ALL_KINDS})
    rows = [
        [name, f"{metrics['weights'].get(name, 0):.3g}", *(number(of_kinds.get(key)) for key in (ALL_KINDS, *kinds))]
        for name, of_kinds in sorted(figures.items(), key=lambda item: -item[1][ALL_KINDS])
    ]
    return Table(["System", "Weight", "Diverse Pseudo-AUC", *kinds], rows) if rows else None


def scorers(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate for every system the scorer of the highest Diverse Pseudo-AUC.

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
    return Table(["System", "Its own scorer", "Best scorer", "Its Diverse Pseudo-AUC"], rows) if rows else None
