"""Stage download: simulate or list the recordings of the chosen data set."""

import shutil
from pathlib import Path

from asd.core.artifacts import publish, write_metrics
from asd.core.compute import compute_params
from asd.core.project import HIDDEN, RAW
from asd.core.section import load
from asd.core.stage import run
from asd.datasets.dataset import dataset
from asd.datasets.dataset_params import DatasetParams
from asd.simulation import auxiliary

WORK = Path(".asd/download/work")


def main() -> str:
    """Build both folders aside and move them to ``data/`` when they are whole."""
    params, compute = load(DatasetParams, "dataset"), compute_params()
    shutil.rmtree(WORK, ignore_errors=True)
    try:
        metrics = dataset(params.name).download(params, WORK / "raw", WORK / "truth", compute)
        if params.auxiliary == "simulated":
            auxiliary.download(WORK / "raw", compute)
        publish(WORK / "raw", RAW)
        publish(WORK / "truth", HIDDEN)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    write_metrics("metrics/download.json", metrics)
    files = sum(machine["files"] for machine in metrics["machines"].values())
    return f"{len(metrics['machines'])} machines, {files} recordings in {RAW}"


if __name__ == "__main__":
    run("download", main)
