"""Scorers: distances of 200 test clips to 1,000 normal ones, and the peak memory with many more."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from asd.scoring.params import Metric
from asd.scoring.scorers.knn import KNN
from bench.harness import Row, in_turns

CLIPS, NORMAL, MANY, DIMS = 200, 1000, 10_900, 6144  # DIMS: eight bands of 768
RUNS = 5  # of the loops, seconds each
EXTRA = 200.0  # [MiB] beside the embeddings themselves
ONE_CALL = f"""
import numpy as np
from asd.scoring.scorers.knn import KNN
from bench.harness import peak_memory
rng = np.random.default_rng(0)
reference, clips = (rng.standard_normal((count, {DIMS}), np.float32) for count in ({MANY}, {CLIPS}))
knn = KNN().fit(reference, np.repeat(["source", "target"], [{MANY} - 10, 10]))
knn.anomaly_score(clips)
print(peak_memory() - (reference.nbytes + clips.nbytes) / 2**20)
"""


def rows() -> list[Row]:
    """Measure nearest neighbours by both distances, and the peak memory of one call.

    One thread and its processor time: the loops have one thread, and waiting for a busy processor would count.
    """
    rng = np.random.default_rng(0)
    reference, clips = (rng.standard_normal((count, DIMS), np.float32) for count in (NORMAL, CLIPS))
    metrics: tuple[Metric, ...] = ("cosine", "euclidean")
    with threadpool_limits(1):
        found = [_against_the_loop(metric, reference, clips) for metric in metrics]
    return [*found, _peak()]


def _cosine_loop(clips: Sequence[np.ndarray], reference: np.ndarray) -> list[float]:
    from scipy.spatial.distance import cosine

    return [min(cosine(x, y) for y in reference) for x in clips]


def _euclidean_loop(clips: Sequence[np.ndarray], reference: np.ndarray) -> list[float]:
    """Measure pair by pair, as a peer's published script did."""
    import torch

    y = torch.from_numpy(reference)
    near = [torch.stack([torch.sqrt(torch.pow(torch.from_numpy(x) - other, 2).sum()) for other in y]) for x in clips]
    return [float(distances.min()) for distances in near]


LOOPS = {
    "cosine": ("double loop of scipy's cosine", _cosine_loop),
    "euclidean": ("double loop in torch, as GenRep's", _euclidean_loop),
}


def _against_the_loop(metric: Metric, reference: np.ndarray, clips: np.ndarray) -> Row:
    knn = KNN(metric=metric).fit(reference, np.repeat(["source", "target"], [NORMAL - 10, 10]))
    double, (name, loop) = reference.astype(np.float64), LOOPS[metric]
    works: dict[str, Callable[[Sequence], object]] = {
        "ours": lambda some: knn.anomaly_score(np.stack(some)),
        "loop": lambda some: loop(some, reference),
        "product": lambda some: np.stack(some).astype(np.float64) @ double.T,
    }
    times = in_turns(works, list(clips), RUNS, time.process_time)
    title = f"{metric} 1-NN, {CLIPS} x {NORMAL} clips x {DIMS} dimensions, one thread"
    floor = ("one matrix product, float64", times["product"])
    return Row(title, "ms/clip", times["ours"], name, times["loop"], *floor, min_ratio=20, min_fraction=0.5)


def _peak() -> Row:
    """Measure the memory of fit and score beside the embeddings, in a process of its own, interpreter included."""
    done = subprocess.run([sys.executable, "-c", ONE_CALL], capture_output=True, text=True, check=True)
    extra, embeddings = float(done.stdout), 4 * (MANY + CLIPS) * DIMS
    name = f"cosine 1-NN, {CLIPS} x {MANY} clips x {DIMS} dimensions, peak memory beside the embeddings"
    return Row(name, "MiB", [extra], "the embeddings in float64", [2 * embeddings / 2**20], limit=EXTRA)
