"""Stage trade_off: the test clips of every system scored by every scorer."""

from pathlib import Path

from asd.base.artifacts import write_csv
from asd.base.section import read_params
from asd.base.stage import run
from asd.clips import read_clips
from asd.scoring.extracted import read_extracted, read_trained
from asd.scoring.trade_off import trade_off

OUTPUT = Path("data/trade_off")


def main() -> str:
    """Score the test clips of all systems by every scorer."""
    clips, trained, params = read_clips(), read_trained(), read_params()
    systems = list(params["systems"])  # no param of dvc.yaml: one more is a folder more in data/extracted
    for name in systems:
        extracted = read_extracted(Path("data/extracted") / name, clips)
        write_csv(OUTPUT / name / "scores.csv", trade_off(clips, trained, extracted, int(params["seed"])))
    return f"{len(systems)} systems by every scorer in {OUTPUT}"


if __name__ == "__main__":
    run("trade_off", main)
