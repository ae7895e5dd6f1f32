"""The pipeline as dvc.yaml lists it: what each stage runs, reads and writes, and what a run of it costs."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
import yaml

from asd.core.errors import UserError
from asd.core.section import PARAMS, read_params

ROOT = Path(__file__).parents[1]
CODE = ("asd", "stages", str(PARAMS))  # first parts of deps that are no data
RAW = Path("data/raw")  # the stages that read recordings have a list of them as dep
INTERVAL = 0.1  # [s] between two looks at the memory of all processes


class Stage(NamedTuple):
    """One stage, of a ``foreach`` one of its items.

    Attributes
    ----------
    name : str
        As in ``data/timings.csv``: ``score@frozen``, by the script and its argument.
    command : list of str
    deps, outs : list of Path
        Data alone, relative to the project's folder; metrics and plots are among the outputs.
    """

    name: str
    command: list[str]
    deps: list[Path]
    outs: list[Path]

    @property
    def kind(self) -> str:
        """The script: ``score``."""
        return self.name.split("@")[0]

    @property
    def key(self) -> str:
        """The script's argument, empty where it has none."""
        return self.name.partition("@")[2]


class Spent(NamedTuple):
    """Costs of one run: wall time and processor time of all processes [s], peaks of resident memory [bytes]."""

    wall: float
    cpu: float
    largest: int
    """Of the largest process."""
    together: int
    """Of all processes at a time, sampled; pages that they share are counted in each."""


def pipeline(params: Mapping[str, Any], file: Path = ROOT / "dvc.yaml") -> list[Stage]:
    """List all stages in the order of the file, in which each one's inputs are made before it.

    Parameters
    ----------
    params : mapping
        The content of params.yaml.
    file : Path

    Returns
    -------
    list of Stage
    """
    written = yaml.safe_load(file.read_text(encoding="utf-8"))["stages"]
    return [_stage(entry, values) for name in written for entry, values in _items(written[name], params)]


def _items(entry: dict[str, Any], params: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give the body of a stage with the values of its ``${...}``, for each item of a ``foreach``."""
    if "foreach" not in entry:
        yield entry, dict(params)
        return
    for key, item in (params.get(entry["foreach"].strip("${}")) or {}).items():
        yield entry["do"], {**params, "key": key, "item": item}


def _stage(entry: dict[str, Any], values: Mapping[str, Any]) -> Stage:
    def filled(text: str) -> str:
        return re.sub(r"\$\{([\w.]+)\}", lambda found: str(_value(found[1], values)), text)

    def paths(*keys: str) -> list[Path]:
        listed = [one if isinstance(one, str) else next(iter(one)) for key in keys for one in entry.get(key, [])]
        return [Path(filled(path)) for path in listed]

    _, *words = filled(entry["cmd"]).split()  # python -m stages.NAME ARGUMENT
    name = "@".join([words[1].removeprefix("stages."), *words[2:]])
    deps = [path for path in paths("deps") if path.parts[0] not in CODE]
    return Stage(name, [sys.executable, *words], deps, paths("outs", "metrics", "plots"))


def _value(keys: str, values: Any) -> Any:
    for key in keys.split("."):
        values = values[key]
    return values


def size(paths: Iterable[Path]) -> int:
    """Sum the bytes of files, and of all files in folders."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files if file.is_file())


def write_project(folder: Path, params: Mapping[str, Any]) -> None:
    """Write a project without data: its params.yaml and an empty manifest.

    Parameters
    ----------
    folder : Path
    params : mapping
        The content of params.yaml.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / PARAMS).write_text(yaml.safe_dump(dict(params), sort_keys=False, allow_unicode=True), encoding="utf-8")
    (folder / "data/manifest.csv").write_bytes((ROOT / "data/manifest.csv").read_bytes())


@contextmanager
def with_inputs(stage: Stage, params: Mapping[str, Any], root: Path) -> Iterator[Path]:
    """Work in a scratch project that has the inputs of one stage as links, and nothing else of a finished project.

    Parameters
    ----------
    stage : Stage
    params : mapping
        The content of the scratch project's params.yaml.
    root : Path
        The finished project, in which nothing is written.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, params)
        for path in {*stage.deps, *({RAW} - set(stage.outs))}:
            source, link = (root / path).resolve(), folder / path
            if source.exists() and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(source, target_is_directory=source.is_dir())
        with chdir(folder):
            yield folder


def run_measured(command: Sequence[str], folder: Path) -> Spent:
    """Run a command in a project's folder, with this checkout's code, and measure it.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        Its output goes to ``log.txt`` there.

    Returns
    -------
    Spent
        Processor time is that of the process and of all that it waited for, by wait4(2). Memory is looked at while they
        run: wait4's peak begins with that of the process that started them.

    Raises
    ------
    UserError
        Where it fails, with its last line.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended, log = threading.Event(), folder / "log.txt"
    with open(log, "ab") as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
        found = [0, 0]
        watch = threading.Thread(target=_watch, args=(process.pid, ended, found))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        ended.set()
        watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise UserError(f"{' '.join(command[1:])} in {folder} failed: {''.join(last)}")
    return Spent(wall, usage.ru_utime + usage.ru_stime, *found)


def _watch(pid: int, ended: threading.Event, found: list[int]) -> None:
    """Keep the most resident memory of a process or one of its descendants, and of all together, until it has ended."""
    while not ended.wait(INTERVAL):
        resident = _resident(pid) or [0]
        found[:] = max(found[0], *resident), max(found[1], sum(resident))


def _resident(pid: int) -> list[int]:
    """List the resident memory [bytes] of a process and its descendants."""
    found: list[int] = []
    try:
        top = psutil.Process(pid)
        processes = [top, *top.children(recursive=True)]
    except psutil.Error:
        return found
    for process in processes:
        with suppress(psutil.Error):  # it has ended since
            found.append(process.memory_info().rss)
    return found


def project_params(root: Path = Path()) -> dict[str, Any]:
    """Read the params.yaml of a project, by default that of the working directory."""
    return read_params(root / PARAMS)
