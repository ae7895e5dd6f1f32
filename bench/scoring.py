"""Scorers: distances of 200 test clips to 1,000 normal ones, and the memory of many more."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from asd.scoring.knn import KNN
from bench.harness import Row, in_turns

CLIPS, NORMAL, MANY, DIMS = 200, 1000, 10_900, 6144  # DIMS: eight bands of 768
RUNS = 5  # of the loops, seconds each
EXTRA = 200.0  # [MiB] beside the embeddings themselves
ONE_CALL = f"""
import numpy as np
from asd.scoring.knn import KNN
from bench.harness import peak_memory
rng = np.random.default_rng(0)
memory, clips = (rng.standard_normal((count, {DIMS}), np.float32) for count in ({MANY}, {CLIPS}))
knn = KNN().fit(memory, np.repeat(["source", "target"], [{MANY} - 10, 10]))
knn.score(clips)
print(peak_memory() - (memory.nbytes + clips.nbytes) / 2**20)
"""


def rows() -> list[Row]:
    """Measure nearest neighbours by both distances, and the peak memory of one call.

    One thread and its own time: the loops have no more, and threads that wait for a busy processor would be counted.
    """
    rng = np.random.default_rng(0)
    memory, clips = (rng.standard_normal((count, DIMS), np.float32) for count in (NORMAL, CLIPS))
    with threadpool_limits(1):
        found = [_against_the_loop(metric, memory, clips) for metric in ("cosine", "euclidean")]
    return [*found, _peak()]


def _cosine_loop(clips: Sequence[np.ndarray], memory: np.ndarray) -> list[float]:
    from scipy.spatial.distance import cosine

    return [min(cosine(x, y) for y in memory) for x in clips]


def _euclidean_loop(clips: Sequence[np.ndarray], memory: np.ndarray) -> list[float]:
    """Measure pair by pair, as a peer's published script did."""
    import torch

    y = torch.from_numpy(memory)
    near = [torch.stack([torch.sqrt(torch.pow(torch.from_numpy(x) - other, 2).sum()) for other in y]) for x in clips]
    return [float(distances.min()) for distances in near]


LOOPS = {
    "cosine": ("double loop of scipy's cosine", _cosine_loop),
    "euclidean": ("double loop in torch, as GenRep's", _euclidean_loop),
}


def _against_the_loop(metric: str, memory: np.ndarray, clips: np.ndarray) -> Row:
    knn = KNN(metric=metric).fit(memory, np.repeat(["source", "target"], [NORMAL - 10, 10]))
    double, (name, loop) = memory.astype(np.float64), LOOPS[metric]
    works: dict[str, Callable[[Sequence], object]] = {
        "ours": lambda some: knn.score(np.stack(some)),
        "loop": lambda some: loop(some, memory),
        "product": lambda some: np.stack(some).astype(np.float64) @ double.T,
    }
    times = in_turns(works, list(clips), RUNS, time.process_time)
    what = f"{metric} 1-NN, {CLIPS} x {NORMAL} clips x {DIMS} dimensions, one thread"
    floor = ("one matrix product, float64", times["product"])
    return Row(what, "ms/clip", times["ours"], name, times["loop"], *floor, least_ratio=20, least_share=0.5)


def _peak() -> Row:
    """Fit and score in a process of its own: what it takes beside the embeddings, the interpreter included."""
    done = subprocess.run([sys.executable, "-c", ONE_CALL], capture_output=True, text=True, check=True)
    extra, embeddings = float(done.stdout), 4 * (MANY + CLIPS) * DIMS
    name = f"cosine 1-NN, {CLIPS} x {MANY} clips x {DIMS} dimensions, peak memory beside the embeddings"
    return Row(name, "MiB", [extra], "the embeddings in float64", [2 * embeddings / 2**20], most=EXTRA)
