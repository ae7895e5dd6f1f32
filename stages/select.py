"""Stage select@<system>: how well a system tells pseudo anomalies from normal clips that its memory lacks."""

from pathlib import Path

from asd.base.artifacts import write_metrics
from asd.base.section import load, read_params
from asd.base.stage import run
from asd.selection.evidence import STORED, best_scorer, is_embedded, read_material, scorers_of, write_evidence
from asd.selection.params import SelectionParams
from asd.selection.pseudo_auc import pseudo_aucs, pseudo_scores


def main(name: str) -> str:
    """Score held-out training clips and pseudo anomalies by the trade-off's scorers; no test clip is read."""
    params = load(SelectionParams, "selection")
    clips, extracted = read_material(Path("data/extracted") / name, params.labels)
    scores = pseudo_scores(clips, extracted, scorers_of(extracted, params.scorers), params, int(read_params()["seed"]))
    found = write_evidence(name, scores, pseudo_aucs(scores))
    write_metrics(Path("metrics/select") / f"{name}.json", found)
    if not is_embedded(extracted):
        return f"no Diverse Pseudo-AUC of {name}: its values are of a machine's own network, no other clips have any"
    if not found:
        return f"selection.scorers is own: Diverse Pseudo-AUC of {name} is the ensemble's to find"
    best = best_scorer(found)
    return f"highest Diverse Pseudo-AUC by {best}, {found[best]['pseudo_auc']:.2f}, in {STORED / name}"


if __name__ == "__main__":
    run("select", main)
