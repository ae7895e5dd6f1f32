"""Pictures of pseudo-attributes as SVG paths: merge tree with its cut, frequencies with their groups, embeddings."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MERGES = 40  # of a tree that are drawn, the highest
BINS = 60
COLOURS = 8
OTHER = -1  # families that tell no group
MARGIN = 4.0  # of a box of 100 x 100 units


@dataclass(frozen=True)
class Groups:
    """The pictures of one machine, each in a box of 100 x 100 units.

    Attributes
    ----------
    title : str
    method : str
        Whose merge tree it is.
    tree : str
        Path.
    cut : float
        Height of the cut, from the top.
    bars : list of (int, str)
        Colour (-1: no group's) and path, of families of lines over the logarithm of frequency.
    low, high : str
        [Hz] What the ends of that axis stand for; empty where there is no family.
    points : list of (int, bool, float, float)
        Colour, whether of the target domain, place of each clip.
    """

    title: str
    method: str
    tree: str
    cut: float
    bars: list[tuple[int, str]]
    low: str
    high: str
    points: list[tuple[int, bool, float, float]]


def groups(title: str, trees: pd.DataFrame, clips: pd.DataFrame, families: pd.DataFrame, takes: str) -> Groups:
    """Draw one machine's section.

    Parameters
    ----------
    title : str
    trees, clips, families : pd.DataFrame
        Its rows of ``data/pseudo_labels/``.
    takes : str
        The methods that ``auto`` takes: of these the one with a tree is drawn, or else ``hierarchical``.
    """
    method = next((name for name in takes.split(" x ") if name in set(trees["method"])), "hierarchical")
    own = trees[(trees["method"] == method) & (trees["domain"] == "source")]
    path, at = dendrogram(own)
    bars, low, high = histogram(families)
    return Groups(title, method, path, at, bars, low, high, scatter(clips))


def dendrogram(tree: pd.DataFrame) -> tuple[str, float]:
    """Draw the highest merges of a tree, all that is below as one leaf; give the path and the height of the cut."""
    if tree.empty:
        return "", 100.0
    heights = tree["height"].to_numpy()
    scale = (100 - 2 * MARGIN) / max(heights[-1], 1e-12)
    highest = tree.tail(MERGES)
    ends = zip(highest["left"].astype(str), highest["right"].astype(str), highest["height"].astype(float), strict=True)
    drawn = dict(zip(highest["step"].astype(str), ends, strict=True))
    places: dict[str, float] = {}
    corners = []

    def place(name: str) -> tuple[float, float]:
        if name not in drawn:
            places[name] = float(len(places))
            return places[name], 0.0
        left, right, height = drawn[name]
        (x1, y1), (x2, y2) = place(left), place(right)
        corners.append((x1, y1, height, x2, y2))
        return (x1 + x2) / 2, height

    place(str(tree["step"].iloc[-1]))
    wide = (100 - 2 * MARGIN) / max(len(places) - 1, 1)

    def at(x: float, y: float) -> str:
        return f"{MARGIN + wide * x:.4g},{100 - MARGIN - scale * y:.4g}"

    path = "".join(f"M{at(x1, y1)} {at(x1, top)} {at(x2, top)} {at(x2, y2)}" for x1, y1, top, x2, y2 in corners)
    number = int(tree["groups"].iloc[0])
    below = heights[-number] if number <= len(heights) else 0.0
    above = heights[-number + 1] if number > 1 else heights[-1] * 1.05
    return path, round(100 - MARGIN - scale * float(below + above) / 2, 2)


def histogram(families: pd.DataFrame) -> tuple[list[tuple[int, str]], str, str]:
    """Draw how many clips have a family at each frequency, stacked by the group that it tells."""
    if families.empty:
        return [], "", ""
    level = np.log(families["frequency"].to_numpy())
    edges = np.linspace(level.min() - 0.01, level.max() + 0.01, BINS + 1)
    states = families["state"].to_numpy()
    counts = {int(s): np.histogram(level[states == s], edges)[0] for s in np.unique(states)}
    tallest, floor, bars = np.sum(list(counts.values()), axis=0).max(), np.zeros(BINS), []
    for state, count in counts.items():
        boxes = [
            f"M{100 * i / BINS:.4g},{100 - 100 * floor[i] / tallest:.4g}v{-100 * n / tallest:.4g}"
            f"h{100 / BINS:.4g}v{100 * n / tallest:.4g}z"
            for i, n in enumerate(count)
            if n
        ]
        bars.append((state if state == OTHER else state % COLOURS, "".join(boxes)))
        floor += count
    return bars, f"{np.exp(edges[0]):.3g}", f"{np.exp(edges[-1]):.3g}"


def scatter(clips: pd.DataFrame) -> list[tuple[int, bool, float, float]]:
    """Place the clips whose embedding is finite, both axes on one scale."""
    known = clips.dropna(subset=["x", "y"])
    plane = known[["x", "y"]].to_numpy(dtype=float)
    if not len(plane):
        return []
    middle, reach = (plane.max(axis=0) + plane.min(axis=0)) / 2, max(float(np.ptp(plane, axis=0).max()), 1e-12)
    placed = 50 + (plane - middle) * (100 - 2 * MARGIN) / reach
    target = (known["domain"] == "target").to_numpy()
    colours = known["group"].to_numpy() % COLOURS
    return [
        (int(c), bool(t), round(float(x), 2), round(100 - float(y), 2))
        for c, t, (x, y) in zip(colours, target, placed, strict=True)
    ]
