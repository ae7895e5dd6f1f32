"""Charts as the ``d`` of SVG paths: the template draws them in the page's own colours, light or dark."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

BINS = 24
LABELS = {0.0: "normal", 1.0: "anomalous"}


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


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
