"""Freed memory is kept for the next clip: to fetch it from the system anew costs as much as the transforms do."""

import ctypes
import platform
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 2**26  # [bytes]


@lru_cache
def keep_freed_memory() -> None:
    """Let glibc keep up to 64 MiB that was freed, in this process; elsewhere do nothing.

    By default it hands arrays beyond some 100 KiB back at once, and each page of the next array is then a fault: half
    of the time of a log-mel spectrogram.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, KEPT // 2)  # the largest that glibc takes
        mallopt(M_TRIM_THRESHOLD, KEPT)
