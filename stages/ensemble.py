"""Stage ensemble: one score from several systems."""

from pathlib import Path

from asd.artifacts import read_csv, write_csv, write_metrics
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.table import summary
from asd.section import load
from asd.stage import run

TEXT = ("clip_id", "machine", "section", "split", "nearest")


def main() -> str:
    """Fuse the systems named in params."""
    params = load(EnsembleParams, "ensemble")
    members = {m: read_csv(Path("data/scores") / m / "scores.csv", TEXT) for m in params.members}
    table = fuse(members, params.quantile)
    write_csv("data/ensemble/scores.csv", table)
    weights = dict.fromkeys(params.members, 1 / len(members))
    write_metrics("metrics/ensemble.json", {"fusion": params.fusion, "weights": weights, "machines": summary(table)})
    return f"{', '.join(members)} fused in data/ensemble/scores.csv"


if __name__ == "__main__":
    run("ensemble", main)
