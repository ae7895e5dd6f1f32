"""Write the report: one self-contained HTML page."""

from asd.core.project import Project
from asd.core.stage import run
from asd.report.embeddings import before_and_after
from asd.report.page import write_report


def main() -> str:
    """Show what all systems achieved."""
    project = Project()
    blocks, data, output = project.systems, project.data, project.data / "report" / "index.html"
    trained = before_and_after(blocks, project.params["embed"]["encoder"], data)
    write_report(output, list(blocks), project.metrics, data / "evaluation", data / "pseudo_labels", trained)
    return f"{len(blocks) + 1} systems in {output}"


if __name__ == "__main__":
    run("report", main)
