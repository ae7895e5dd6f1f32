"""Scorers: the peak memory of distances to many normal clips; their times are among the peers."""

import subprocess
import sys

from bench.harness import Row

CLIPS, MANY, DIMS = 200, 10_900, 6144  # DIMS: eight bands of 768
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
    """Measure the peak memory of one call."""
    return [_peak()]


def _peak() -> Row:
    """Measure the memory of fit and score beside the embeddings, in a process of its own, interpreter included."""
    done = subprocess.run([sys.executable, "-c", ONE_CALL], capture_output=True, text=True, check=True)
    extra, embeddings = float(done.stdout), 4 * (MANY + CLIPS) * DIMS
    name = f"cosine 1-NN, {CLIPS} x {MANY} clips x {DIMS} dimensions, peak memory beside the embeddings"
    return Row(name, "MiB", [extra], "the embeddings in float64", [2 * embeddings / 2**20], limit=EXTRA)
