"""Which normal recordings train and which test, where nobody has said so."""

from pathlib import Path

import pandas as pd

from asd.base.errors import UserError


def divided(table: pd.DataFrame, share: float, folder: Path) -> pd.DataFrame:
    """Divide the normals whose split the tree does not tell: the earlier train, the later test.

    Parameters
    ----------
    table : pd.DataFrame
        Of :func:`asd.datasets.trees.understand`.
    share : float
        Share of each machine's and section's recordings that tests: the last by time, else by name. What was cut or
        heard from one recording stays together.
    folder : Path
        For the complaint.

    Raises
    ------
    UserError
        Where a machine, or a section of it, has nothing to train on.
    """
    table = table.sort_values(["machine", "section", "time", "path"]).reset_index(drop=True)
    keys = [table["machine"], table["section"]]
    recording = table["recording"].where(table["recording"] != "", table["path"])
    open_ = table["split"] == ""
    place = recording[open_].groupby([key[open_] for key in keys]).transform(lambda own: pd.factorize(own)[0])
    count = recording[open_].groupby([key[open_] for key in keys]).transform("nunique")
    trains = place < count - (count * share).astype(int)
    table.loc[open_, "split"] = trains.map({True: "train", False: "test"})
    trained = set(zip(*(key[table["split"] == "train"] for key in keys), strict=True))
    if without := sorted(set(zip(*keys, strict=True)) - trained):
        machine, section = without[0]
        where = f"{machine} section {section}" if section else machine
        raise UserError(f"{folder}: {where} has no normal recording: there is nothing to train on")
    return table
