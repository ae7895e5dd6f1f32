"""A trained system from recording to decision: what ``dvc repro`` left, applied to recordings of any kind."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, nn

from asd.classifiers.task import embed
from asd.core import compute
from asd.core.artifacts import read_json
from asd.core.errors import UserError
from asd.core.project import Project
from asd.datasets.health import grouped
from asd.encoders.embedding import apply
from asd.encoders.networks import load_tensors, read_encoder
from asd.features.fitting import FittedFrontEnd
from asd.features.store import FeatureStore
from asd.recordings import NewClips, Recording, features_by_name, machine_of, read_recording, section_of
from asd.scoring.params import ScorerBlock
from asd.scoring.table import FittedScorer, check_finite, fit_scorer, sections

log = logging.getLogger(__name__)
AT_ONCE = 128  # recordings whose features are held at a time
COLUMNS = ("file", "machine", "score", "threshold", "decision", "nearest", "error")
BySeed = dict[int, np.ndarray]


@dataclass(frozen=True)
class Detector(ABC):
    """What scores recordings: a trained system, or several fused.

    Attributes
    ----------
    name : str
    clips : pd.DataFrame
        Normal training clips.
    scores : pd.DataFrame
        The pipeline's scores of them: ``clip_id, machine, section, split, seed, score, threshold``.
    root : Path
        The project's folder.
    """

    name: str
    clips: pd.DataFrame
    scores: pd.DataFrame
    root: Path

    @property
    @abstractmethod
    def stores(self) -> dict[str, FeatureStore]:
        """Training features by front end, for their descriptions."""

    @abstractmethod
    def judge(self, new: pd.DataFrame, features: dict[str, dict[str, np.ndarray]]) -> tuple[BySeed, np.ndarray]:
        """Score clips ``clip_id, machine, section`` by their features, by front end and clip id.

        Returns
        -------
        dict of int to np.ndarray [shape=(clips,)]
            By training seed; larger is more anomalous.
        np.ndarray [shape=(clips,), dtype=object]
            Clip ids of the nearest normal clips, empty where none made the score.
        """

    @cached_property
    def sections(self) -> dict[str, list[str]]:
        """The sections of every machine that it knows."""
        known = self.clips[["machine", "section"]].drop_duplicates().sort_values(["machine", "section"])
        return {str(machine): list(own["section"]) for machine, own in known.groupby("machine")}

    @cached_property
    def recordings(self) -> dict[str, Path]:
        """Paths of all recordings of the project, by ``clip_id``."""
        return Project(self.root).recordings()

    def score(self, files: Sequence[Path | str], machine: str = "", section: str = "") -> pd.DataFrame:
        """Score recordings of any rate, length and number of channels; means over the training seeds.

        Parameters
        ----------
        files : sequence of Path or str
        machine, section : str
            Whose recordings they are, where neither a folder's and file's name says so nor there is only one.

        Returns
        -------
        pd.DataFrame
            The columns :data:`COLUMNS`, in the order given: ``score`` is larger for the more anomalous, ``decision`` 1
            above ``threshold``, ``nearest`` the clip id of the normal clip that made the score (empty where none did),
            ``error`` empty or why a recording has no score. A training clip has the score that the pipeline
            gave it, against the others.

        Raises
        ------
        UserError
            Where it is not known whose recordings they are.

        Examples
        --------
        >>> import asd
        >>> detector = asd.load_detector("path/to/project", "texture")  # doctest: +SKIP
        >>> detector.score(["fan/one.wav", "fan/two.wav"])[["file", "score", "decision"]]  # doctest: +SKIP
        """
        known = self.sections
        recordings = [self._recording(Path(file), known, machine, section) for file in files]
        parts = [self._some(recordings[start : start + AT_ONCE]) for start in range(0, len(recordings), AT_ONCE)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))

    @property
    def sample_rate(self) -> int:
        """Rate [Hz] that recordings are brought to; the highest, where front ends have several."""
        return max(int(store.description["sample_rate"]) for store in self.stores.values())

    def score_samples(
        self, clips: Iterable[np.ndarray], sample_rate: int, file: Path | str, machine: str = "", section: str = ""
    ) -> pd.DataFrame:
        """Score waveforms in memory, such as a recording that was changed.

        Parameters
        ----------
        clips : iterable of np.ndarray [shape=(frames, channels), dtype=float32]
            Full scale 1.
        sample_rate : int
            [Hz]
        file : Path or str
            Of which they are, named in errors.
        machine, section : str
            See :meth:`score`.

        Returns
        -------
        pd.DataFrame
            ``machine, section, score, threshold, decision, nearest`` of each, as :meth:`score` has them.

        Raises
        ------
        UserError
            Where it is not known whose recording it is, or the front end can't take it.
        """
        whose = self._recording(Path(file), self.sections, machine, section)
        front_ends = self._front_ends({whose.machine})
        of = partial(features_by_name, sample_rate=sample_rate, front_ends=front_ends, recording=whose)
        made = dict(enumerate(compute.parallel(of, clips)))
        ids = {number: f"new-{number:06d}" for number in made}
        new = pd.DataFrame({"clip_id": ids.values()}).assign(machine=whose.machine, section=whose.section)
        features = {name: {ids[number]: rows[name] for number, rows in made.items()} for name in front_ends}
        figures = self._decided(new, *self.judge(new, features), list(ids.values()))
        return pd.concat([new[["machine", "section"]], figures], axis=1)

    def _recording(self, file: Path, known: dict[str, list[str]], machine: str, section: str) -> Recording:
        machine = machine or machine_of(file, list(known))
        if machine not in known:
            raise UserError(f"machine is {machine!r}, which {self.name} does not know: {', '.join(known)}")
        section = section or section_of(file, known[machine])
        if section not in known[machine]:
            raise UserError(f"{file}: which section of {machine}? give section, one of {', '.join(known[machine])}")
        return Recording(str(file), machine, section)

    def _some(self, recordings: Sequence[Recording]) -> pd.DataFrame:
        front_ends = self._front_ends({one.machine for one in recordings})
        read = list(compute.parallel(partial(read_recording, front_ends=front_ends), recordings))
        table = pd.DataFrame([one._asdict() for one in recordings])
        both = zip(recordings, read, strict=True)
        said = [(one.machine, kind, f"{one.file} {what}") for one, clip in both for kind, what in clip.notes]
        for line in grouped(said) if said else ():
            log.warning("%s", line)
        table["error"] = [clip.error for clip in read]
        table["new_id"] = [f"new-{number:06d}" for number in range(len(table))]
        good = table[table["error"] == ""]
        if good.empty:
            return table.reindex(columns=list(COLUMNS))
        readable = [clip for clip in read if not clip.error]
        clips = good[["new_id", "machine", "section"]].rename(columns={"new_id": "clip_id"}).reset_index(drop=True)
        features = {
            name: dict(zip(clips["clip_id"], (clip.features[name] for clip in readable), strict=True))
            for name in front_ends
        }
        figures = self._decided(clips, *self.judge(clips, features), [clip.clip_id for clip in readable])
        return table.join(figures.set_index(good.index))[list(COLUMNS)]

    def _front_ends(self, machines: set[str]) -> dict[str, dict[str, FittedFrontEnd]]:
        """Make the front ends as they were fitted, by name and machine."""
        return {
            name: {machine: FittedFrontEnd.from_description(store.description, machine) for machine in machines}
            for name, store in self.stores.items()
        }

    def _decided(self, new: pd.DataFrame, made: BySeed, nearest: np.ndarray, clip_ids: list[str]) -> pd.DataFrame:
        """Average over training seeds and decide; what the pipeline gave its training clips stands for them."""
        table = pd.DataFrame({"score": np.mean(list(made.values()), axis=0), "threshold": 0.0, "nearest": nearest})
        for (machine, section), rows in _of_sections(new):
            known = self._known[machine, section]
            own = known["score"].reindex([clip_ids[row] for row in rows]).to_numpy()
            table.loc[rows, "score"] = np.where(np.isnan(own), table.loc[rows, "score"], own)
            table.loc[rows, "nearest"] = np.where(np.isnan(own), table.loc[rows, "nearest"], "")
            table.loc[rows, "threshold"] = known["threshold"].iloc[0]
        return table.assign(decision=(table["score"] > table["threshold"]).astype(int))

    @cached_property
    def _known(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The pipeline's scores of training clips by ``clip_id``, means over the training seeds, by section."""
        means = self.scores.groupby(["machine", "section", "clip_id"])[["score", "threshold"]].mean()
        by_section = means.groupby(level=["machine", "section"])
        return {(str(machine), str(section)): rows.droplevel([0, 1]) for (machine, section), rows in by_section}


@dataclass(frozen=True)
class System(Detector):
    """A trained system.

    Attributes
    ----------
    folder : Path
        Of its weights.
    trained : bool
        Whether it has a model; else it is an encoder as it is.
    front_end : str
    store : FeatureStore
        Training features.
    scorer : ScorerBlock
    embeddings : dict of int to np.ndarray
        Its embeddings, or values, of its training clips, by training seed.
    reference : set of str
        ``clip_id`` of those that its scorer is fitted on.
    seed : int
        Of a scorer that is random.
    """

    folder: Path
    trained: bool
    front_end: str
    store: FeatureStore
    scorer: ScorerBlock
    embeddings: BySeed
    reference: set[str]
    seed: int
    _fitted: dict[tuple[str, str], dict[int, FittedScorer]] = field(default_factory=dict, init=False, repr=False)

    @property
    def stores(self) -> dict[str, FeatureStore]:
        """Training features by front end."""
        return {self.front_end: self.store}

    def judge(self, new: pd.DataFrame, features: dict[str, dict[str, np.ndarray]]) -> tuple[BySeed, np.ndarray]:
        """Score clips as the pipeline does; see :meth:`Detector.judge`."""
        values = self._embed(new, features[self.front_end])
        groups = _of_sections(new)
        tasks = [(key, {seed: own[rows] for seed, own in values.items()}) for key, rows in groups]
        scores, nearest = {seed: np.zeros(len(new)) for seed in values}, np.full(len(new), "", dtype=object)
        for (_, rows), (made, by) in zip(groups, compute.parallel(self._score_section, tasks), strict=True):
            nearest[rows] = by
            for seed, score in made.items():
                scores[seed][rows] = score
        return scores, nearest

    def _embed(self, new: pd.DataFrame, features: dict[str, np.ndarray]) -> BySeed:
        device, stores = compute.device(), [NewClips(self.store, features)]
        if self._network is not None:  # training-free: all seeds alike
            network = self._network.to(device)
            return dict.fromkeys(self.embeddings, apply(network, stores, list(new["clip_id"]), device))
        return {seed: embed(self._model, tensors, new, stores, device) for seed, tensors in self._weights.items()}

    @cached_property
    def _network(self) -> nn.Module | None:
        """The encoder of a system without training."""
        return None if self.trained else read_encoder(self.folder)

    @cached_property
    def _model(self) -> dict[str, Any]:
        description: dict[str, Any] = read_json(self.folder / "model.json")
        return description

    @cached_property
    def _weights(self) -> dict[int, dict[str, Tensor]]:
        return {seed: load_tensors(self.folder / f"seed_{seed}.safetensors") for seed in self.embeddings}

    def _score_section(self, task: tuple[tuple[str, str], BySeed]) -> tuple[BySeed, np.ndarray]:
        """Score clips of one machine's section by training seed, and name the nearest clips by the first."""
        (machine, section), values = task
        for own in values.values():
            check_finite(own, machine, section)
        scorers = self._scorers(machine, section)
        made = {seed: scorers[seed].score(own) for seed, own in values.items()}
        return {seed: score for seed, (score, _) in made.items()}, next(iter(made.values()))[1]

    def _scorers(self, machine: str, section: str) -> dict[int, FittedScorer]:
        """Fit the scorers of a machine's section, by training seed, when they are first asked for."""
        if (machine, section) not in self._fitted:
            mine = ((self.clips["machine"] == machine) & (self.clips["section"] == section)).to_numpy()
            clips = self.clips[mine].reset_index(drop=True)
            self._fitted[machine, section] = {
                seed: fit_scorer(own, self.scorer, self.seed + seed)
                for seed, values in self.embeddings.items()
                for own in sections(clips, self.reference, values[mine])
            }
        return self._fitted[machine, section]


def _of_sections(clips: pd.DataFrame) -> list[tuple[tuple[str, str], np.ndarray]]:
    """Find the rows of every machine's section."""
    groups = clips.groupby(["machine", "section"])
    return [((str(machine), str(section)), rows.index.to_numpy()) for (machine, section), rows in groups]
