"""Charts of the report: each draws on matplotlib axes; :func:`inline_svg` shows one in the page's colours."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

Draw = Callable[[Axes], None]

INK, RULE = "#1c2128", "#d9dee5"
# no colour is also one of the cycle: each has a variable of its own
LABEL_COLOURS = {"normal": "#2f7fc1", "anomalous": "#d9602c", "unlabelled": "#7d8794"}
CYCLE = ("#0b62a8", "#d9602b", "#1f8a5b", "#a2489b", "#b8860b", "#16919f", "#7a5230", "#5a5fcf")
# drawn in the colours of a light page; the page's style sheet has another value of each for a dark one
VARIABLES = {INK: "ink", RULE: "rule"} | {c: name for name, c in LABEL_COLOURS.items()}
VARIABLES |= {colour: f"c{i}" for i, colour in enumerate(CYCLE)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
}
UNDATED = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # no metadata: the same bytes for the same chart
SMALL, SQUARE = (2.8, 1.9), (3.2, 2.9)  # [inch]
HISTOGRAM_MARGINS = (0.62, 0.42, 0.18, 0.18)  # [inch], see inline_svg: there are many, and their labels are alike

BINS = 24
FREQUENCY_BINS = 60
MERGES = 40  # of a tree that are shown, the highest
LABELS = {0.0: "normal", 1.0: "anomalous"}
AXES = ["auc_source", "auc_target"]
STEP = 5  # [%] at whose multiples the axes end
PAUC_FPR = 0.1


def inline_svg(
    draw: Draw,
    label: str,
    size: tuple[float, float] = SMALL,
    margins: tuple[float, float, float, float] | None = None,
) -> Markup:
    """Draw a chart as an SVG element of an HTML page.

    Parameters
    ----------
    draw : callable
        Draws on the axes that it is given.
    label : str
        For those who can't see it.
    size : (float, float)
        Width and height [inch] at the page's usual scale.
    margins : (float, float, float, float), optional
        [inch] Left, below, right and above the axes. By default as wide as the labels: drawn for that, a chart takes
        more than twice the time.

    Returns
    -------
    Markup
        Names no font, no address and no date; its colours are the variables of the page's style sheet.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": label}):  # the salt keeps ids of two charts apart
        figure = Figure(figsize=size, layout=None if margins else "constrained")
        axes = figure.subplots()
        if margins:
            left, bottom, right, top = np.divide(margins, [*size, *size])
            figure.subplots_adjust(left, bottom, 1 - right, 1 - top)
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=UNDATED)
    text = file.getvalue()
    box = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index("</defs>") + len("</defs>") :]  # behind the head and a style for the whole page
    body = re.sub(r' id="[^"]*_\d+"', "", body)  # of groups, which nothing refers to
    body = re.sub(r"font-family: [^;]*; |(?<=\d\.\d\d)\d+", "", body).replace("xlink:href", "href")
    for colour, name in VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    return Markup(f'<svg {box and box[0]} role="img" aria-label="{escape(label)}">{body}')


def score_histogram(axes: Axes, scores: pd.DataFrame) -> None:
    """Draw the distribution of one system's scores on one machine's section, by label, and the threshold.

    Parameters
    ----------
    axes : Axes
    scores : pd.DataFrame
        ``score, threshold, anomaly`` of one training seed; ``anomaly`` is NaN where it is unknown.
    """
    values, threshold = scores["score"].to_numpy(), float(scores["threshold"].iloc[0])
    low, high = score_limits(values, threshold)
    edges = np.linspace(low, high, BINS + 1)
    labels = scores["anomaly"].map(LABELS).fillna("unlabelled")
    for label, colour in LABEL_COLOURS.items():
        of_label = values[(labels == label).to_numpy()]
        if len(of_label):
            fractions = np.histogram(np.clip(of_label, low, high), edges)[0] / len(of_label)
            axes.stairs(fractions, edges, fill=True, alpha=0.4, color=colour, label=f"{len(of_label)} {label}")
            axes.stairs(fractions, edges, color=colour)
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1)
    axes.set(xlabel="anomaly score", ylabel="fraction of clips", xlim=(low, high), ylim=(0, None))
    axes.legend(fontsize=6, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)


def score_limits(values: np.ndarray, threshold: float) -> tuple[float, float]:
    """Find the ends of the axis: all but the outermost percent of clips, which count in the outermost bins.

    Parameters
    ----------
    values : np.ndarray [shape=(clips,)]
        Scores.
    threshold : float

    Returns
    -------
    (float, float)
        The threshold lies between them.
    """
    low, high = np.quantile(values, [0.01, 0.99])
    low, high = min(low, threshold), max(high, threshold)
    margin = 0.03 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def roc_curves(axes: Axes, table: pd.DataFrame, colours: dict[str, int]) -> None:
    """Draw each system's ROC curve, and shade the false-positive rates that pAUC integrates over.

    Parameters
    ----------
    axes : Axes
    table : pd.DataFrame
        ``system, false_positive_rate, true_positive_rate``.
    colours : dict of int
        Number of each system's colour, in the order of the legend.
    """
    axes.axvspan(0, PAUC_FPR, color=RULE, alpha=0.5, linewidth=0)
    axes.plot([0, 1], [0, 1], color=RULE, linewidth=1)
    for system, i in colours.items():
        curve, style = table[table["system"] == system], "-" if i < len(CYCLE) else "--"
        x, y = curve["false_positive_rate"], curve["true_positive_rate"]
        axes.plot(x, y, style, color=CYCLE[i % len(CYCLE)], label=system)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def source_against_target(
    axes: Axes, table: pd.DataFrame, used: dict[str, list[float]], colours: dict[str, int]
) -> None:
    """Draw the target over the source AUC of every system by every scorer, both axes alike.

    Parameters
    ----------
    axes : Axes
    table : pd.DataFrame
        ``system, auc_source, auc_target``, in percent, a row a system and scorer.
    used : dict of [float, float]
        Each system's two AUCs by the scorer that it uses, in the order of the legend: a ring.
    colours : dict of int
        Number of each system's colour.
    """
    ends = [*table[AXES].to_numpy().ravel(), *np.ravel(list(used.values()))]
    limits = STEP * (np.floor(min(ends) / STEP)), STEP * (np.floor(max(ends) / STEP) + 1)
    axes.plot(limits, limits, color=RULE, linewidth=1)
    for system, aucs in used.items():
        i = colours[system]
        colour, marker = CYCLE[i % len(CYCLE)], "o" if i < len(CYCLE) else "s"
        points = table[table["system"] == system]
        axes.plot(points["auc_source"], points["auc_target"], marker, ms=3, mew=0, color=colour, label=system)
        axes.plot(*aucs, marker, ms=7, mfc="none", color=colour)
    axes.set(xlabel="source AUC [%]", ylabel="target AUC [%]", xlim=limits, ylim=limits, aspect="equal")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def merge_tree(axes: Axes, tree: pd.DataFrame) -> None:
    """Draw the highest :data:`MERGES` merges of a clustering, all that is below as one leaf, and the cut.

    Parameters
    ----------
    axes : Axes
    tree : pd.DataFrame
        ``step, left, right, height, groups``, lowest merge first.
    """
    brackets, cut = merge_brackets(tree)
    axes.add_collection(LineCollection(brackets, colors=INK, linewidths=0.8))
    axes.autoscale_view()
    if brackets:
        axes.axhline(cut, color=CYCLE[1], linestyle="--", linewidth=1)
    axes.set(xlabel="groups of clips", ylabel="height of the merge", ylim=(0, None), xticks=[])


def merge_brackets(tree: pd.DataFrame) -> tuple[list[list[tuple[float, float]]], float]:
    """Place the highest merges: a bracket of four corners each, and the height of the cut between the groups."""
    if tree.empty:
        return [], 0.0
    highest = tree.tail(MERGES)
    ends = zip(highest["left"].astype(str), highest["right"].astype(str), highest["height"].astype(float), strict=True)
    merges = dict(zip(highest["step"].astype(str), ends, strict=True))
    leaves: list[str] = []
    brackets = []

    def placed(name: str) -> tuple[float, float]:
        if name not in merges:
            leaves.append(name)
            return len(leaves) - 1.0, 0.0
        left, right, height = merges[name]
        (x1, y1), (x2, y2) = placed(left), placed(right)
        brackets.append([(x1, y1), (x1, height), (x2, height), (x2, y2)])
        return (x1 + x2) / 2, height

    placed(str(tree["step"].iloc[-1]))
    heights, groups = tree["height"].to_numpy(dtype=float), int(tree["groups"].iloc[0])
    below = heights[-groups] if groups <= len(heights) else 0.0
    above = heights[-groups + 1] if groups > 1 else heights[-1] * 1.05
    return brackets, float(below + above) / 2


def frequency_histogram(axes: Axes, series: pd.DataFrame) -> None:
    """Draw how many clips have a harmonic series at each fundamental, stacked by the group that it stands for.

    Parameters
    ----------
    axes : Axes
    series : pd.DataFrame
        ``frequency`` [Hz] and ``state``: the group, -1 (grey) for none.
    """
    level = np.log(series["frequency"].to_numpy())
    edges = np.linspace(level.min() - 0.01, level.max() + 0.01, FREQUENCY_BINS + 1)
    states, base = series["state"].to_numpy(), np.zeros(FREQUENCY_BINS)
    for state in np.unique(states):
        top = base + np.histogram(level[states == state], edges)[0]
        colour = RULE if state < 0 else CYCLE[state % len(CYCLE)]
        axes.stairs(top, np.exp(edges), baseline=base, fill=True, color=colour)
        base = top
    axes.set(xlabel="frequency [Hz]; grey: no group", ylabel="clips", xscale="log")
    ticks = np.exp(np.linspace(level.min(), level.max(), 4))
    axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.minorticks_off()


def embedding_scatter(axes: Axes, clips: pd.DataFrame) -> None:
    """Draw clips by two principal components of their embedding: filled of the source domain, hollow of the target.

    Parameters
    ----------
    axes : Axes
    clips : pd.DataFrame
        ``x, y, domain, group``; clips without finite coordinates are left out.
    """
    known = clips.dropna(subset=["x", "y"])
    for number, colour in enumerate(CYCLE):
        for target in (False, True):
            points = known[(known["group"] % len(CYCLE) == number) & ((known["domain"] == "target") == target)]
            face: dict[str, Any] = {"ms": 4, "mfc": "none"} if target else {"ms": 3, "mew": 0}
            if len(points):
                axes.plot(points["x"], points["y"], "o", color=colour, **face)
    axes.set(xlabel="first principal component", ylabel="second", aspect="equal", adjustable="datalim")


def digits(value: float) -> str:
    """Write a number on an axis: three digits, and all of those before the point."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
