"""One score from several systems."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from asd.core.errors import UserError
from asd.scoring.params import ThresholdParams
from asd.scoring.table import CALIBRATING, COLUMNS, KEYS, decided

GROUPS = ["seed", "machine", "section"]


def fuse(
    members: dict[str, pd.DataFrame],
    clips: pd.DataFrame,
    params: ThresholdParams,
    fusion: str = "mean",
    weights: dict[str, float] | None = None,
) -> pd.DataFrame:
    """Average the members' scores, each made comparable by its own training scores.

    The training clips of the machine, section and training seed are the reference of :data:`FUSIONS`; each was scored
    by a scorer fitted without its block and as if no network had been trained on it
    (:func:`asd.scoring.table.as_unseen`), and no statistic of a test clip enters. The same clips calibrate the fused
    threshold, which is therefore never guaranteed.

    Parameters
    ----------
    members : dict of str to pd.DataFrame
        Score tables, see :func:`asd.scoring.table.score_table`, over the same clips and training seeds.
    clips : pd.DataFrame
        The clip table.
    params : ThresholdParams
        From fused training scores to the threshold.
    fusion : str
        One of :data:`FUSIONS`.
    weights : dict of str to float, optional
        Of the members; all the same by default.

    Returns
    -------
    pd.DataFrame
        A score table; ``nearest`` is that of the heaviest member that names one.
    """
    fused = averaged(members, list(KEYS), fusion, weights)
    rows = pd.MultiIndex.from_frame(fused[list(KEYS)])
    named = {name: table.set_index(list(KEYS))["nearest"].loc[rows].to_numpy() for name, table in members.items()}
    fused["nearest"] = nearest_named(named, weights)
    fused = fused.merge(clips[["clip_id", *CALIBRATING]], on="clip_id", how="left", validate="many_to_one")
    return decided(fused, params).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def averaged(
    members: dict[str, pd.DataFrame], keys: list[str], fusion: str, weights: dict[str, float] | None = None
) -> pd.DataFrame:
    """Average the members' comparable scores.

    Parameters
    ----------
    members : dict of str to pd.DataFrame
        Tables with ``seed, machine, section, split, score`` and the further columns in ``keys``.
    keys : list of str
        The columns that tell rows apart, the same rows in all members.
    fusion, weights
        See :func:`fuse`.

    Returns
    -------
    pd.DataFrame
        ``keys`` and ``score``.

    Raises
    ------
    UserError
        Where members have other rows, or a score is not finite.
    """
    comparable = [comparably(table, fusion).set_index(keys)["score"] for table in members.values()]
    first = next(iter(members))
    for name, scores in zip(members, comparable, strict=True):
        if not scores.index.equals(comparable[0].index):
            raise UserError(f"{name} scored other clips or seeds than {first}: run dvc repro")
        if not np.isfinite(scores).all():
            raise UserError(f"{name} has scores that are no finite numbers: score it again")
    shares = equal(list(members)) if weights is None else normalised(weights)
    columns = np.column_stack([scores.to_numpy() for scores in comparable])
    mean = columns @ np.array([shares[name] for name in members])
    return pd.Series(mean, comparable[0].index, name="score").reset_index()


def heaviest_first(members: Iterable[str], weights: dict[str, float] | None) -> list[str]:
    """Sort members by their weight; of the same weight they stay in their order."""
    return sorted(members, key=lambda name: -(weights or {}).get(name, 0.0))


def nearest_named(named: dict[str, np.ndarray], weights: dict[str, float] | None) -> np.ndarray:
    """Take for every clip the nearest normal clip of the heaviest member that names one.

    Parameters
    ----------
    named : dict of str to np.ndarray [shape=(clips,)] of str
        By member; empty where it names none.
    weights : dict of str to float, optional
        Of the members.

    Returns
    -------
    np.ndarray [shape=(clips,)] of str

    Examples
    --------
    >>> print(nearest_named({"light": np.array(["a", "b"]), "heavy": np.array(["c", ""])}, {"light": 1, "heavy": 2}))
    ['c' 'b']
    """
    first, *others = (named[name] for name in heaviest_first(named, weights))
    for other in others:
        first = np.where(first == "", other, first)
    return first


def normalised(weights: dict[str, float]) -> dict[str, float]:
    """Scale weights so that they add up to one."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def equal(names: list[str]) -> dict[str, float]:
    """Weigh all the same."""
    return dict.fromkeys(names, 1 / len(names))


def comparably(table: pd.DataFrame, fusion: str) -> pd.DataFrame:
    """Make scores comparable between systems, by the training scores of the same machine, section and training seed.

    Parameters
    ----------
    table : pd.DataFrame
        ``seed, machine, section, split, score``.
    fusion : str
        One of :data:`FUSIONS`.

    Returns
    -------
    pd.DataFrame
        The table with other scores.
    """
    made = table["score"].to_numpy(dtype=np.float64, copy=True)
    train = (table["split"] == "train").to_numpy()
    for rows in table.groupby(GROUPS).indices.values():
        made[rows] = FUSIONS[fusion](made[rows], made[rows][train[rows]])
    return table.assign(score=made)


def standardised(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Standardise: ``(s - mean) / std`` of the reference; only the mean goes where that does not vary.

    Parameters
    ----------
    scores : np.ndarray [shape=(clips,)]
    reference : np.ndarray [shape=(others,)]
        Scores of normal clips.
    """
    return (scores - reference.mean()) / _std(reference)


def ranked(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rank among the reference: the share of its n scores that lie below, ties half, linear in between.

    Beyond its largest and smallest score the rank goes on, 1 / n a standard deviation, so that anomalies which all
    normal clips lie below keep their order.

    Parameters
    ----------
    scores, reference
        As those of :func:`standardised`.
    """
    known, counts = np.unique(reference, return_counts=True)
    share = (np.cumsum(counts) - counts / 2) / len(reference)
    beyond = scores - np.clip(scores, known[0], known[-1])
    return np.interp(scores, known, share) + beyond / _std(reference) / len(reference)


def _std(reference: np.ndarray) -> float:
    return float(reference.std()) or 1.0


def compressed(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Standardise, then take ``sign(z) log(1 + |z|)``: among normal clips about z, far out its logarithm.

    Distances are skewed. Where a network's training scores are not those of unseen clips (``hold_out: 0``), they lie
    closer together than any others, and by standardised scores that member outvotes all others on every anomaly.

    Parameters
    ----------
    scores, reference
        As those of :func:`standardised`.
    """
    z = standardised(scores, reference)
    return np.sign(z) * np.log1p(np.abs(z))


FUSIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": standardised,
    "log": compressed,
    "rank": ranked,
}
