"""Operations of Fourier transforms: counted of any work that calls scipy.fft, and how many a second are possible."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import fft

REAL = ("rfft", "irfft", "rfftn", "irfftn", "rfft2", "irfft2", "dct", "idct")  # half of the operations of a complex one
ROWS, POINTS, RUNS = 2500, 1024, 20  # of the transforms that are timed


class Counter:
    """A backend of scipy.fft that counts, 5 n log2 n a complex transform, and lets the default one compute."""

    __ua_domain__ = "numpy.scipy.fft"

    def __init__(self) -> None:
        self.operations = 0.0

    def __ua_function__(self, method: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Compute one transform and count it."""
        name = method.__name__
        with fft.skip_backend(self):  # type: ignore[arg-type]
            result = method(*args, **kwargs)
        if not name.endswith(("shift", "freq", "len")):
            largest = max(np.size(result), np.size(args[0]))  # of a real one the side of the samples
            axis = kwargs.get("axis", -1)
            length = max(np.shape(result)[axis], np.shape(args[0])[axis])
            self.operations += (2.5 if name in REAL else 5) * largest * math.log2(max(length, 2))
        return result


def transforms_of(work: Callable[[], object]) -> float:
    """Count the operations of the transforms that some work makes in this thread."""
    counter = Counter()
    with fft.set_backend(counter):  # type: ignore[arg-type]
        work()
    return counter.operations


def transform_rate(threads: int) -> float:
    """Measure the operations a second of many real transforms at once, the best of several runs."""
    frames = np.random.default_rng(0).standard_normal((ROWS, POINTS), np.float32)
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        fft.rfft(frames, axis=1, workers=threads)
        seconds.append(time.perf_counter() - start)
    return 2.5 * ROWS * POINTS * math.log2(POINTS) / min(seconds)
