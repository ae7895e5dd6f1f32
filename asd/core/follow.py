"""A process that ends with the one that started it, so that what is killed leaves nothing behind at work."""

import os
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

INTERVAL = 0.5  # [s] between two looks
ENDED = 3  # exit status


def follow_dvc() -> None:
    """End this process when the dvc that started it is gone; started by hand, it has none and is left alone."""
    import psutil

    try:
        above = psutil.Process().parents()[:3]  # dvc, perhaps behind a shell
        dvc = next((p for p in above if any("dvc" in Path(word).name for word in p.cmdline()[:3])), None)
    except psutil.Error:
        return
    if dvc is not None:
        _end_after(dvc)


@lru_cache
def follow(pid: int) -> None:
    """End this process, a worker, when the process that handed it its work is gone, or already is."""
    import psutil

    try:
        _end_after(psutil.Process(pid))
    except psutil.NoSuchProcess:
        os._exit(ENDED)


def _end_after(process: "psutil.Process") -> None:
    """Watch a process from a thread, which ends this one when that is gone."""
    import psutil

    def there() -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:  # it is there, but nobody may look
            return True

    def watch() -> None:
        while there():
            time.sleep(INTERVAL)
        os._exit(ENDED)

    threading.Thread(target=watch, daemon=True).start()
