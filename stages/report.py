"""Write the report: one self-contained HTML page."""

from pathlib import Path

from asd.base.artifacts import read_json
from asd.base.section import read_params
from asd.base.stage import run
from asd.report.embeddings import before_and_after
from asd.report.page import write_report

OUTPUT = Path("data/report/index.html")


def main() -> str:
    """Show what all systems achieved."""
    blocks = dict(read_json("data/ensemble/systems.json"))
    systems, trained = list(blocks), before_and_after(blocks, read_params()["embed"]["encoder"])
    write_report(OUTPUT, systems, Path("metrics"), Path("data/evaluation"), Path("data/pseudo_labels"), trained)
    return f"{len(systems) + 1} systems in {OUTPUT}"


if __name__ == "__main__":
    run("report", main)
