"""Source against target AUC of every system by every candidate scorer."""

from pathlib import Path

import numpy as np
import pandas as pd

from asd.core.artifacts import percent, read_csv
from asd.evaluation.curves import ROWS
from asd.evaluation.labelled_scores import join_truth, labelled_sections
from asd.evaluation.official import average_points, point_values, score_metrics

TEXT = ("scorer", "clip_id", "machine", "section", "split")
MEASURES = ("auc_source", "auc_target", "pauc")
COLUMNS = ("system", "scorer", "official", *MEASURES)


def trade_off_table(
    systems: list[str], folder: Path, clips: pd.DataFrame, truth: pd.DataFrame, year: int
) -> pd.DataFrame:
    """Compute official score, source AUC, target AUC and pAUC of every system by every scorer.

    Parameters
    ----------
    systems : list of str
        Whose candidates.csv is read.
    folder : Path
        Of all scores.
    clips, truth : pd.DataFrame
    year : int
        Whose metric it is.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, in percent, means over training seeds; machines without both domains are left out.
    """
    points = point_values(labelled_sections(join_truth(_read(systems, folder), clips, truth)), year)
    points = points[points["score_name"] == "official"]
    rows = []
    for name, of_system in points.groupby("system", sort=False):
        whole = _mean(of_system[of_system["enters"]], year)
        figures = [_mean(of_system[of_system["measure"] == measure], year) for measure in MEASURES]
        rows.append((*str(name).split("/"), *map(percent, [whole, *figures])))
    return pd.DataFrame(rows[:ROWS], columns=list(COLUMNS))


def _mean(points: pd.DataFrame, year: int) -> float:
    metric = score_metrics(year)["official"]
    return (
        float(np.mean([average_points(seed, metric) for _, seed in points.groupby("seed")])) if len(points) else np.nan
    )


def _read(systems: list[str], folder: Path) -> pd.DataFrame:
    """Read every system's scores by every candidate, each pair as a system of its own; there are no decisions."""
    tables = [read_csv(folder / system / "candidates.csv", TEXT).assign(system=system) for system in systems]
    scores = pd.concat(tables, ignore_index=True)
    return scores.assign(system=scores["system"] + "/" + scores["scorer"], threshold=np.nan, decision=0)
