"""Source against target AUC of every system by every scorer."""

from pathlib import Path

import numpy as np
import pandas as pd

from asd.base.artifacts import percent, read_csv
from asd.evaluation import joined
from asd.evaluation.curves import ROWS
from asd.evaluation.official import averaged, headlines, point_values

SCORES = Path("data/trade_off")
TEXT = ("scorer", "clip_id", "machine", "section", "split")
MEASURES = ("auc_source", "auc_target", "pauc")
COLUMNS = ("system", "scorer", "official", *MEASURES)


def trade_off_table(systems: list[str], clips: pd.DataFrame, truth: pd.DataFrame, year: int) -> pd.DataFrame:
    """Compute official score, source AUC, target AUC and pAUC of every system by every scorer.

    Parameters
    ----------
    systems : list of str
        All there are; what the stage ``trade_off`` made of them is read.
    clips, truth : pd.DataFrame
    year : int
        Whose metric it is.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, in percent, means over training seeds; machines without both domains are left out.
    """
    points = point_values(joined.labelled_sections(joined.beside_truth(_read(systems), clips, truth)), year)
    points = points[points["headline"] == "official"]
    rows = []
    for name, own in points.groupby("system", sort=False):
        whole = _mean(own[own["enters"]], year)
        figures = [_mean(own[own["measure"] == measure], year) for measure in MEASURES]
        rows.append((*str(name).split("/"), *map(percent, [whole, *figures])))
    return pd.DataFrame(rows[:ROWS], columns=list(COLUMNS))


def _mean(points: pd.DataFrame, year: int) -> float:
    metric = headlines(year)["official"]
    return float(np.mean([averaged(seed, metric) for _, seed in points.groupby("seed")])) if len(points) else np.nan


def _read(systems: list[str]) -> pd.DataFrame:
    """Read every system's scores by every scorer, each pair as a system of its own; nothing was decided."""
    tables = [read_csv(SCORES / system / "scores.csv", TEXT).assign(system=system) for system in systems]
    scores = pd.concat(tables, ignore_index=True)
    return scores.assign(system=scores["system"] + "/" + scores["scorer"], threshold=np.nan, decision=0)
