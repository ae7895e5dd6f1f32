"""A trained system, or the ensemble, of a project that ``dvc repro`` has made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.clips import training
from asd.core.errors import UserError
from asd.core.project import ENSEMBLE, Project
from asd.core.section import checked
from asd.features.store import FeatureStore
from asd.scoring.candidates import CANDIDATES, FURTHER
from asd.scoring.embeddings import read_embeddings
from asd.scoring.fusion import averaged, nearest_named
from asd.scoring.params import EnsembleParams
from asd.scoring.registry import ScoreParams
from asd.scoring.table import KEYS
from asd.selection.choice import decide
from asd.selection.evidence import read_evidence
from asd.selection.trial_scores import OWN
from asd.systems import BySeed, Detector, System


@dataclass(frozen=True)
class Ensemble(Detector):
    """Several systems, fused as the stage ``ensemble`` does.

    Attributes
    ----------
    members : dict of str to System
    fusion : str
        One of :data:`asd.scoring.fusion.FUSIONS`.
    weights : dict of str to float
    """

    members: dict[str, System]
    fusion: str
    weights: dict[str, float]

    @property
    def stores(self) -> dict[str, FeatureStore]:
        """Training features by front end: of each, a recording's are computed once."""
        return {member.front_end: member.store for member in self.members.values()}

    def judge(self, new: pd.DataFrame, features: dict[str, dict[str, np.ndarray]]) -> tuple[BySeed, np.ndarray]:
        """Fuse the members' scores, standardised by those of training clips; see :meth:`Detector.judge`.

        The nearest clips are those of the heaviest member that names them.
        """
        made, nearest = {}, {}
        for name, member in self.members.items():
            scores, nearest[name] = member.judge(new, features)
            made[name] = [new.assign(split="new", seed=seed, score=own) for seed, own in scores.items()]
        fused = self.fused(made)
        rows = fused[fused["split"] == "new"].groupby("seed")
        by_seed = {int(str(seed)): own.set_index("clip_id")["score"][new["clip_id"]].to_numpy() for seed, own in rows}
        return by_seed, nearest_named(nearest, self.weights)

    def fused(self, further: Mapping[str, list[pd.DataFrame]]) -> pd.DataFrame:
        """Fuse the members' scores of training clips, and of further clips by member."""
        tables = {name: pd.concat([one.scores, *further.get(name, [])]) for name, one in self.members.items()}
        return averaged(tables, list(KEYS), self.fusion, self.weights)


def load_detector(project: Project | Path | str, system: str) -> Detector:
    """Load a system that ``dvc repro`` trained, or the ensemble.

    Parameters
    ----------
    project : Project, Path or str
        The folder with params.yaml and ``data/``.
    system : str
        Of params.yaml, or ``ensemble``.

    Raises
    ------
    UserError
        Where there is no such system, or it is not trained yet.
    """
    project = project if isinstance(project, Project) else Project(project)
    return _load_ensemble(project) if system == ENSEMBLE else _load_system(project, system)


def recommended(project: Project) -> str:
    """Name what is recommended to score by: the ensemble; where a project has none, the first of its systems."""
    return ENSEMBLE if (project.data / ENSEMBLE / "scores.csv").is_file() else next(iter(project.systems))


def _load_ensemble(project: Project) -> Ensemble:
    scores = _training_scores(project.data / ENSEMBLE / "scores.csv", ENSEMBLE)
    params = checked(EnsembleParams, project.params["decision"] | project.params[ENSEMBLE], ENSEMBLE)
    systems = list(project.systems)
    evidence = {name: item for name in systems if (item := read_evidence(project.scores(name))) is not None}
    choice = decide(params, systems, evidence)
    chosen = [name for name in systems if name in choice.scorers]
    members = {name: _load_system(project, name, choice.scorers[name]) for name in chosen}
    first = next(iter(members.values()))
    made = Ensemble(ENSEMBLE, first.clips, scores, project.root, members, params.fusion, choice.weights)
    again = made.fused({})
    if len(again) != len(scores) or not np.allclose(again["score"], scores["score"]):
        raise UserError(f"{project.root / 'params.yaml'} asks for another ensemble than was made: run dvc repro")
    return made


def _load_system(project: Project, system: str, scorer: str = OWN) -> System:
    systems, folder = project.systems, project.model(system)
    if system not in systems:
        raise UserError(f"system is {system!r}: choose among {', '.join([*systems, ENSEMBLE])}")
    if not folder.is_dir():
        raise UserError(f"{folder} holds no trained system: run dvc repro score@{system}")
    made = read_embeddings(project.embeddings(system), project.clips(positions=True), mapped=True)
    rows, front_end = training(made.clips).index.to_numpy(), systems[system]["features"]
    block = project.system_section(ScoreParams, system, "score").root
    if scorer != OWN:
        block = checked(ScoreParams, (CANDIDATES[block.input] | FURTHER)[scorer]).root
    table = project.scores(system) / ("scores.csv" if scorer == OWN else "best.csv")
    return System(
        name=system,
        clips=training(made.clips).reset_index(drop=True),
        scores=_training_scores(table, f"score@{system}"),
        root=project.root,
        folder=folder,
        trained="train" in systems[system],
        front_end=front_end,
        store=FeatureStore(project.features(front_end)),
        scorer=block,
        embeddings={seed: values[rows] for seed, values in made.by_seed.items()},
        reference=project.reference(),
        seed=project.seed,
    )


def _training_scores(path: Path, stage: str) -> pd.DataFrame:
    """Read the pipeline's scores of training clips."""
    if not path.is_file():
        raise UserError(f"{path} is missing: run dvc repro {stage}")
    table = read_csv(path, ("clip_id", "machine", "section", "split"))
    return table.loc[table["split"] == "train", [*KEYS, "score", "threshold"]].reset_index(drop=True)
