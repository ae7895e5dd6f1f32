"""Stage ensemble: one score from several systems, chosen without a label."""

from pathlib import Path
from typing import Any

import pandas as pd

from asd.base.artifacts import read_csv, write_csv, write_json, write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.clips import read_clips
from asd.positions import with_positions
from asd.scoring.extracted import read_extracted, read_second, read_trained, with_fitted
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams, ScoreParams
from asd.scoring.summary import summary
from asd.scoring.table import score_table
from asd.selection.choice import decide
from asd.selection.evidence import SystemEvidence, read_evidence, variant
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import OWN

TEXT = ("clip_id", "machine", "section", "split", "nearest")


def main() -> str:
    """Choose members, their scorers and weights as params say, and fuse them."""
    params, clips = load(EnsembleParams, "ensemble"), with_positions(read_clips())
    systems = list(read_params()["systems"])
    evidence = {name: own for name in systems if (own := _evidence(name)) is not None}
    choice = decide(params, systems, evidence)
    members = {name: _scores(name, scorer, clips) for name, scorer in choice.scorers.items()}
    clips = with_fitted(clips, *(Path("data/extracted") / name for name in members))
    table = fuse(members, clips, params, params.fusion, choice.weights)
    write_csv("data/ensemble/scores.csv", table)
    write_json("data/ensemble/systems.json", recipes(read_params()["systems"]))  # for what follows, in order
    machines = summary(table, clips, params, trained=set(clips["clip_id"]))  # scores were standardised by them
    chosen = {"fusion": params.fusion, "machines": machines} | choice.figures()
    shown = {name: {scorer: of["pseudo_auc"] for scorer, of in own.figures.items()} for name, own in evidence.items()}
    found = {name: own.figures[choice.scorers.get(name, OWN)] for name, own in evidence.items()}
    write_metrics("metrics/ensemble.json", chosen | {"evidence": found, "scorers": shown})
    return f"{', '.join(members)} fused in data/ensemble/scores.csv"


def recipes(systems: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """List the systems' blocks without the key ``paper``, which must not make evaluate and report run again."""
    return [(name, {key: value for key, value in own.items() if key != "paper"}) for name, own in systems.items()]


def _evidence(name: str) -> SystemEvidence | None:
    own = load(ScoreParams, "systems", name, "score").root
    return read_evidence(name, own, load(SelectionParams, "selection"), int(read_params()["seed"]))


def _scores(name: str, scorer: str, clips: pd.DataFrame) -> pd.DataFrame:
    """Read a system's scores, or score it by another scorer."""
    if scorer == OWN:
        return read_csv(Path("data/scores") / name / "scores.csv", TEXT)
    extracted = read_extracted(Path("data/extracted") / name, clips)
    clips = with_fitted(clips, Path("data/extracted") / name)
    second = read_second(Path("data/extracted") / name, clips)
    return score_table(clips, read_trained(), extracted, variant(scorer), int(read_params()["seed"]), second)


if __name__ == "__main__":
    run("ensemble", main)
