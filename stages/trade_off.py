"""Stage trade_off: the test clips of every system scored by every scorer."""

from pathlib import Path

from asd.base.artifacts import write_csv
from asd.base.section import read_params
from asd.base.stage import run
from asd.clips import read_clips
from asd.scoring.extracted import are_of, read_extracted, read_trained
from asd.scoring.trade_off import trade_off

EXTRACTED, OUTPUT = Path("data/extracted"), Path("data/trade_off")


def main() -> str:
    """Score the test clips by every scorer, with the embeddings of all systems that are there.

    Those of systems that are no longer in params.yaml too: dvc leaves them, and nothing else may decide what is made.
    """
    clips, trained, seed = read_clips(), read_trained(), int(read_params()["seed"])
    folders = [file.parent for file in sorted(EXTRACTED.glob("*/clips.csv")) if are_of(file.parent, clips)]
    for folder in folders:
        write_csv(OUTPUT / folder.name / "scores.csv", trade_off(clips, trained, read_extracted(folder, clips), seed))
    return f"{len(folders)} systems by every scorer in {OUTPUT}"


if __name__ == "__main__":
    run("trade_off", main)
