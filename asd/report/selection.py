"""How the ensemble was chosen, from ``metrics/ensemble.json``: text and tables ready to be shown."""

from typing import Any

from asd.report.tables import Table, number

OWN, WHOLE = "own", "pseudo_auc"  # a system's own scorer; its figure over all kinds of pseudo anomalies


def chosen(metrics: dict[str, Any]) -> str:
    """Say in a line what was fused, how, and on which evidence."""
    by = {name: "" if scorer == OWN else f" by {scorer}" for name, scorer in metrics["scorer"].items()}
    shares = ", ".join(f"{name}{by[name]} {weight:.3g}" for name, weight in sorted(metrics["weights"].items()))
    reached = f"; fused {metrics[WHOLE]:.2f} %" if WHOLE in metrics else ""
    return f"{metrics['fusion']} of {shares}; chosen by {metrics['chosen_by']}{reached}"


def evidence(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate systems by Diverse Pseudo-AUC, each by its scorer in the ensemble; None where there is none."""
    known = [name for name in systems if name in metrics["evidence"]]
    figures = {name: metrics["evidence"][name] for name in known}
    kinds = sorted({kind for own in figures.values() for kind in own} - {WHOLE})
    rows = [
        [name, f"{metrics['weights'].get(name, 0):.3g}", *(number(own.get(key)) for key in (WHOLE, *kinds))]
        for name, own in sorted(figures.items(), key=lambda item: -item[1][WHOLE])
    ]
    return Table(["System", "Weight", "Diverse Pseudo-AUC", *kinds], rows) if rows else None


def scorers(metrics: dict[str, Any], systems: list[str]) -> Table | None:
    """Tabulate the scorer that the evidence would take for every system; None where no others were tried."""
    rows = []
    for name in systems:
        found = metrics["scorers"].get(name, {})
        if len(found) > 1:
            best = max(found, key=lambda scorer: (found[scorer], scorer == OWN))
            rows.append([name, number(found[OWN]), best, number(found[best])])
    return Table(["System", "Its own scorer", "Best scorer", "Its Diverse Pseudo-AUC"], rows) if rows else None
