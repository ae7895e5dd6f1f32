"""Stage score@<system>: anomaly scores, thresholds and decisions."""

from pathlib import Path

import numpy as np

from asd.artifacts import read_csv, write_csv, write_metrics
from asd.clips import read_clips
from asd.errors import UserError
from asd.scoring.params import ScoreParams
from asd.scoring.table import score_table, summary
from asd.section import load
from asd.stage import run


def main(name: str) -> str:
    """Score all machine clips by one system."""
    params = load(ScoreParams, "systems", name, "score").root
    folder, clips = Path("data/extracted") / name, read_clips()
    if list(read_csv(folder / "clips.csv", ("clip_id",))["clip_id"]) != list(clips["clip_id"]):
        raise UserError(f"{folder} holds other clips than data/clips.csv: run dvc repro")
    seeds = sorted(int(p.stem.removeprefix("seed_")) for p in folder.glob("seed_*.npy"))
    extracted = {seed: np.load(folder / f"seed_{seed}.npy") for seed in seeds}
    table = score_table(clips, extracted, params)
    output = Path("data/scores") / name / "scores.csv"
    write_csv(output, table)
    write_metrics(Path("metrics/score") / f"{name}.json", summary(table))
    return f"{(table['split'] == 'test').sum()} test scores in {output}"


if __name__ == "__main__":
    run("score", main)
