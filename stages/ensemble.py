"""Stage ensemble: one score from several systems."""

from pathlib import Path

from asd.artifacts import read_csv, write_csv, write_metrics
from asd.clips import read_clips
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.summary import summary
from asd.section import load
from asd.stage import run

TEXT = ("clip_id", "machine", "section", "split", "nearest")


def main() -> str:
    """Fuse the systems named in params."""
    params, clips = load(EnsembleParams, "ensemble"), read_clips()
    members = {m: read_csv(Path("data/scores") / m / "scores.csv", TEXT) for m in params.members}
    table = fuse(members, clips, params)
    write_csv("data/ensemble/scores.csv", table)
    weights = dict.fromkeys(params.members, 1 / len(members))
    machines = summary(table, clips, params, trained=set(clips["clip_id"]))  # scores were standardised by them
    write_metrics("metrics/ensemble.json", {"fusion": params.fusion, "weights": weights, "machines": machines})
    return f"{', '.join(members)} fused in data/ensemble/scores.csv"


if __name__ == "__main__":
    run("ensemble", main)
