"""Indexing of recordings: headers, content hashes, health, and what leaks into the test set."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from asd.datasets.index import make_index
from bench.harness import Row, in_turns

RATE, SECONDS, CLIPS, RUNS = 16000, 10, 3000, 3
MOST = 60_000 / 30_000  # [ms/clip] a whole year in a minute
MACHINE = {"machine": "fan", "section": "00", "domain": "source", "kind": "machine", "attributes": "speed=3"}
UNKNOWN = {"recording": "", "time": "", "speed_hz": ""}
TRUTH = {"anomaly": "0", "true_domain": "source", "true_attributes": "speed=3"}


def rows() -> list[Row]:
    """Measure the index of a folder of training and test clips against reading them one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _recordings(Path(folder))
        times = in_turns({"ours": _index, "loop": _read}, paths, runs=RUNS)
    name = f"index, {CLIPS} clips of {SECONDS} s, decoded, hashed and searched for leaks"
    return [Row(name, "ms/clip", times["ours"], "soundfile.read, one thread", times["loop"], limit=MOST)]


def _recordings(folder: Path) -> list[str]:
    draw = np.random.default_rng(0)
    paths = [str(folder / f"{i}.wav") for i in range(CLIPS)]
    for path in paths:
        soundfile.write(path, 0.1 * draw.standard_normal(RATE * SECONDS, np.float32), RATE)
    return paths


def _index(paths: Sequence[str]) -> None:
    splits = ["train" if i % 5 else "test" for i in range(1, len(paths) + 1)]
    make_index(pd.DataFrame({"path": paths, "split": splits}).assign(**MACHINE, **UNKNOWN, **TRUTH), "fail")


def _read(paths: Sequence[str]) -> None:
    for path in paths:
        soundfile.read(path)
