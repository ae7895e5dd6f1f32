"""Stage ensemble: one score from several systems, chosen without a label."""

from asd.core.artifacts import read_csv, write_csv, write_metrics
from asd.core.project import Project
from asd.core.section import checked
from asd.core.stage import run
from asd.scoring.fusion import fuse
from asd.scoring.params import EnsembleParams
from asd.scoring.summary import summary
from asd.selection.choice import decide
from asd.selection.evidence import read_evidence
from asd.selection.trial_scores import OWN

TEXT = ("clip_id", "machine", "section", "split", "nearest")


def main() -> str:
    """Choose members, their scorers and weights as params say, and fuse the scores of the stages score@<system>."""
    project = Project()
    params, systems = fusion_params(project), list(project.systems)
    evidence = {name: item for name in systems if (item := read_evidence(project.scores(name))) is not None}
    choice = decide(params, systems, evidence)
    scorers = {name: choice.scorers[name] for name in systems if name in choice.scorers}
    files = {name: "scores.csv" if scorer == OWN else "best.csv" for name, scorer in scorers.items()}
    members = {name: read_csv(project.scores(name) / file, TEXT) for name, file in files.items()}
    clips = project.clips(positions=True)
    table = fuse(members, clips, params, params.fusion, choice.weights)
    output = project.data / "ensemble" / "scores.csv"
    write_csv(output, table)
    machines = summary(table, clips, params, reference=set(clips["clip_id"]))  # scores were standardised by them
    chosen = {"fusion": params.fusion, "machines": machines} | choice.figures()
    shown = {name: item.values for name, item in evidence.items()}
    kinds = {name: item.figures[choice.scorers.get(name, OWN)] for name, item in evidence.items()}
    write_metrics(project.metrics / "ensemble.json", chosen | {"evidence": kinds, "scorers": shown})
    return f"{', '.join(members)} fused in {output}"


def fusion_params(project: Project) -> EnsembleParams:
    """Read the section ``ensemble``, and of ``decision`` what it leaves open."""
    return checked(EnsembleParams, project.params["decision"] | project.params["ensemble"], "ensemble")


if __name__ == "__main__":
    run("ensemble", main)
