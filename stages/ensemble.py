"""Stage ensemble: one score from several systems, chosen without a label."""

from pathlib import Path

from asd.artifacts import read_csv, write_csv, write_metrics
from asd.clips import read_clips
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.summary import summary
from asd.section import load, read_params
from asd.selection.choice import decide
from asd.selection.evidence import read_evidence
from asd.stage import run

TEXT = ("clip_id", "machine", "section", "split", "nearest")


def main() -> str:
    """Choose members and weights as params say, and fuse them."""
    params, clips, systems = load(EnsembleParams, "ensemble"), read_clips(), list(read_params()["systems"])
    evidence, found = read_evidence(systems)
    choice = decide(params, systems, evidence)
    members = {m: read_csv(Path("data/scores") / m / "scores.csv", TEXT) for m in choice.weights}
    table = fuse(members, clips, params, params.fusion, choice.weights)
    write_csv("data/ensemble/scores.csv", table)
    machines = summary(table, clips, params, trained=set(clips["clip_id"]))  # scores were standardised by them
    write_metrics(
        "metrics/ensemble.json",
        {"fusion": params.fusion} | choice.figures() | {"evidence": found, "machines": machines},
    )
    return f"{', '.join(members)} fused in data/ensemble/scores.csv"


if __name__ == "__main__":
    run("ensemble", main)
