"""The data sets that ``dataset.name`` picks, and where the stage ``download`` leaves them."""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from asd.base.artifacts import Metrics
from asd.datasets.params import DatasetParams

RAW = Path("data/raw")
TRUTH = Path("data/truth")

MODULES = {
    "simulated": "asd.datasets.simulated.factory",
    "folder": "asd.datasets.folder",
    **{f"dcase{year}": "asd.datasets.challenge" for year in range(2020, 2027)},
}


class Dataset(Protocol):
    """What the module of a data set offers."""

    def download(self, params: DatasetParams, raw: Path, truth: Path) -> Metrics:
        """Fill the folder ``raw`` (recordings, or where they are) and the folder ``truth`` (what must stay hidden).

        Returns
        -------
        Metrics
            ``name`` and, for each machine, its ``files``.
        """

    def recordings(self, params: DatasetParams, raw: Path, truth: Path) -> pd.DataFrame:
        """List the recordings of the two folders.

        Returns
        -------
        pd.DataFrame
            One row a file, all of it text. What the task tells: ``path`` (from the working directory), ``machine``,
            ``section``, ``split``, ``domain``, ``kind``, ``attributes``, ``recording``, ``time``, ``speed_hz``; what
            it hides: ``anomaly`` (0, 1 or empty), ``true_domain``, ``true_attributes``. See :mod:`asd.clips`.
        """


def dataset(name: str) -> Dataset:
    """Import the data set of that name."""
    return cast(Dataset, import_module(MODULES[name]))
