"""Stage score@<system>: scores of all clips and of pseudo anomalies, by the system's own scorer and the candidates."""

from asd.core.artifacts import read_csv, write_csv, write_metrics
from asd.core.compute import compute_params
from asd.core.project import Project
from asd.core.stage import run
from asd.scoring.candidates import candidate_scores
from asd.scoring.embeddings import read_embeddings
from asd.scoring.registry import ScoreParams
from asd.scoring.summary import guarantee, summary
from asd.scoring.table import score_table
from asd.selection.criteria import CRITERIA
from asd.selection.evidence import make_evidence, remove_evidence, scorers_tried, write_evidence
from asd.selection.params import SelectionParams
from asd.selection.trial_scores import OWN


def main(name: str) -> str:
    """Score all machine clips, held-out training clips and pseudo anomalies of one system; no label of a test clip."""
    project, compute = Project(), compute_params()
    params = project.system_section(ScoreParams, name, "score").root
    selection = project.section(SelectionParams, "selection")
    seed, output, reference = project.seed, project.scores(name), project.reference()
    made = read_embeddings(project.embeddings(name), project.clips(positions=True))

    remove_evidence(output)  # of another run, without DVC
    (output / "best.csv").unlink(missing_ok=True)
    table = score_table(made.clips, reference, made.by_seed, params, seed, made.second, compute)
    write_csv(output / "scores.csv", table)
    write_csv(output / "candidates.csv", candidate_scores(made.clips, reference, made.by_seed, params, seed, compute))
    metrics = summary(table, made.clips, params, reference, next(iter(made.by_seed.values())))
    lines = [f"{(table['split'] == 'test').sum()} test scores in {output / 'scores.csv'}", guarantee(metrics, params)]

    scorers = scorers_tried(params, made, selection.scorers)
    labels = read_csv(project.labels(selection.labels), ("clip_id", "label"))
    tried = make_evidence(made, reference, labels, scorers, selection, seed, compute)
    evidence, criterion = write_evidence(output, *tried, selection.criterion), CRITERIA[selection.criterion]
    if scorers and not evidence:
        lines.append(f"{criterion.missing}: {criterion.title} can't tell, the system's own scorer stays")
    if evidence:
        best = evidence.best
        metrics[criterion.metric] = evidence.figures
        lines.append(f"highest {criterion.title} by {best}, {evidence.values[best]:.2f}")
        if best != OWN:  # the ensemble may take it
            block = scorers[best]
            best_table = score_table(made.clips, reference, made.by_seed, block, seed, made.second, compute)
            write_csv(output / "best.csv", best_table)
    write_metrics(project.metrics / "score" / f"{name}.json", metrics)
    return "; ".join(filter(None, lines))


if __name__ == "__main__":
    run("score", main)
