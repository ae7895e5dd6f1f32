"""``python -m asd stage NAME [KEY]``: one stage of the pipeline, as dvc.yaml of a project made by ``init`` runs it."""

import argparse
import runpy
import sys

from asd.cli.pipeline import DIGESTS, HOME, code_digests
from asd.core.artifacts import atomic
from asd.core.errors import UserError

EXAMPLE = "python -m asd stage train attribute_cnn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = "Run one stage in the current folder; dvc repro runs those that need it."
    parser.add_argument("name", metavar="NAME", help="of dvc.yaml, without @; code: digests of the installed code")
    parser.add_argument("key", metavar="KEY", nargs="?", help="of a stage that dvc.yaml has several of: train@KEY")


def main(args: argparse.Namespace) -> int:
    """Run the stage's script in this process."""
    if args.name == "code":
        for stage, digest in code_digests().items():
            with atomic(DIGESTS / f"{stage}.txt", "w") as file:
                file.write(f"{digest}\n")
        return 0
    script = HOME / "stages" / f"{args.name}.py"
    known = sorted(file.stem for file in script.parent.glob("[a-z]*.py"))
    if args.name not in known:
        raise UserError(f"stage is {args.name!r}: choose among {', '.join(['code', *known])}")
    sys.argv = [str(script), *([args.key] if args.key else [])]
    runpy.run_path(str(script), run_name="__main__")
    return 0
