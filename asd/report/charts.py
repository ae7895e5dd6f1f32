"""Charts as the ``d`` of SVG paths: the template draws them in the page's own colours, light or dark."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

BINS = 24
LABELS = {0.0: "normal", 1.0: "anomalous"}
AXES = ["auc_source", "auc_target"]
STEP = 5  # [%] at whose multiples the axes end


@dataclass(frozen=True)
class Panel:
    """The score distribution of one machine's section: areas by label, in a box of 100 x 40 units.

    Attributes
    ----------
    title : str
    areas : list of (str, str, int)
        Label, path, how many clips.
    threshold : float
        Its place, 0 to 100 units.
    low, high : str
        What the ends of the axis stand for.
    """

    title: str
    areas: list[tuple[str, str, int]]
    threshold: float
    low: str
    high: str


@dataclass(frozen=True)
class Curve:
    """One system's ROC curve in a box of 100 x 100 units."""

    system: str
    path: str


class Point(NamedTuple):
    """A place in a box of 100 x 100 units, and what is said of it."""

    x: str
    y: str
    said: str


@dataclass(frozen=True)
class Cloud:
    """One system: a point for every scorer, a ring for the one that it uses."""

    system: str
    points: list[Point]
    ring: list[Point]


@dataclass(frozen=True)
class TradeOff:
    """All systems by every scorer, and what the ends of both axes stand for."""

    clouds: list[Cloud]
    low: str
    high: str


def panel(title: str, scores: pd.DataFrame) -> Panel:
    """Draw the score distribution of one system on one machine's section.

    Parameters
    ----------
    title : str
    scores : pd.DataFrame
        ``score, threshold, anomaly`` of one training seed; ``anomaly`` is NaN where nobody knows.
    """
    values, threshold = scores["score"].to_numpy(), float(scores["threshold"].iloc[0])
    low, high = _span(values, threshold)
    edges = np.linspace(low, high, BINS + 1)
    groups = scores["anomaly"].map(LABELS).fillna("unlabelled")
    areas = []
    for label in (*LABELS.values(), "unlabelled"):
        own = values[(groups == label).to_numpy()]
        if len(own):
            shares = np.histogram(np.clip(own, low, high), edges)[0] / len(own)
            areas.append((label, shares, len(own)))
    tallest = max(shares.max() for _, shares, _ in areas)
    drawn = [(label, steps(shares / tallest), count) for label, shares, count in areas]
    return Panel(title, drawn, round(100 * (threshold - low) / (high - low), 2), f"{low:.3g}", f"{high:.3g}")


def _span(values: np.ndarray, threshold: float) -> tuple[float, float]:
    """Choose the axis: all but the outermost percent of clips, which count in the outermost bins."""
    low, high = np.quantile(values, [0.01, 0.99])
    low, high = min(low, threshold), max(high, threshold)
    margin = 0.03 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def steps(heights: np.ndarray, width: float = 100, height: float = 40) -> str:
    """Draw a histogram as a closed path; heights are shares of the box."""
    places = np.linspace(0, width, len(heights) + 1)
    tops = height * (1 - heights)
    corners = [f"V{_short(top)}H{_short(right)}" for top, right in zip(tops, places[1:], strict=True)]
    return f"M0,{_short(height)}{''.join(corners)}V{_short(height)}Z"


def roc_curves(table: pd.DataFrame) -> list[Curve]:
    """Draw each system's ROC curve.

    Parameters
    ----------
    table : pd.DataFrame
        ``system, false_positive_rate, true_positive_rate``.
    """
    curves = []
    for system, own in table.groupby("system", sort=False):
        x, y = 100 * own["false_positive_rate"], 100 * (1 - own["true_positive_rate"])
        points = " ".join(f"{_short(a)},{_short(b)}" for a, b in zip(x, y, strict=True))
        curves.append(Curve(str(system), f"M{points}"))
    return curves


def trade_off(table: pd.DataFrame, systems: list[str], used: dict[str, Any]) -> TradeOff | None:
    """Draw the target over the source AUC of every system by every scorer, both axes alike.

    Parameters
    ----------
    table : pd.DataFrame
        ``system, scorer, official, auc_source, auc_target``, in percent.
    systems : list of str
        In the order of their colours.
    used : dict
        Each system's ``auc_source`` and ``auc_target`` by the scorer that it uses.

    Returns
    -------
    TradeOff
        None where the metric has no domains, or no machine has both.
    """
    table = table.dropna(subset=AXES)
    if table.empty:
        return None
    rings = {name: [used[name][axis] for axis in AXES] for name in systems if AXES[0] in used[name]}
    ends = [*table[AXES].to_numpy().ravel(), *np.ravel(list(rings.values()))]
    low, high = STEP * (np.floor(min(ends) / STEP)), STEP * (np.floor(max(ends) / STEP) + 1)
    clouds = []
    for name in systems:
        rows = table[table["system"] == name].to_dict("records")
        points = [Point(*_place([row[axis] for axis in AXES], low, high), _said(row)) for row in rows]
        ring = [Point(*_place(rings[name], low, high), f"{name} as it is")] if name in rings else []
        clouds.append(Cloud(name, points, ring))
    return TradeOff(clouds, f"{low:g}", f"{high:g}")


def _place(aucs: list[float], low: float, high: float) -> tuple[str, str]:
    x, y = (100 * (auc - low) / (high - low) for auc in aucs)
    return _short(x), _short(100 - y)


def _said(row: dict[Any, Any]) -> str:
    figures = f"source {row['auc_source']:.2f}, target {row['auc_target']:.2f}, official score {row['official']:.2f}"
    return f"{row['system']} by {row['scorer']}: {figures}"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
