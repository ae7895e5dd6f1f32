"""The clips that matter of each machine: the most anomalous, false alarms, misses, and their normal neighbours."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.compute import compute_params, parallel
from asd.core.progress import progress
from asd.core.project import ENSEMBLE
from asd.report.explanations import Bars, bars
from asd.report.sounds import Shown, write_sounds
from asd.report.tables import Table, section_title, several_sections
from asd.scoring.fusion import heaviest_first

EACH = 4  # clips of a kind and section; without labels the most anomalous alone, so many for each kind
OUTCOMES = {
    (0.0, 0): "correctly normal", (1.0, 1): "detected", (0.0, 1): "false alarm", (1.0, 0): "miss",
    (-1.0, 0): "decided normal", (-1.0, 1): "decided anomalous",
}  # fmt: skip
DECISIONS = ("normal", "anomalous")
TEXT = ("clip_id", "machine", "section", "split", "nearest")


class Neighbours(NamedTuple):
    """The normal clip that made the score of each test clip, by one system.

    Attributes
    ----------
    system : str
        Empty where no system names any.
    of : dict of str
        Clip id of the normal clip by that of the test clip.
    """

    system: str
    of: dict[str, str]


@dataclass(frozen=True)
class Clip:
    """A clip to look at; ``anchor`` is its place in the page."""

    clip_id: str
    name: str
    domain: str
    attributes: list[str]
    sound: Shown


@dataclass(frozen=True)
class Judged(Clip):
    """A test clip: why it is shown, how it was decided, its scores by all systems, the normal clip beside it."""

    kinds: list[str]
    outcome: str
    scores: Table
    nearest: Clip | None
    explanation: list[Bars]
    """Of the score by the system that names the nearest clip: by frequency, by time; empty where none does."""


@dataclass(frozen=True)
class Section:
    """One machine's section: its clips, in the order of the recommended system's scores."""

    title: str
    machine: str
    section: str
    clips: list[Judged]


def nearest_clips(data: Path, weights: dict[str, float], systems: list[str]) -> Neighbours:
    """Read the normal clips that made the scores: by the heaviest member of the ensemble that names them, else any.

    Parameters
    ----------
    data : Path
        Folder of what the stages made.
    weights : dict of float
        Of the ensemble's members.
    systems : list of str
        Of params.yaml.
    """
    for system in heaviest_first(systems, weights):
        table = read_csv(data / "scores" / system / "scores.csv", TEXT)
        named = table[(table["seed"] == table["seed"].min()) & (table["split"] == "test") & (table["nearest"] != "")]
        if len(named):
            return Neighbours(system, dict(zip(named["clip_id"], named["nearest"], strict=True)))
    return Neighbours("", {})


def clips_that_matter(
    scores: pd.DataFrame,
    normal: pd.DataFrame,
    paths: dict[str, Path],
    nearest: Neighbours,
    explain: Callable[[pd.DataFrame], dict[str, pd.DataFrame]],
    folder: Path,
) -> list[Section]:
    """Choose the clips of every machine's section by the recommended system, and write their sounds and pictures.

    Parameters
    ----------
    scores : pd.DataFrame
        Labelled test scores of one training seed by all systems, in the order of the page.
    normal : pd.DataFrame
        The training clips: ``clip_id, domain, attributes``.
    paths : dict of Path
        Of every clip's recording.
    nearest : Neighbours
    explain : callable
        Contributions to the scores of clips ``clip_id, machine, section``, by clip id.
    folder : Path
        Where sounds and pictures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    several, known = several_sections(scores), normal.set_index("clip_id")[["domain", "attributes"]].to_dict("index")
    groups = list(scores.groupby(["machine", "section"]))
    kinds = [choose(rows[rows["system"] == ENSEMBLE]) for _, rows in groups]
    chosen_clips = scores[scores["clip_id"].isin(set().union(*kinds))].drop_duplicates("clip_id")
    made_by = explain(chosen_clips) if nearest.system else {}
    wanted = [dict.fromkeys([*chosen, *_beside(chosen, nearest)]) for chosen in kinds]
    recordings = ({clip: paths[clip] for clip in clips} for clips in wanted)
    here = compute_params().model_copy(update={"backend": "threading"})  # the folder is of this machine
    sounds = parallel(partial(write_sounds, folder), recordings, here)
    sections = []
    shown = progress("sounds", "section", len(groups), sounds)
    for ((machine, section), rows), chosen, heard in zip(groups, kinds, shown, strict=True):
        title = section_title(str(machine), f"section_{section}", several)
        beside = {
            clip: Clip(clip, paths[clip].name, known[clip]["domain"], parts(known[clip]["attributes"]), heard[clip])
            for clip in _beside(chosen, nearest)
        }
        rank = rows.groupby("system")["score"].rank(ascending=False, method="min")
        ranked = rows.assign(rank=rank.map(f"{{:.0f}} of {rows['clip_id'].nunique()}".format))
        clips = [
            _judged(
                ranked[ranked["clip_id"] == clip],
                why,
                paths[clip].name,
                heard[clip],
                beside.get(nearest.of.get(clip, "")),
                bars(made_by[clip]) if clip in made_by else [],
            )
            for clip, why in chosen.items()
        ]
        sections.append(Section(title, str(machine), str(section), clips))
    return sections


def choose(scores: pd.DataFrame) -> dict[str, list[str]]:
    """Choose the clips of one section: :data:`EACH` of a kind, most anomalous first.

    Parameters
    ----------
    scores : pd.DataFrame
        ``clip_id, score, decision, anomaly`` of one system; ``anomaly`` is NaN where it is unknown.

    Returns
    -------
    dict of list of str
        The kinds of each clip: ``most anomalous, false alarm, miss``.
    """
    ranked = scores.sort_values(["score", "clip_id"], ascending=[False, True])
    outcome = outcomes(ranked)
    kinds = {"false alarm": ranked[outcome == "false alarm"], "miss": ranked[outcome == "miss"][::-1]}
    each = EACH if ranked["anomaly"].notna().any() else EACH * (1 + len(kinds))
    chosen: dict[str, list[str]] = {}
    for kind, rows in ({"most anomalous": ranked} | kinds).items():
        for clip in rows["clip_id"].head(each):
            chosen.setdefault(clip, []).append(kind)
    return {clip: chosen[clip] for clip in ranked["clip_id"] if clip in chosen}


def outcomes(scores: pd.DataFrame) -> pd.Series:
    """Name what became of each clip, see :data:`OUTCOMES`, by ``anomaly`` and ``decision``."""
    pairs = zip(scores["anomaly"].fillna(-1.0), scores["decision"], strict=True)
    return pd.Series([OUTCOMES[float(anomaly), int(above)] for anomaly, above in pairs], scores.index, dtype=object)


def parts(attributes: str) -> list[str]:
    """Take attributes apart: ``"speed=3;mic=1"`` -> ``["speed=3", "mic=1"]``."""
    return [part for part in attributes.split(";") if part]


def _beside(chosen: dict[str, list[str]], nearest: Neighbours) -> list[str]:
    return list(dict.fromkeys(nearest.of[clip] for clip in chosen if clip in nearest.of))


def _judged(
    rows: pd.DataFrame, kinds: list[str], name: str, sound: Shown, nearest: Clip | None, explanation: list[Bars]
) -> Judged:
    """Describe a clip by its rows of the scores, one a system."""
    own = rows[rows["system"] == ENSEMBLE]
    clip, domain, attributes = own[["clip_id", "domain", "attributes"]].iloc[0]
    cells = [
        [row["system"], f"{row['score']:.4g}", f"{row['threshold']:.4g}", DECISIONS[row["decision"]], row["rank"]]
        for row in rows.to_dict("records")
    ]
    table = Table(["System", "Score", "Threshold", "Decision", "Rank"], cells)
    outcome = outcomes(own).iloc[0]
    return Judged(clip, name, domain, parts(attributes), sound, kinds, outcome, table, nearest, explanation)
