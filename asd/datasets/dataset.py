"""The data sets that ``dataset.name`` chooses among."""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd

from asd.core.artifacts import Metrics
from asd.core.compute import ComputeParams
from asd.datasets.dataset_params import DatasetParams

MODULES = {
    "simulated": "asd.simulation.factory",
    "folder": "asd.datasets.folder",
    **{f"dcase{year}": "asd.datasets.challenge" for year in range(2020, 2027)},
}


class Dataset(Protocol):
    """Interface of a data set's module."""

    def download(self, params: DatasetParams, raw: Path, truth: Path, compute: ComputeParams | None = None) -> Metrics:
        """Fill the folders of a data set.

        Parameters
        ----------
        params : DatasetParams
        raw : Path
            Gets the recordings, or the list of where they are.
        truth : Path
            Gets labels and attributes that must stay hidden from all stages but ``index`` and ``evaluate``.
        compute : ComputeParams, optional
            Its number of workers; those of :func:`asd.core.compute.configure` by default.

        Returns
        -------
        Metrics
            ``name`` and, for each machine, its ``files``.
        """

    def recordings(self, params: DatasetParams, raw: Path, truth: Path) -> pd.DataFrame:
        """List the recordings of the two folders.

        Parameters
        ----------
        params : DatasetParams
        raw, truth : Path
            As filled by :meth:`download`.

        Returns
        -------
        pd.DataFrame
            One row a file, all of it text. Given to all stages: ``path`` (from the working directory), ``machine``,
            ``section``, ``split``, ``domain``, ``kind``, ``attributes``, ``recording``, ``time``, ``speed_hz``;
            hidden: ``anomaly`` (0, 1 or empty), ``true_domain``, ``true_attributes``. See
            :func:`asd.core.clips.read_clips`; times are of :func:`asd.datasets.stamps.written`.
        """


def dataset(name: str) -> Dataset:
    """Import the data set of that name."""
    return cast(Dataset, import_module(MODULES[name]))
