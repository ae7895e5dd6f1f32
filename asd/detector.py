"""A trained system from recording to decision: what ``dvc repro`` left, applied to recordings of any kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from asd.base import compute
from asd.base.artifacts import read_csv, read_json
from asd.base.errors import UserError
from asd.base.section import checked, load, read_params
from asd.classifiers.task import module
from asd.clips import read_clips, training
from asd.datasets.index import decode
from asd.encoders.registry import load_tensors, recreate
from asd.features.extraction import extract
from asd.features.params import FrontEnd, FrontEndParams
from asd.features.store import FeatureStore
from asd.positions import with_positions
from asd.scoring.extracted import read_trained, with_fitted
from asd.scoring.params import ScoreParams, ScorerBlock
from asd.scoring.table import score_table

AT_ONCE = 128  # recordings whose features are held at a time
COLUMNS = ("file", "machine", "score", "threshold", "decision", "nearest")
DERIVED = ("bands", "rows_per_second", "machines")  # in a store's description beside the front end's params


class Recording(NamedTuple):
    """A recording to be scored, and whose it is."""

    file: str
    machine: str
    section: str


class NewClips:
    """Features of new recordings, in memory, read like a :class:`~asd.features.store.FeatureStore`."""

    def __init__(self, like: FeatureStore, rows: dict[str, np.ndarray]) -> None:
        self.bands, self.normalised, self._rows = like.bands, like.normalised, rows

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._rows

    def __getitem__(self, clip_id: str) -> np.ndarray:
        return self._rows[clip_id]

    def rows(self, clip_id: str) -> int:
        """Count the rows of one clip."""
        return len(self._rows[clip_id])


@dataclass(frozen=True)
class Detector:
    """A trained system.

    Attributes
    ----------
    name : str
    folder : Path
        Of its weights.
    store : FeatureStore
        Training features, for their description.
    scorer : ScorerBlock
    clips : pd.DataFrame
        Its normal training clips.
    extracted : dict of int to np.ndarray
        What it made of them, by training seed.
    trained : set of str
        ``clip_id`` of those that it remembers.
    scores : pd.DataFrame
        What the pipeline made of its training clips, by ``clip_id``: ``machine, section, score, threshold``, means over
        the training seeds.
    seed : int
        Of what its scorer draws.
    """

    name: str
    folder: Path
    store: FeatureStore
    scorer: ScorerBlock
    clips: pd.DataFrame
    extracted: dict[int, np.ndarray]
    trained: set[str]
    scores: pd.DataFrame
    seed: int

    @property
    def sections(self) -> dict[str, list[str]]:
        """The sections of every machine that it knows."""
        known = self.clips[["machine", "section"]].drop_duplicates().sort_values(["machine", "section"])
        return {str(machine): list(own["section"]) for machine, own in known.groupby("machine")}

    def score(self, recordings: Sequence[Recording]) -> tuple[pd.DataFrame, list[str]]:
        """Score recordings, means over the training seeds.

        Parameters
        ----------
        recordings : sequence of Recording
            Of machines and sections among :attr:`sections`.

        Returns
        -------
        table : pd.DataFrame
            The columns :data:`COLUMNS`, in the order given: ``score`` is larger for the more anomalous, ``decision`` 1
            above ``threshold``, ``nearest`` the clip id of the most similar normal clip (empty where the scorer knows
            none). A training clip is scored against the others, as the pipeline does.
        complaints : list of str
            A line for each recording that can't be scored.
        """
        parts, complaints = [], []
        for start in range(0, len(recordings), AT_ONCE):
            table, wrong = self._some(recordings[start : start + AT_ONCE])
            parts.append(table)
            complaints += wrong
        return pd.concat(parts, ignore_index=True), complaints

    def _some(self, recordings: Sequence[Recording]) -> tuple[pd.DataFrame, list[str]]:
        heard = list(compute.parallel(partial(_listened, description=self.store.description), recordings))
        good = [(one, content, rows) for one, (content, rows) in zip(recordings, heard, strict=True) if len(rows)]
        complaints = [content for content, rows in heard if not len(rows)]
        if not good:
            return pd.DataFrame(columns=list(COLUMNS)), complaints
        new = pd.DataFrame(
            {
                "clip_id": [f"new-{number:06d}" for number in range(len(good))],
                "machine": [one.machine for one, _, _ in good],
                "section": [one.section for one, _, _ in good],
            }
        )
        values = self._extract(new, dict(zip(new["clip_id"], [rows for _, _, rows in good], strict=True)))
        known = {clip: row for row, clip in enumerate(self.clips["clip_id"])}
        shown = [
            content if content in known else name for (_, content, _), name in zip(good, new["clip_id"], strict=True)
        ]
        scored = self._scored(new, values).reindex(shown)
        return scored.assign(file=[one.file for one, _, _ in good])[list(COLUMNS)], complaints

    def _extract(self, new: pd.DataFrame, rows: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
        model: dict[str, Any] = read_json(self.folder / "model.json")
        device, stores = compute.device(), [NewClips(self.store, rows)]
        return {
            seed: module(model["objective"]).extract(
                recreate(model), load_tensors(self.folder / f"seed_{seed}.safetensors"), new, stores, device
            )
            for seed in self.extracted
        }

    def _scored(self, new: pd.DataFrame, values: dict[int, np.ndarray]) -> pd.DataFrame:
        """Score new clips as the pipeline does, beside the training clips of their machines and sections."""
        asked = pd.MultiIndex.from_frame(new[["machine", "section"]])
        mine = pd.MultiIndex.from_frame(self.clips[["machine", "section"]]).isin(asked)
        blank: dict[str, Any] = {
            "split": "test",
            "kind": "machine",
            "domain": "unknown",
            "recording": "",
            "position": -1,
            "fitted": False,
        }
        both = pd.concat([self.clips[mine], new.assign(**blank)], ignore_index=True)
        extracted = {seed: np.concatenate([self.extracted[seed][mine], own]) for seed, own in values.items()}
        table = score_table(both, self.trained, extracted, self.scorer, self.seed)
        found = table.drop_duplicates("clip_id").set_index("clip_id")[["machine", "section", "nearest"]]
        thresholds = self.scores.groupby(["machine", "section"])["threshold"].first()
        limits = thresholds.loc[list(zip(found["machine"], found["section"], strict=True))].to_numpy()
        own = table.groupby("clip_id")["score"].mean()  # of a training clip what the pipeline gave it
        found = found.assign(score=self.scores["score"].reindex(own.index).fillna(own), threshold=limits)
        return found.assign(decision=(found["score"] > limits).astype(int))


def load_detector(name: str) -> Detector:
    """Load a system that ``dvc repro`` trained.

    Raises
    ------
    UserError
        Where there is no such system, or it is not trained yet.
    """
    systems = read_params()["systems"]
    if name not in systems:
        raise UserError(f"--system is {name!r}: choose among {', '.join(systems)}")
    folder, place = Path("data/models") / name, Path("data/extracted") / name
    if not (folder / "model.json").is_file():
        raise UserError(f"{folder} holds no trained system: run dvc repro score@{name}")
    clips = with_fitted(with_positions(read_clips()), place)
    if list(read_csv(place / "clips.csv", ("clip_id",))["clip_id"]) != list(clips["clip_id"]):
        raise UserError(f"{place} holds other clips than data/clips.csv: run dvc repro")
    rows = training(clips).index.to_numpy()
    seeds = read_json(folder / "model.json")["seeds"]
    extracted = {seed: np.load(place / f"seed_{seed}.npy", mmap_mode="r")[rows] for seed in seeds}
    store = FeatureStore(Path("data/features") / systems[name]["features"] / "train")
    scorer = load(ScoreParams, "systems", name, "score").root
    scores = Path("data/scores") / name / "scores.csv"
    if not scores.is_file():
        raise UserError(f"{scores} is missing: run dvc repro score@{name}")
    table = read_csv(scores, ("clip_id", "machine", "section", "split"))
    known = table[table["split"] == "train"].groupby(["clip_id", "machine", "section"])[["score", "threshold"]].mean()
    known = known.reset_index(["machine", "section"])
    normal, seed = training(clips).reset_index(drop=True), int(read_params()["seed"])
    return Detector(name, folder, store, scorer, normal, extracted, read_trained(), known, seed)


def front_end_of(description: dict[str, Any], machine: str) -> FrontEndParams:
    """Read a store's description: the front end, with what was fitted to a machine."""
    params = {key: value for key, value in description.items() if key not in DERIVED}
    return checked(FrontEnd, params | description.get("machines", {}).get(machine, {})).root


def _listened(recording: Recording, description: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Give a recording's content id and features, or a complaint and nothing."""
    decoded = decode(recording.file)
    if decoded.bad:
        return decoded.message, np.zeros(0)
    try:
        rows = extract(recording.file, front_end_of(description, recording.machine))
    except UserError as error:
        return str(error), np.zeros(0)
    return decoded.content, rows.astype(np.float32, copy=False)
