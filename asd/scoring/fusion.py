"""One score from several systems."""

import numpy as np
import pandas as pd

from asd.errors import UserError
from asd.scoring.params import ThresholdParams
from asd.scoring.table import COLUMNS, KEYS, decided


def fuse(members: dict[str, pd.DataFrame], clips: pd.DataFrame, params: ThresholdParams) -> pd.DataFrame:
    """Average the members' scores, each standardised by its own training scores.

    ``z = (score - mean) / deviation``, mean and deviation over the training clips of the machine, section and
    training seed; no statistic of a test clip enters. The same clips calibrate the fused threshold, which is
    therefore never guaranteed.

    Parameters
    ----------
    members : dict of str to pd.DataFrame
        Score tables, see :func:`asd.scoring.table.score_table`, over the same clips and training seeds.
    clips : pd.DataFrame
        The clip table.
    params : ThresholdParams
        From fused training scores to the threshold.

    Returns
    -------
    pd.DataFrame
        A score table; ``nearest`` is empty.
    """
    standard = [standardised(table).set_index(list(KEYS))["score"] for table in members.values()]
    for name, scores in zip(members, standard, strict=True):
        if not scores.index.equals(standard[0].index):
            raise UserError(f"{name} scored other clips or seeds than {next(iter(members))}: run dvc repro")
    fused = pd.concat(standard, axis=1).mean(axis=1).rename("score").reset_index().assign(nearest="")
    fused = fused.merge(clips[["clip_id", "domain"]], on="clip_id", how="left", validate="many_to_one")
    parts = [decided(rows, params, held_out=False) for _, rows in fused.groupby(["seed", "machine", "section"])]
    return pd.concat(parts).sort_values(["seed", "clip_id"])[list(COLUMNS)].reset_index(drop=True)


def standardised(table: pd.DataFrame) -> pd.DataFrame:
    """Standardise scores by the training scores of the same machine, section and training seed."""
    groups = ["seed", "machine", "section"]
    train = table[table["split"] == "train"].groupby(groups)["score"]
    statistics = pd.DataFrame({"mean": train.mean(), "deviation": train.std(ddof=0)})
    joined = table.merge(statistics, on=groups, how="left", validate="m:1")
    deviation = np.where(joined["deviation"] > 0, joined["deviation"], 1.0)
    return table.assign(score=((joined["score"] - joined["mean"]) / deviation).to_numpy())
