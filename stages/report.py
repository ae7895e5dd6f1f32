"""Write the report: an HTML page with sounds and pictures beside it."""

import shutil

from asd.core.artifacts import publish
from asd.core.project import Project
from asd.core.stage import run
from asd.report.embeddings import before_and_after
from asd.report.explanations import Explain, explained
from asd.report.page import write_report


def main(explain: Explain = explained) -> str:
    """Show what all systems achieved."""
    project = Project()
    blocks, work, output = project.systems, project.work / "report" / "page", project.data / "report"
    shutil.rmtree(work, ignore_errors=True)
    trained = before_and_after(blocks, project.params["embed"]["encoder"], project.data)
    clips = write_report(work, project, trained, explain)
    publish(work, output)
    return f"{len(blocks) + 1} systems, {clips} clips to hear in {output / 'index.html'}"


if __name__ == "__main__":
    run("report", main)
