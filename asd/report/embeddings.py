"""Embeddings before and after training: how fine-tuning arranges the clips that it was trained on."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from asd.core.artifacts import read_csv
from asd.core.clips import read_clips
from asd.pseudo_labels.spaces import space
from asd.report import tables
from asd.report.charts import SQUARE, embedding_scatter, inline_svg

BY_EMBEDDINGS = ("pseudo/hierarchical", "pseudo/gmm", "pseudo/hdbscan")  # labels


@dataclass(frozen=True)
class Pair:
    """The charts of one machine's section before and after."""

    title: str
    before: Markup
    after: Markup


@dataclass(frozen=True)
class Trained:
    """One system, and which labels colour its clips."""

    system: str
    labels: str
    pairs: list[Pair]


def before_and_after(systems: dict[str, Any], encoder: str, data: Path) -> list[Trained]:
    """Draw the training clips of every system that trains the labellers' encoder, or trains on labels found by it.

    Before: as the encoder of ``embed`` maps them; after: as the trained system does, first training seed, machine by
    machine. No test clip is shown.

    Parameters
    ----------
    systems : dict
        Their blocks of params.yaml.
    encoder : str
        ``embed.encoder``.
    data : Path
        Folder of what the stages made.
    """
    chosen = shown(systems, encoder)
    if not chosen:
        return []
    before = _read(data / "embed" / encoder)
    clips = read_clips(data / "train_clips.csv").set_index("clip_id").loc[before.index]
    trained = []
    for name in chosen:
        labels, folder = systems[name]["labels"], data / "embeddings" / name
        first = min(folder.glob("seed_*.npy"), key=lambda path: int(path.stem.removeprefix("seed_")))
        label = read_csv(data / "labels" / f"{labels}.csv", ("clip_id", "label")).set_index("clip_id")["label"]
        after = _read(folder, first.name).loc[before.index]
        trained.append(Trained(name, labels, _pairs(name, before, after, clips.assign(label=label))))
    return trained


def shown(systems: dict[str, Any], encoder: str) -> list[str]:
    """Name the systems of :func:`before_and_after`.

    Parameters
    ----------
    systems : dict
        Their blocks of params.yaml.
    encoder : str
        ``embed.encoder``.

    Returns
    -------
    list of str
    """
    trained = {name: system for name, system in systems.items() if learns_classes(system)}
    return [n for n, s in trained.items() if s["encoder"] == encoder or s["labels"] in BY_EMBEDDINGS]


def learns_classes(system: dict[str, Any]) -> bool:
    """Tell whether a system's training teaches its encoder classes."""
    return "train" in system and system["train"]["objective"] != "reconstruction"


def _read(folder: Path, array: str = "embeddings.npy") -> pd.DataFrame:
    """Read embeddings ``(clips, groups, dims)`` as a row a clip."""
    values = np.load(folder / array)
    clips = read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]
    return pd.DataFrame(values.reshape(len(values), -1), index=clips)


def _pairs(system: str, before: pd.DataFrame, after: pd.DataFrame, clips: pd.DataFrame) -> list[Pair]:
    several = bool(clips.groupby("machine")["section"].nunique().max() > 1)
    pairs = []
    for (machine, section), rows in clips.groupby(["machine", "section"]):
        title = tables.section_title(str(machine), f"section_{section}", several)
        charts = []
        for when, embeddings in (("before", before), ("after", after)):
            points = principal_plane(embeddings.loc[rows.index].to_numpy(), rows["domain"], rows["label"])
            label = f"Embeddings of {title} {when} training {system}"
            charts.append(inline_svg(partial(embedding_scatter, clips=points), label, SQUARE))
        pairs.append(Pair(title, *charts))
    return pairs


def principal_plane(embeddings: np.ndarray, domain: pd.Series, label: pd.Series) -> pd.DataFrame:
    """Project the embeddings of one machine, scaled to length 1, onto their first two principal components.

    Parameters
    ----------
    embeddings : np.ndarray [shape=(clips, dims)]
    domain, label : pd.Series
        Of each clip.

    Returns
    -------
    pd.DataFrame
        ``x, y, domain, group``: the group counts the labels in their order.
    """
    plane = np.zeros((len(embeddings), 2))
    projected = space(embeddings, components=2)[:, :2]
    plane[:, : projected.shape[1]] = projected
    group = pd.factorize(label, sort=True)[0]
    return pd.DataFrame({"x": plane[:, 0], "y": plane[:, 1], "domain": domain.to_numpy(), "group": group})
