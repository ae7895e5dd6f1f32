"""Stage check: refuse a wrong params.yaml before anything runs."""

import shutil
from collections.abc import Mapping

from asd.core.artifacts import write_json
from asd.core.project import Project
from asd.core.stage import run
from asd.encoders.encoder_params import DESCRIPTION, EncoderParams
from asd.params import check


def main() -> str:
    """Check params.yaml, and write the blocks of encoders."""
    project = Project()
    params = check(project.params)
    write_encoders(project, params.encoders)
    write_json(project.data / "checked", "params.yaml is right")
    return f"{len(params.training_free) + len(params.systems)} systems in params.yaml are right"


def write_encoders(project: Project, encoders: Mapping[str, EncoderParams]) -> None:
    """Write the block of every encoder, for the stages of those systems that are made of it."""
    blocks = project.encoder("initial")
    shutil.rmtree(blocks, ignore_errors=True)  # of another run, without DVC
    for name, block in encoders.items():
        write_json(blocks / name / DESCRIPTION, {"encoder": block.root.model_dump()})


if __name__ == "__main__":
    run("check", main)
