"""Stage select@<system>: how well a system tells pseudo anomalies from normal clips that its memory lacks."""

from pathlib import Path

from asd.artifacts import write_metrics
from asd.scoring.params import ScoreParams
from asd.section import load, read_params
from asd.selection.evidence import STORED, best_scorer, read_material, scorers_of, write_evidence
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import OWN, pseudo_aucs, pseudo_scores
from asd.stage import run


def main(name: str) -> str:
    """Score held-out training clips and pseudo anomalies; no test clip is read."""
    params, block = load(SelectionParams, "selection"), load(ScoreParams, "systems", name, "score").root
    clips, extracted = read_material(Path("data/extracted") / name, params.labels)
    scorers = scorers_of(block, extracted, params.scorers)
    scores = pseudo_scores(clips, extracted, scorers, params, int(read_params()["seed"]))
    found = write_evidence(name, scores, pseudo_aucs(scores))
    write_metrics(Path("metrics/select") / f"{name}.json", found)
    if not found:
        return f"no Diverse Pseudo-AUC of {name}: its values are of a machine's own network, no other clips have any"
    best = best_scorer(found)
    said = f"Diverse Pseudo-AUC {found[OWN]['pseudo_auc']:.2f}, highest by {best} {found[best]['pseudo_auc']:.2f}"
    return f"{said}, in {STORED / name}"


if __name__ == "__main__":
    run("select", main)
