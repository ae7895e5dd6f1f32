"""A map of each machine's clips by the embeddings of one system: those that are shown are a click away."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.report.clips import Section, outcomes
from asd.report.embeddings import principal_plane
from asd.report.sounds import Ticks, ticks

MOST = 400  # training clips on a map, evenly chosen
KINDS = {0.0: "normal", 1.0: "anomalous", -1.0: "unlabelled"}
MARGIN = 0.04  # of the width of the map


@dataclass(frozen=True)
class Point:
    """A clip at its place [%]; ``anchor`` is its place in the page, empty where it is not shown."""

    x: float
    y: float
    kind: str
    text: str
    anchor: str


@dataclass(frozen=True)
class ClipMap:
    """The clips of one machine's section in two principal components."""

    points: list[Point]
    x: Ticks
    y: Ticks


def clip_maps(
    scores: pd.DataFrame, normal: pd.DataFrame, names: dict[str, str], shown: list[Section], data: Path, system: str
) -> dict[str, ClipMap]:
    """Place the clips of every machine's section by one system's embeddings of them, of length 1.

    Parameters
    ----------
    scores : pd.DataFrame
        Labelled test scores of one training seed by the recommended system.
    normal : pd.DataFrame
        The training clips.
    names : dict of str
        File names by clip id.
    shown : list of Section
    data : Path
        Folder of what the stages made.
    system : str
        Empty: there is no map.

    Returns
    -------
    dict of ClipMap
        By the section's title; those without finite embeddings are left out.
    """
    if not system:
        return {}
    folder = data / "embeddings" / system
    first = min(folder.glob("seed_*.npy"), key=lambda path: int(path.stem.removeprefix("seed_")))
    embeddings = np.load(first, mmap_mode="r")
    rows = {clip: row for row, clip in enumerate(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"])}
    maps = {}
    for one in shown:
        clips = pd.concat([_training(_of(normal, one)), _tests(_of(scores, one))], ignore_index=True)
        values = embeddings[[rows[clip] for clip in clips["clip_id"]]].reshape(len(clips), -1)
        plane = principal_plane(values, clips["domain"], clips["kind"])[["x", "y"]]
        anchors = {clip.clip_id for clip in one.clips}
        if np.isfinite(plane.to_numpy()).all():
            text = clips["clip_id"].map(names) + ", " + clips["text"]
            anchor = clips["clip_id"].where(clips["clip_id"].isin(anchors), "")
            maps[one.title] = placed_points(plane.assign(kind=clips["kind"], text=text, anchor=anchor))
    return maps


def placed_points(clips: pd.DataFrame) -> ClipMap:
    """Scale both axes alike to a box three units wide and two high.

    Parameters
    ----------
    clips : pd.DataFrame
        ``x, y, kind, text, anchor``.
    """
    low, high = clips[["x", "y"]].min(), clips[["x", "y"]].max()
    unit = max((high["x"] - low["x"]) / 3, (high["y"] - low["y"]) / 2, 1e-9) / (1 - 2 * MARGIN)
    ends = {}
    for axis, units in (("x", 3), ("y", 2)):
        middle = (low[axis] + high[axis]) / 2
        ends[axis] = middle - unit * units / 2, middle + unit * units / 2
    places = {axis: (100 * (clips[axis] - a) / (b - a)).round(1) for axis, (a, b) in ends.items()}
    columns = [places["x"], 100 - places["y"], clips["kind"], clips["text"], clips["anchor"]]
    points = [Point(float(x), round(float(y), 1), *rest) for x, y, *rest in zip(*columns, strict=True)]
    return ClipMap(points, ticks(*ends["x"]), ticks(*ends["y"], 4))


def _of(table: pd.DataFrame, one: Section) -> pd.DataFrame:
    return table[(table["machine"] == one.machine) & (table["section"] == one.section)]


def _training(clips: pd.DataFrame) -> pd.DataFrame:
    some = clips.iloc[np.unique(np.linspace(0, len(clips) - 1, min(MOST, len(clips))).astype(int))]
    return some[["clip_id", "domain"]].assign(kind="training", text="training, " + _described(some))


def _tests(scores: pd.DataFrame) -> pd.DataFrame:
    """Order test clips so that those that are anomalous are drawn last, over the others."""
    some = scores.sort_values(["anomaly", "clip_id"], na_position="first")
    text = outcomes(some) + some["score"].map(", score {:.4g}, ".format) + _described(some)
    return some[["clip_id", "domain"]].assign(kind=some["anomaly"].fillna(-1.0).map(KINDS), text=text)


def _described(clips: pd.DataFrame) -> pd.Series:
    return clips["domain"] + clips["attributes"].map(lambda text: f", {text}" if text else "")
