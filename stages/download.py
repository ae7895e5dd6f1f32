"""Stage download: simulate or list the recordings of the chosen data set."""

import shutil
from pathlib import Path

from asd.base.artifacts import publish, write_metrics
from asd.base.section import load
from asd.base.stage import run
from asd.datasets import auxiliary
from asd.datasets.params import DatasetParams
from asd.datasets.registry import RAW, TRUTH, dataset

WORK = Path(".asd/download/work")


def main() -> str:
    """Build both folders aside and move them to their places when they are whole."""
    params = load(DatasetParams, "dataset")
    shutil.rmtree(WORK, ignore_errors=True)
    try:
        metrics = dataset(params.name).download(params, WORK / "raw", WORK / "truth")
        if params.auxiliary == "simulated":
            auxiliary.download(WORK / "raw")
        publish(WORK / "raw", RAW)
        publish(WORK / "truth", TRUTH)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    write_metrics("metrics/download.json", metrics)
    files = sum(machine["files"] for machine in metrics["machines"].values())
    return f"{len(metrics['machines'])} machines, {files} recordings in {RAW}"


if __name__ == "__main__":
    run("download", main)
