"""Pictures of embeddings before and after training: what fine-tuning makes of the clips that it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asd.base.artifacts import read_csv
from asd.clips import LABELS, TRAIN_CLIPS, read_clips
from asd.pseudo_labels.spaces import space
from asd.report import tables
from asd.report.groups import scatter

BY_EMBEDDINGS = ("hierarchical", "gmm", "hdbscan")  # labels
UNTRAINED = ("none", "reconstruction")  # objectives that teach an encoder no classes


@dataclass(frozen=True)
class Map:
    """Two principal components of a machine's embeddings in a box of 100 x 100 units.

    Attributes
    ----------
    dots : list of (int, str)
        Colour and path of the source clips, a dot of no length each.
    rings : list of (int, float, float)
        Colour and place of each target clip.
    """

    dots: list[tuple[int, str]]
    rings: list[tuple[int, float, float]]


@dataclass(frozen=True)
class Pair:
    """One machine's section before and after."""

    title: str
    before: Map
    after: Map


@dataclass(frozen=True)
class Trained:
    """One system, and which labels colour its clips."""

    system: str
    labels: str
    pairs: list[Pair]


def before_and_after(systems: dict[str, Any], encoder: str, data: Path = Path("data")) -> list[Trained]:
    """Draw the training clips of every system that trains the labellers' encoder, or on labels that they found by it.

    Before: as the labellers embed them; after: as the system remembers them, of its first training seed, machine by
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
    before = _embedded(data / "embeddings" / encoder)
    clips = read_clips(TRAIN_CLIPS).set_index("clip_id").loc[before.index]
    return [_trained(name, systems[name]["labels"], before, clips, data / "extracted" / name) for name in chosen]


def shown(systems: dict[str, Any], encoder: str) -> list[str]:
    """Name the systems of :func:`before_and_after`."""
    trained = {name: system for name, system in systems.items() if system["train"]["objective"] not in UNTRAINED}
    return [n for n, s in trained.items() if s["encoder"] == encoder or s["labels"] in BY_EMBEDDINGS]


def _embedded(folder: Path, array: str = "embeddings.npy") -> pd.DataFrame:
    """Read embeddings ``(clips, bands, dims)`` as a row a clip."""
    values = np.load(folder / array)
    clips = read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]
    return pd.DataFrame(values.reshape(len(values), -1), index=clips)


def _trained(system: str, labels: str, before: pd.DataFrame, clips: pd.DataFrame, extracted: Path) -> Trained:
    first = min(extracted.glob("seed_*.npy"), key=lambda path: int(path.stem.removeprefix("seed_")))
    after = _embedded(extracted, first.name).loc[before.index]
    label = read_csv(LABELS / f"{labels}.csv", ("clip_id", "label")).set_index("clip_id")["label"]
    several = clips[["machine", "section"]].drop_duplicates()["machine"].duplicated().any()
    pairs = []
    for (machine, section), own in clips.groupby(["machine", "section"]):
        title = tables.section_title(str(machine), f"section_{section}", bool(several))
        maps = [drawn(x.loc[own.index].to_numpy(), own["domain"], label.loc[own.index]) for x in (before, after)]
        pairs.append(Pair(title, *maps))
    return Trained(system, labels, pairs)


def drawn(embeddings: np.ndarray, domain: pd.Series, label: pd.Series) -> Map:
    """Place the embeddings ``(clips, dims)`` of one machine, scaled to length 1, by their principal components."""
    plane = np.zeros((len(embeddings), 2))
    projected = space(embeddings, components=2)[:, :2]
    plane[:, : projected.shape[1]] = projected
    group = pd.factorize(label, sort=True)[0]
    points = scatter(pd.DataFrame({"x": plane[:, 0], "y": plane[:, 1], "domain": domain.to_numpy(), "group": group}))
    colours = sorted({colour for colour, target, *_ in points if not target})
    dots = [
        (c, "".join(f"M{x:.4g},{y:.4g}h0" for own, target, x, y in points if own == c and not target)) for c in colours
    ]
    return Map(dots, [(colour, x, y) for colour, target, x, y in points if target])
