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


def follow_dvc() -> None:
    """End this process when the dvc that started it is gone; started by hand, it has none and is left alone."""
    import psutil

    try:
        above = psutil.Process().parents()[:3]  # dvc, perhaps behind a shell
        dvc = next((p for p in above if any("dvc" in Path(word).name for word in p.cmdline()[:3])), None)
    except psutil.Error:
        return
    if dvc is not None:
        _follow(dvc)


@lru_cache
def follow_parent() -> None:
    """End this process, a worker, when its parent is gone."""
    import psutil

    try:
        parent = psutil.Process().parent()
    except psutil.Error:
        return
    if parent is not None:
        _follow(parent)


def _follow(process: "psutil.Process") -> None:
    """Watch a process in a thread of its own."""
    import psutil

    def there() -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def watch() -> None:
        while there():
            time.sleep(INTERVAL)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()
