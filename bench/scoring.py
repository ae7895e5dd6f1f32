"""Scorers: distances of 200 test clips to 1,000 normal ones, and the memory of many more."""

import subprocess
import sys

import numpy as np

from asd.scoring.knn import KNN
from bench.harness import Row, in_turns

CLIPS, NORMAL, MANY, DIMS = 200, 1000, 10_900, 6144  # DIMS: eight bands of 768
RUNS = 3  # the double loop takes its time
EXTRA = 200.0  # [MiB] beside the embeddings themselves
ONE_CALL = f"""
import resource
import numpy as np
from asd.scoring.knn import KNN
rng = np.random.default_rng(0)
memory, clips = (rng.standard_normal((count, {DIMS}), np.float32) for count in ({MANY}, {CLIPS}))
knn = KNN().fit(memory, np.repeat(["source", "target"], [{MANY} - 10, 10]))
knn.score(clips)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, memory.nbytes + clips.nbytes)
"""


def rows() -> list[Row]:
    """Measure nearest neighbours by both distances, and the peak memory of one call."""
    rng = np.random.default_rng(0)
    memory, clips = (rng.standard_normal((count, DIMS), np.float32) for count in (NORMAL, CLIPS))
    return [_against_the_loop(metric, memory, clips) for metric in ("cosine", "euclidean")] + [_peak()]


def _cosine_loop(clips: np.ndarray, memory: np.ndarray) -> list[float]:
    from scipy.spatial.distance import cosine

    return [min(cosine(x, y) for y in memory) for x in clips]


def _euclidean_loop(clips: np.ndarray, memory: np.ndarray) -> list[float]:
    """Measure pair by pair, as a peer's published script did."""
    import torch

    x, y = torch.from_numpy(clips), torch.from_numpy(memory)
    return [float(torch.stack([torch.sqrt(torch.pow(a - b, 2).sum()) for b in y]).min()) for a in x]


LOOPS = {"cosine": _cosine_loop, "euclidean": _euclidean_loop}
LOOP = {"cosine": "double loop of scipy's cosine", "euclidean": "double loop in torch, as GenRep's"}


def _against_the_loop(metric: str, memory: np.ndarray, clips: np.ndarray) -> Row:
    domain = np.repeat(["source", "target"], [NORMAL - 10, 10])
    knn = KNN(metric=metric).fit(memory, domain)
    double = memory.astype(np.float64)

    def loop(some: np.ndarray) -> list[float]:
        return LOOPS[metric](some, memory)

    def product(some: np.ndarray) -> np.ndarray:
        return some.astype(np.float64) @ double.T

    times = in_turns({"ours": knn.score, "loop": loop, "product": product}, clips, RUNS)
    name = f"{metric} 1-NN, {CLIPS} x {NORMAL} clips x {DIMS} dimensions"
    floor = ("one matrix product, float64", times["product"])
    return Row(name, "ms/clip", times["ours"], LOOP[metric], times["loop"], *floor, least_ratio=20, least_share=0.5)


def _peak() -> Row:
    """Fit and score in a process of its own: what it takes beside the embeddings, the interpreter included."""
    done = subprocess.run([sys.executable, "-c", ONE_CALL], capture_output=True, text=True, check=True)
    peak, embeddings = map(int, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 2**10
    extra = (peak * unit - embeddings) / 2**20
    name = f"cosine 1-NN, {CLIPS} x {MANY} clips x {DIMS} dimensions, peak memory beside the embeddings"
    return Row(name, "MiB", [extra], "the embeddings in float64", [2 * embeddings / 2**20], most=EXTRA)
