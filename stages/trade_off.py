"""Stage trade_off@<system>: the test clips scored by every scorer."""

from pathlib import Path

from asd.base.artifacts import write_csv
from asd.base.section import read_params
from asd.base.stage import run
from asd.clips import read_clips
from asd.scoring.extracted import read_extracted, read_trained
from asd.scoring.trade_off import trade_off


def main(name: str) -> str:
    """Score the test clips of one system by every scorer."""
    clips = read_clips()
    extracted = read_extracted(Path("data/extracted") / name, clips)
    table = trade_off(clips, read_trained(), extracted, int(read_params()["seed"]))
    output = Path("data/trade_off") / name / "scores.csv"
    write_csv(output, table)
    return f"{table['scorer'].nunique()} scorers in {output}"


if __name__ == "__main__":
    run("trade_off", main)
