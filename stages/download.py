"""Stage download: simulate or list the recordings of the chosen data set."""

import shutil

from asd.core.artifacts import publish, write_metrics
from asd.core.compute import compute_params
from asd.core.project import HIDDEN, RAW, Project
from asd.core.stage import run
from asd.datasets.dataset import dataset
from asd.datasets.dataset_params import DatasetParams
from asd.simulation import auxiliary


def main() -> str:
    """Build both folders aside and move them to ``data/`` when they are whole."""
    project, compute = Project(), compute_params()
    params, work = project.section(DatasetParams, "dataset"), project.work / "download" / "work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        metrics = dataset(params.name).download(params, work / "raw", work / "truth", compute)
        if params.auxiliary == "simulated":
            auxiliary.download(work / "raw", compute)
        publish(work / "raw", project.root / RAW)
        publish(work / "truth", project.root / HIDDEN)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_metrics(project.metrics / "download.json", metrics)
    files = sum(machine["files"] for machine in metrics["machines"].values())
    return f"{len(metrics['machines'])} machines, {files} recordings in {project.root / RAW}"


if __name__ == "__main__":
    run("download", main)
