"""``python -m asd run FOLDER``: from a folder of recordings to decisions and the report, in a project of its own."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

import yaml
from tqdm import tqdm

from asd.cli.check import print_health
from asd.cli.decisions import decisions, decisions_as_text
from asd.cli.manifest import understand, write_manifest
from asd.cli.pipeline import HOME, make_project
from asd.cli.results import REPORT, papers
from asd.core.artifacts import atomic
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.progress import LINE
from asd.core.project import Project
from asd.core.section import PARAMS
from asd.datasets.folder import read_manifest
from asd.datasets.health import health_problems, measure_recordings
from asd.datasets.trees import read_tree

EXAMPLE = "python -m asd run recordings/fan --preset quick"
MANIFEST = Path("data/manifest.csv")
OF_NORMALS = 0.2  # of normal recordings alone, the last: they test, to count false alarms
OVERRIDES = ["dataset.name=folder", "index.on_bad_clip=drop"]
PATIENCE = 3.0  # [s] until an interruption is repeated
DONE = re.compile(r"\S+: .* \(\d+\.\d s\)")  # what a stage says at its end
BEGUN = re.compile(r"Running stage '(\S+)':")  # what DVC says


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Make a project for a folder of normal recordings, and faulty ones if there are some; say what was understood, "
        "ask, run the pipeline, and print scores, decisions and false alarms. The same command goes on where it was."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="nothing in it is changed or copied")
    parser.add_argument("--project", type=Path, metavar="DIR", help="default: asd-<name of the folder>, here")
    parser.add_argument("--preset", metavar="NAME", help=f"of a new project: {', '.join(presets())}")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the results as one object; all else is on stderr")
    parser.add_argument("--no-open", action="store_true", help="do not open the report in a browser")


def main(args: argparse.Namespace) -> int:
    """Make the project or go on with it, run the pipeline, print what came out.

    Raises
    ------
    UserError
        Where there is nobody to ask, the folder or the project is not what it should be, or a stage failed.
    """
    if not args.yes and not sys.stdin.isatty():
        raise UserError("there is no terminal to ask at: give --yes to run without a question")
    if not args.folder.is_dir():
        raise UserError(f"{args.folder} is no folder: name the one that holds the recordings")
    root = args.project or Path(f"asd-{args.folder.resolve().name}")
    with redirect_stdout(sys.stderr):
        prepare(args.folder, root, args.preset)
        if not args.yes and not _agreed():
            print(f"asd: not run: mend {root / MANIFEST} or {root / PARAMS}, and give the same command again")
            return 1
        try:
            repro(Project(root))
        except KeyboardInterrupt:
            print("asd: interrupted: the same command goes on where it was")
            return 130
    project = Project(root)
    found = decisions(project)
    text = json.dumps(found, indent=2) if args.json else decisions_as_text(found, papers(project.params))
    print(text)
    if not args.no_open and not args.json and sys.stdout.isatty() and _has_display():
        webbrowser.open((root / REPORT).absolute().as_uri())
    return 0


def presets() -> list[str]:
    """Name the presets of the pipeline."""
    return sorted(file.stem for file in (HOME / "presets").glob("*.txt"))


def prepare(folder: Path, root: Path, preset: str | None) -> None:
    """Make the project, or look at the one that is there, and print what was understood and how healthy it is."""
    if root.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{root} lies within {folder}, whose recordings are read: give --project elsewhere")
    params = params_text(preset)
    if (root / "dvc.yaml").is_file():
        _check_same(folder, root, params if preset else "", preset)
        print(f"asd: going on with {root}, whose manifest and params.yaml stay as they are")
    else:
        layout = understand(folder, of_normals_alone=OF_NORMALS)
        make_project(root)
        with atomic(root / PARAMS, "w") as file:
            file.write(params)
        write_manifest(layout, folder, root / MANIFEST)
    configure(Project(root).section(ComputeParams, "compute"))
    table = measure_recordings(read_manifest(root / MANIFEST)[["path", "machine", "split"]])
    print_health(table, health_problems(table), f"asd check {root / MANIFEST}")
    if unusable := int((table["content"] == "").sum()):
        print(f"{unusable} recordings can't be used and are left out")


def params_text(preset: str | None) -> str:
    """Write params.yaml for own recordings: the shipped one, and a preset over it.

    Raises
    ------
    UserError
        Where there is no such preset.
    """
    import tempfile

    from dvc.utils.hydra import apply_overrides

    if preset is not None and preset not in presets():
        raise UserError(f"--preset is {preset!r}: choose among {', '.join(presets())}")
    words = (HOME / "presets" / f"{preset}.txt").read_text(encoding="utf-8").split() if preset else []
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / PARAMS
        path.write_bytes((HOME / PARAMS).read_bytes())
        apply_overrides(str(path), [word for word in words if word != "-S"] + OVERRIDES)
        return path.read_text(encoding="utf-8")


def _check_same(folder: Path, root: Path, params: str, preset: str | None) -> None:
    """Refuse to go on with a project of other recordings or of another preset; say how many are new in the folder."""
    top = folder.resolve()
    listed = [Path(file).resolve() for file in read_manifest(root / MANIFEST)["path"]]
    if not all(file.is_relative_to(top) for file in listed):
        raise UserError(f"{root} is a project of other recordings than {folder}: give another --project")
    if params and yaml.safe_load(params) != yaml.safe_load((root / PARAMS).read_text(encoding="utf-8")):
        raise UserError(f"{root / PARAMS} is not that of --preset {preset}: leave it out, or give another --project")
    if new := len({file.resolve() for file in read_tree(folder).recordings} - set(listed)):
        listing = root / MANIFEST
        print(
            f"asd: note: {new} recordings in {folder} are not in {listing}: add them there, or give another --project"
        )


def _agreed() -> bool:
    print("Run the pipeline on these? [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def repro(project: Project) -> None:
    """Run ``dvc repro``, and print what each stage says at its end and, in a terminal, how far it is.

    All that is said, but for how far stages are, is in ``.asd/run.log``.

    Raises
    ------
    UserError
        With what the stage that failed said.
    """
    log, said = project.work / "run.log", list[str]()
    log.parent.mkdir(exist_ok=True)
    here = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHONUNBUFFERED": "1"}
    here |= {"ASD_PROGRESS": "1"} if sys.stderr.isatty() else {}
    print(f"asd: dvc repro in {project.root}; all it says is in {log}")
    with (
        open(log, "w", encoding="utf-8", buffering=1) as file,  # which can be followed
        subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=project.root,
            env=os.environ | here,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            for line in _shown(process.stdout or ()):
                file.write(line)
                if match := re.match(r"(asd|ERROR): (.*)", line):
                    said = [*said, match[2]] if match[1] == "asd" or not said else said
        except KeyboardInterrupt:
            _interrupt(process)
            raise
    if process.returncode:
        raise UserError(f"{said[-1] if said else 'dvc repro failed'} ({log} has all that was said)")


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Wait for DVC's end, which the terminal has interrupted, too; it ignores what comes while it starts a stage."""
    import psutil

    while True:
        try:
            process.wait(PATIENCE)
            return
        except subprocess.TimeoutExpired:
            for stage in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.Error, ValueError):  # Windows has no such signal
                    stage.send_signal(signal.SIGINT)


def _shown(lines: Iterable[str]) -> Iterator[str]:
    """Print what stages say at their end and, on a line that is updated, how far they are; give all other lines."""
    stage, terminal = "", sys.stderr.isatty()
    with tqdm(bar_format="{desc}", leave=False, dynamic_ncols=True, disable=not terminal) as now:
        for line in lines:
            bare = line.strip()
            if LINE.fullmatch(bare):
                now.set_description_str(f"{stage} {bare}")
                if not terminal:
                    print(f"{stage} {bare}", flush=True)
                continue
            if begun := BEGUN.match(bare):
                stage = begun[1]
                now.set_description_str(f"{stage} ...")
            elif DONE.fullmatch(bare):
                tqdm.write(bare, file=sys.stdout)
                sys.stdout.flush()
            yield line


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
