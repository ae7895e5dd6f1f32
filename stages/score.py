"""Stage score@<system>: anomaly scores, thresholds and decisions."""

from pathlib import Path

from asd.base.artifacts import write_csv, write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.clips import read_clips
from asd.positions import with_positions
from asd.scoring.drift import drift
from asd.scoring.extracted import read_extracted, read_second, read_trained, with_fitted
from asd.scoring.params import ScoreParams
from asd.scoring.summary import promise, summary
from asd.scoring.table import score_table, sections


def main(name: str) -> str:
    """Score all machine clips by one system."""
    params, clips = load(ScoreParams, "systems", name, "score").root, with_positions(read_clips())
    clips = with_fitted(clips, Path("data/extracted") / name)
    trained, extracted = read_trained(), read_extracted(Path("data/extracted") / name, clips)
    second = read_second(Path("data/extracted") / name, clips)
    table = score_table(clips, trained, extracted, params, int(read_params()["seed"]), second)
    found = summary(table, clips, params, trained)
    for section in sections(clips, trained, next(iter(extracted.values()))):
        order = drift(section.embeddings[section.memory], section.domain, section.position)
        if order is not None:
            machine, number = section.clips[["machine", "section"]].iloc[0]
            found[machine][f"section_{number}"]["drift"] = order._asdict()
    output = Path("data/scores") / name / "scores.csv"
    write_csv(output, table)
    write_metrics(Path("metrics/score") / f"{name}.json", found)
    said = f"{(table['split'] == 'test').sum()} test scores in {output}"
    return "; ".join(filter(None, [said, promise(found, params)]))


if __name__ == "__main__":
    run("score", main)
