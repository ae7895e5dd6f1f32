"""A trained system from recording to decision: what ``dvc repro`` left, applied to recordings of any kind."""

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor, nn

from asd.classifiers.task import embed
from asd.core import compute
from asd.core.artifacts import read_csv, read_json
from asd.core.clips import training
from asd.core.errors import UserError
from asd.core.project import Project
from asd.datasets.dcase import parse_name
from asd.datasets.health import grouped
from asd.datasets.index import decode_samples
from asd.encoders.embedding import apply
from asd.encoders.networks import load_tensors, read_encoder
from asd.features.extraction import features_of
from asd.features.fitting import FittedFrontEnd
from asd.features.store import FeatureStore
from asd.scoring.embeddings import read_embeddings
from asd.scoring.params import ScorerBlock
from asd.scoring.registry import ScoreParams
from asd.scoring.table import FittedScorer, check_finite, fit_scorer, sections

log = logging.getLogger(__name__)
AT_ONCE = 128  # recordings whose features are held at a time
COLUMNS = ("file", "machine", "score", "threshold", "decision", "nearest", "error")


class Recording(NamedTuple):
    """A recording to be scored, and whose it is."""

    file: str
    machine: str
    section: str


class Clip(NamedTuple):
    """A recording's content id and features, or why it has none; and what else to say of it, by name."""

    clip_id: str = ""
    features: np.ndarray = np.zeros(0)
    error: str = ""
    notes: tuple[tuple[str, str], ...] = ()


class NewClips(FeatureStore):
    """Features of new recordings, in memory.

    Parameters
    ----------
    like : FeatureStore
        Features of the same front end.
    features : dict of str to np.ndarray [shape=(n_frames, n_features)]
        By clip id.
    """

    def __init__(self, like: FeatureStore, features: dict[str, np.ndarray]) -> None:
        self.description, self.n_features, self._features = like.description, like.n_features, features
        self.clip_ids = sorted(features)

    def __len__(self) -> int:
        return len(self._features)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._features

    def __getitem__(self, clip_id: str) -> np.ndarray:
        return self._features[clip_id]

    def n_frames(self, clip_id: str) -> int:
        """Count the frames of one clip."""
        return len(self._features[clip_id])


@dataclass(frozen=True)
class Detector:
    """A trained system.

    Attributes
    ----------
    name : str
    folder : Path
        Of its weights.
    trained : bool
        Whether it has a model; else it is an encoder as it is.
    store : FeatureStore
        Training features, for their description.
    scorer : ScorerBlock
    clips : pd.DataFrame
        Its normal training clips.
    embeddings : dict of int to np.ndarray
        Its embeddings, or values, of them, by training seed.
    reference : set of str
        ``clip_id`` of those that its scorer is fitted on.
    scores : pd.DataFrame
        The pipeline's scores of its training clips, by ``clip_id``: ``machine, section, score, threshold``, means over
        the training seeds.
    seed : int
        Of a scorer that is random.
    """

    name: str
    folder: Path
    trained: bool
    store: FeatureStore
    scorer: ScorerBlock
    clips: pd.DataFrame
    embeddings: dict[int, np.ndarray]
    reference: set[str]
    scores: pd.DataFrame
    seed: int
    _fitted: dict[tuple[str, str], dict[int, FittedScorer]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def sections(self) -> dict[str, list[str]]:
        """The sections of every machine that it knows."""
        known = self.clips[["machine", "section"]].drop_duplicates().sort_values(["machine", "section"])
        return {str(machine): list(own["section"]) for machine, own in known.groupby("machine")}

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
            ``error`` empty or why a recording has no score. A training clip is scored against the others, as the
            pipeline does.

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

    def _recording(self, file: Path, known: dict[str, list[str]], machine: str, section: str) -> Recording:
        machine = machine or _machine_of(file, list(known))
        if machine not in known:
            raise UserError(f"machine is {machine!r}, which {self.name} does not know: {', '.join(known)}")
        section = section or _section_of(file, known[machine])
        if section not in known[machine]:
            raise UserError(f"{file}: which section of {machine}? give section, one of {', '.join(known[machine])}")
        return Recording(str(file), machine, section)

    def _some(self, recordings: Sequence[Recording]) -> pd.DataFrame:
        front_ends = {
            machine: FittedFrontEnd.from_description(self.store.description, machine)
            for machine in {one.machine for one in recordings}
        }
        read = list(compute.parallel(partial(_extract_features, front_ends=front_ends), recordings))
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
        features = dict(zip(clips["clip_id"], (clip.features for clip in readable), strict=True))
        figures = self._scored(clips, self._embed(clips, features), [clip.clip_id for clip in readable])
        return table.join(figures.set_index(good.index))[list(COLUMNS)]

    def _embed(self, new: pd.DataFrame, features: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
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

    def _scored(self, new: pd.DataFrame, values: dict[int, np.ndarray], clip_ids: list[str]) -> pd.DataFrame:
        """Score clips, in their order, as the pipeline does; what it gave its training clips stands for them."""
        groups = [
            ((str(machine), str(section)), rows.index.to_numpy())
            for (machine, section), rows in new.groupby(["machine", "section"])
        ]
        tasks = [(key, {seed: own[rows] for seed, own in values.items()}) for key, rows in groups]
        scores, limits, nearest = np.zeros(len(new)), np.zeros(len(new)), np.full(len(new), "", dtype=object)
        for (key, rows), (score, by) in zip(groups, compute.parallel(self._score_section, tasks), strict=True):
            own = self._known[key]["score"].reindex([clip_ids[row] for row in rows]).to_numpy()
            scores[rows] = np.where(np.isnan(own), score, own)
            nearest[rows] = np.where(np.isnan(own), by, "")
            limits[rows] = self._known[key]["threshold"].iloc[0]
        decision = (scores > limits).astype(int)
        return pd.DataFrame({"score": scores, "threshold": limits, "decision": decision, "nearest": nearest})

    @cached_property
    def _known(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The pipeline's scores of training clips, by machine and section."""
        by = self.scores.groupby(["machine", "section"])
        return {(str(machine), str(section)): rows for (machine, section), rows in by}

    def _score_section(self, task: tuple[tuple[str, str], dict[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Score clips of one machine's section: means over the training seeds, and the nearest clips by the first."""
        (machine, section), values = task
        for own in values.values():
            check_finite(own, machine, section)
        scorers = self._scorers(machine, section)
        made = [scorers[seed].score(own) for seed, own in values.items()]
        return np.mean([score for score, _ in made], axis=0), made[0][1]

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


def load_detector(project: Project | Path | str, system: str) -> Detector:
    """Load a system that ``dvc repro`` trained.

    Parameters
    ----------
    project : Project, Path or str
        The folder with params.yaml and ``data/``.
    system : str
        Of params.yaml.

    Raises
    ------
    UserError
        Where there is no such system, or it is not trained yet.
    """
    project = project if isinstance(project, Project) else Project(project)
    systems, folder = project.systems, project.model(system)
    if system not in systems:
        raise UserError(f"system is {system!r}: choose among {', '.join(systems)}")
    if not folder.is_dir():
        raise UserError(f"{folder} holds no trained system: run dvc repro score@{system}")
    made = read_embeddings(project.embeddings(system), project.clips(positions=True), mapped=True)
    rows = training(made.clips).index.to_numpy()
    scores = project.scores(system) / "scores.csv"
    if not scores.is_file():
        raise UserError(f"{scores} is missing: run dvc repro score@{system}")
    table = read_csv(scores, ("clip_id", "machine", "section", "split"))
    of_training = table[table["split"] == "train"].groupby(["clip_id", "machine", "section"])[["score", "threshold"]]
    return Detector(
        name=system,
        folder=folder,
        trained="train" in systems[system],
        store=FeatureStore(project.features(systems[system]["features"])),
        scorer=project.system_section(ScoreParams, system, "score").root,
        clips=training(made.clips).reset_index(drop=True),
        embeddings={seed: values[rows] for seed, values in made.by_seed.items()},
        reference=project.reference(),
        scores=of_training.mean().reset_index(["machine", "section"]),
        seed=project.seed,
    )


def _machine_of(file: Path, known: list[str]) -> str:
    """Take the machine that a folder on the way to a file is named after, else the only one."""
    folders = [*file.absolute().parts[-2::-1], *file.resolve().parts[-2::-1]]  # a link's own name, then its goal's
    named = [name for folder in folders if (name := unicodedata.normalize("NFC", folder)) in known]
    if not named and len(known) > 1:
        raise UserError(f"{file}: whose recording is it? give machine, one of {', '.join(known)}")
    return named[0] if named else known[0]


def _section_of(file: Path, known: list[str]) -> str:
    if len(known) == 1:
        return known[0]
    try:
        return parse_name(file.name).section
    except UserError:
        return ""


def _extract_features(recording: Recording, front_ends: dict[str, FittedFrontEnd]) -> Clip:
    samples, decoded = decode_samples(recording.file)
    if decoded.bad:
        return Clip(error=decoded.message)
    try:
        features = features_of(samples, decoded.sample_rate, front_ends[recording.machine], recording.file)
    except UserError as error:
        return Clip(error=str(error))
    return Clip(decoded.content, features.astype(np.float32, copy=False), notes=decoded.notes)
