"""Freed memory is kept for the next clip or step: to fetch it from the system anew can cost as much as the work."""

import ctypes
import platform
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 2**30  # [bytes]
BLOCK = 2**25  # [bytes] the largest that glibc takes


@lru_cache
def keep_freed_memory() -> None:
    """Let glibc keep up to 1 GiB that was freed, in this process; elsewhere do nothing.

    By default it hands arrays beyond some 100 KiB back at once, and each page of the next array is then a fault: half
    of the time of a log-mel spectrogram, a twentieth of a training step's.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT)
