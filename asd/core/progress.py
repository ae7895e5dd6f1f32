"""How far a long loop is: one line that is updated in a terminal, a line now and then where there is none.

``TQDM_DISABLE=1`` shows nothing; ``ASD_PROGRESS`` is the time [s] between lines where there is no terminal.
"""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

EVERY = 60.0  # [s] between lines where there is no terminal
DELAY = 1.0  # [s] a loop that is shown in a terminal takes at least
LOOK = 0.5  # [s] between two looks at what workers noted
TRAIN = "train"  # what the loop over a training's steps is called, the only one whose workers note how far they are
FORMAT = "{desc}: {n_fmt}/{total_fmt}, {rate_fmt}, {remaining} left"
LINE = re.compile(r"\w[\w ]*: \S+/\S+, .*, \S+ left")  # such a line

_worker = False  # whether another process shows what is done
_note: Path | None = None  # of a worker: where it notes how far it is


class _Writes:
    """A file for tqdm, which wants to move the cursor: gets the texts alone."""

    def __init__(self, write: Callable[[str], Any]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        if bare := text.replace("\x1b[A", "").strip():
            self._write(bare)

    def flush(self) -> None:
        """Nothing is kept back."""


def progress(
    what: str, unit: str, total: int | None, items: Iterable[Any] | None = None, start: int = 0, shown: bool = True
) -> "tqdm":
    """Count what is done of a long loop, and show it with rate and time left; loops of a moment show nothing.

    Parameters
    ----------
    what : str
        One word or two: ``train``.
    unit : str
        Of one item: ``step``; ``B`` for bytes.
    total : int, optional
        Items; None where it is unknown.
    items : iterable, optional
        What to iterate over; else call ``update``.
    start : int
        Items that an earlier run has done.
    shown : bool
        Whether this process is the one of several that shows it.

    Returns
    -------
    tqdm
        An iterator and a context manager.
    """
    from tqdm import tqdm

    how: dict[str, Any] = {"desc": what, "total": total, "initial": start, "leave": False}
    how |= {"unit": unit, "unit_scale": unit == "B"}
    if not shown or (_worker and (_note is None or what != TRAIN)):
        return tqdm(items, disable=True, **how)
    if _worker and _note is not None:
        _note.parent.mkdir(parents=True, exist_ok=True)
        how |= {"bar_format": "{n} {total} {unit}", "mininterval": LOOK, "leave": True}
        return tqdm(items, file=_Writes(_note.write_text), **how)
    if sys.stderr is not None and sys.stderr.isatty():
        return tqdm(items, delay=DELAY, dynamic_ncols=True, **how)
    every = float(os.environ.get("ASD_PROGRESS", EVERY))
    how |= {"mininterval": every, "maxinterval": every, "delay": every, "bar_format": FORMAT}
    return tqdm(items, file=_Writes(lambda text: print(text, file=sys.stderr, flush=True)), **how)


def in_worker(note: Path | None = None) -> None:
    """Show nothing from now on in this process, a worker; its loop over training steps is noted, if anywhere."""
    global _worker, _note
    _worker, _note = True, note


@contextmanager
def of_workers(notes: Sequence[Path]) -> Iterator[None]:
    """Show how far workers are together with the training of one network each.

    Parameters
    ----------
    notes : sequence of Path
        Where each of them, or the next one of them, notes it; see :func:`in_worker`.
    """
    ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(notes, ended), daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def _watch(notes: Sequence[Path], ended: threading.Event) -> None:
    bar = None
    while not ended.wait(LOOK):
        noted = [note.read_text().split() for note in notes if note.is_file()]
        known = [(int(words[0]), int(words[1]), words[2]) for words in noted if len(words) == 3]  # not half-written
        if known and bar is None:
            bar = progress(TRAIN, known[0][2], known[0][1] * len(notes))
        if bar is not None:
            bar.update(max(0, sum(done for done, _, _ in known) - bar.n))
    if bar is not None:
        bar.close()
