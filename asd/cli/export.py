"""``python -m asd export``: write a trained system as one ONNX graph."""

import argparse
from pathlib import Path

from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import Project
from asd.detector import load_detector
from asd.export.model import export
from asd.systems import System

EXAMPLE = "python -m asd export --system texture --machine fan --out texture.onnx"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Write a trained system as one ONNX graph, from waveform (where its front end allows; else features) to the "
        "score of one machine's section, and a JSON file with thresholds and provenance beside it. Its scores are "
        "compared with the system's own; where they differ nothing is written. Needs pip install asd[onnx]. Example: "
        "asd export --system texture --machine fan --out fan.onnx"
    )
    parser.add_argument("--system", required=True, metavar="NAME", help="of params.yaml")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.onnx", help="FILE.json is written, too")
    parser.add_argument("--project", type=Path, default=Path(), metavar="DIR", help="default: the current folder")
    parser.add_argument("--machine", default="", help="default: the only one")
    parser.add_argument("--section", default="", help="of that machine (default: the only one)")


def main(args: argparse.Namespace) -> int:
    """Print what was written and how far its scores are from the system's."""
    if args.out.suffix != ".onnx":
        raise UserError(f"--out is {args.out}: give a name that ends with .onnx")
    project = Project(args.project)
    configure(project.section(ComputeParams, "compute"))
    detector = load_detector(project, args.system)
    if not isinstance(detector, System):
        raise UserError(f"--system is {args.system!r}: only a single system can be exported, choose one of params.yaml")
    machine = _one_of("machine", args.machine, list(detector.sections))
    section = _one_of("section", args.section, detector.sections[machine])
    done = export(detector, machine, section, args.out)
    check = done.about["check"]
    print(
        f"{args.out} ({args.out.stat().st_size / 1e6:.2f} MB, {done.milliseconds:.1f} ms a clip): "
        f"{done.about['input']['kind']} to score of {machine} section {section}; scores of {check['clips']} clips "
        f"differ by {check['largest_difference']:.2g} at most, their spread is {check['spread_of_scores']:.2g}"
    )
    return 0


def _one_of(what: str, given: str, known: list[str]) -> str:
    if not given and len(known) == 1:
        return known[0]
    if given not in known:
        raise UserError(f"--{what} is {given!r}: give one of {', '.join(known)}")
    return given
