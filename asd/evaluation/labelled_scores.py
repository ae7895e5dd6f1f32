"""Every system's test scores joined with the true labels by clip, never by order."""

from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import read_csv
from asd.core.errors import UserError
from asd.evaluation.sections import LabelledSection

TEXT = ("clip_id", "machine", "section", "split", "nearest")
LABELLED = (  # columns of labelled scores
    "system", "seed", "clip_id", "machine", "section", "domain", "anomaly",
    "attributes", "recording", "score", "threshold", "decision",
)  # fmt: skip


def read_truth(path: Path) -> pd.DataFrame:
    """Read the ground truth: ``clip_id, anomaly (0, 1 or NaN), domain, attributes`` of all clips."""
    truth = read_csv(path, ("clip_id", "domain", "attributes"))
    wrong = truth.loc[truth["anomaly"].notna() & ~truth["anomaly"].isin([0, 1]), "anomaly"]
    if len(wrong):
        raise UserError(f"{path}: anomaly is {wrong.iloc[0]!r}: 0, 1 or empty")
    return truth


def read_scores(systems: list[str], clips: pd.DataFrame, data: Path, average: bool = False) -> pd.DataFrame:
    """Read the scores of the systems and of the ensemble, and refuse what is incomplete.

    Parameters
    ----------
    systems : list of str
        All there are; ``ensemble`` is added.
    clips : pd.DataFrame
        The clip table.
    average : bool
        Whether the scores of several training seeds are averaged and count as one system's.
    data : Path
        Folder of what the stages made.

    Returns
    -------
    pd.DataFrame
        ``system`` and the columns of a score file, test and training clips, sorted by system, seed, clip_id.

    Raises
    ------
    UserError
        Where a score is not finite, missing, there twice, or of a clip that is not in the clip table.
    """
    files = {system: data / "scores" / system / "scores.csv" for system in systems}
    files["ensemble"] = data / "ensemble" / "scores.csv"
    tables = []
    for system, path in files.items():
        scores = read_csv(path, TEXT)
        check_scores(system, scores, clips)
        scores = scores.sort_values(["seed", "clip_id"])
        tables.append((average_seeds(scores) if average else scores).assign(system=system))
    return pd.concat(tables, ignore_index=True)


def scored_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """Choose the clips that are scored and judged: machine clips of the test split."""
    return clips[(clips["split"] == "test") & (clips["kind"] == "machine")]


def check_scores(system: str, scores: pd.DataFrame, clips: pd.DataFrame) -> None:
    """Refuse scores that are not finite, missing, there twice, or of unknown clips; see :func:`read_scores`.

    Parameters
    ----------
    system : str
        For the error message.
    scores : pd.DataFrame
        A score file.
    clips : pd.DataFrame
        The clip table.
    """
    numbers = pd.to_numeric(scores["score"], errors="coerce")
    _refuse(system, scores[~np.isfinite(numbers)], "has a score that is no finite number")
    _refuse(system, scores[scores.duplicated(["clip_id", "seed"])], "has two scores")
    _refuse(system, scores[~scores["clip_id"].isin(clips["clip_id"])], "has a score of a clip not in data/clips.csv")
    test = scored_clips(clips)
    for seed, scored in scores.groupby("seed"):
        _refuse(system, test[~test["clip_id"].isin(scored["clip_id"])], f"with training seed {seed} has no score")


def _refuse(system: str, wrong: pd.DataFrame, what: str) -> None:
    if len(wrong):
        machine, clip = wrong.iloc[0][["machine", "clip_id"]]
        raise UserError(f"system {system} {what}: machine {machine}, clip {clip} ({len(wrong)} in all): score it again")


def average_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Average scores and thresholds over training seeds; one seed stays as it is."""
    if not scores["clip_id"].duplicated().any():
        return scores
    means = scores.groupby("clip_id")[["score", "threshold"]].mean()
    first = scores.drop_duplicates("clip_id").set_index("clip_id").sort_index()
    decisions = (means["score"] > means["threshold"]).astype(int)
    return first.assign(score=means["score"], threshold=means["threshold"], decision=decisions).reset_index()


def join_truth(scores: pd.DataFrame, clips: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Join test scores with the true labels; a clip without a recording is one by itself.

    Parameters
    ----------
    scores : pd.DataFrame
        Of :func:`read_scores`.
    clips : pd.DataFrame
        The clip table.
    truth : pd.DataFrame
        Of :func:`read_truth`.

    Returns
    -------
    pd.DataFrame
        The columns :data:`LABELLED`, test clips only; ``anomaly`` is NaN where it is unknown.
    """
    recordings = clips[["clip_id", "recording"]]
    known = recordings.merge(truth, on="clip_id", how="left", validate="one_to_one")
    known["recording"] = known["recording"].where(known["recording"] != "", known["clip_id"])
    known[["domain", "attributes"]] = known[["domain", "attributes"]].fillna("")
    table = scores[scores["split"] == "test"].merge(known, on="clip_id", how="left", validate="many_to_one")
    return table[list(LABELLED)]


def labelled_sections(table: pd.DataFrame) -> list[LabelledSection]:
    """Arrange labelled scores by machine x section, unlabelled clips left out."""
    groups = table.groupby(["machine", "section"])
    return [_section(str(machine), str(section), scores) for (machine, section), scores in groups]


def _section(machine: str, section: str, table: pd.DataFrame) -> LabelledSection:
    labelled = table[table["anomaly"].notna()]
    clips = labelled.drop_duplicates("clip_id").sort_values("clip_id")
    scores = {
        str(system): rows.sort_values(["seed", "clip_id"])["score"].to_numpy().reshape(-1, len(clips))
        for system, rows in labelled.groupby("system", sort=False)
    }
    return LabelledSection(
        machine,
        section,
        anomalous=clips["anomaly"].to_numpy() == 1,
        domain=clips["domain"].to_numpy(dtype=object),
        recording=clips["recording"].to_numpy(dtype=object),
        scores=scores,
    )
