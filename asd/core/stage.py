"""What every stage script does around its own work: one-line errors, lock, end with its parent, timing."""

import csv
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.follow import follow_dvc
from asd.core.section import load

LOCKS = Path(".asd")
TIMINGS = Path("data/timings.csv")
PATIENCE = 30.0  # [s] for another process at the same stage to end


def run(name: str, main: Callable[..., str]) -> None:
    """Run a stage script to its end and exit.

    Parameters
    ----------
    name : str
        The stage: ``train``. A part of it, ``train@frozen``, is named by the script's one argument.
    main : callable
        The work. Takes the script's arguments; returns the last line, saying what was made and where to look.
    """
    arguments = sys.argv[1:]
    full = "@".join([name, *arguments])
    follow_dvc()
    start = time.monotonic()
    try:
        configure(load(ComputeParams, "compute"))
        with alone(full):
            said = main(*arguments)
    except UserError as error:
        print(f"asd: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"asd: {full} interrupted: the same command goes on where it was", file=sys.stderr)
        sys.exit(130)
    seconds = time.monotonic() - start
    _note_timing(full, seconds)
    print(f"{full}: {said} ({seconds:.1f} s)", flush=True)


@contextmanager
def alone(stage: str) -> Iterator[None]:
    """Hold the stage's lock, which the system frees when the process ends in whatever way.

    Raises
    ------
    UserError
        Where another process keeps it for longer than it takes an orphan to notice and end.
    """
    from filelock import FileLock, Timeout

    rank = os.environ.get("RANK", "0")  # of the processes that torchrun starts, each has a lock of its own
    path = LOCKS / stage / ("lock" if rank == "0" else f"lock{rank}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=PATIENCE):
            yield
    except Timeout:
        raise UserError(f"{stage} is at work in another process: wait for it or end it") from None


def _note_timing(stage: str, seconds: float) -> None:
    TIMINGS.parent.mkdir(parents=True, exist_ok=True)
    with open(TIMINGS, "a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([stage, f"{seconds:.2f}"])
