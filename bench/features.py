"""Front ends: from file to array, and the memory of the stage."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from scipy import fft

from asd.core.clips import COLUMNS
from asd.core.compute import ComputeParams
from asd.core.section import checked, read_params
from asd.features.extraction import extract_all
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEnd
from bench.harness import Row, in_turns, peak_memory

CLIPS, SECONDS, RATE = 1000, 10, 16000
WORKERS = 2
BATCH = 8  # [clips] of one Fourier transform of the floor
RUNS = 3  # the loop of librosa is slow
LOG_MEL = {"kind": "log_mel", "sample_rate": RATE, "n_fft": 1024, "hop_length": 512, "n_mels": 128}
LOG_MEL |= {"f_min": 0, "f_max": 8000}  # of the baseline
MEMORY = 600.0  # [MiB] of the stage, with any number of clips
MANY = 10_000


def rows() -> list[Row]:
    """Measure on noise, 16 bits, in the files that the page cache holds: reading, not the disk, is measured."""
    with recordings(CLIPS) as files:
        return [_log_mel(files), *_memory(files)]


@contextmanager
def recordings(count: int) -> Iterator[list[str]]:
    """Write clips of 10 s at 16 kHz, all different."""
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{number:05d}.wav") for number in range(count)]
        for path in paths:
            noise = (3000 * rng.standard_normal(SECONDS * RATE, np.float32)).astype(np.int16)
            soundfile.write(path, noise, RATE, subtype="PCM_16")
        yield paths


def front_end_of(block: dict[str, Any]) -> FittedFrontEnd:
    """Make a front end of its block of params.yaml."""
    return FittedFrontEnd(checked(FrontEnd, block).root)


def extraction(block: dict[str, Any]) -> Callable[[Sequence[str]], None]:
    """Give a function that computes a front end of files, as the stage does."""
    front_end, compute = front_end_of(block), ComputeParams(jobs=WORKERS)

    def work(files: Sequence[str]) -> None:
        for _ in extract_all({f: f for f in files}, front_end, compute):
            pass

    return work


def usual(path: str) -> np.ndarray:
    """Compute one clip's log-mel spectrogram by librosa, as common scripts do."""
    import librosa

    waveform, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=waveform, sr=RATE, n_fft=1024, hop_length=512, n_mels=128)
    return librosa.power_to_db(mel)


def _usual_jobs(files: Sequence[str]) -> None:
    from joblib import Parallel, delayed

    Parallel(n_jobs=WORKERS)(delayed(usual)(path) for path in files)


def least(files: Sequence[str], threads: int = 1, n_fft: int = 1024, hop: int = 512) -> None:
    """Read the bytes, and transform as many frames in batches: less is not possible.

    Parameters
    ----------
    files : sequence of str
        Of :func:`recordings`.
    threads : int
    n_fft, hop : int
        [samples]
    """
    frames = np.random.default_rng(0).standard_normal((BATCH * (1 + SECONDS * RATE // hop), n_fft), np.float32)
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        for path in batch:
            Path(path).read_bytes()
        fft.rfft(frames[: len(batch) * len(frames) // BATCH], axis=1, workers=threads)


def _log_mel(files: list[str]) -> Row:
    works: dict[str, Callable[[Sequence], object]] = {
        "ours": extraction(LOG_MEL),
        "jobs": _usual_jobs,
        "floor": partial(least, threads=WORKERS),
    }
    times = in_turns(works, files, RUNS)
    name, jobs = f"log-mel, file to array, {len(files)} clips of {SECONDS} s", f"librosa, joblib, {WORKERS} workers"
    floor = (f"bytes + one batched FFT by {WORKERS} threads", times["floor"])
    return Row(name, "ms/clip", times["ours"], jobs, times["jobs"], *floor, min_ratio=1)


def _memory(files: list[str]) -> list[Row]:
    few, many = (_peak(files, count) for count in (len(files), MANY))
    name = "stage features@log_mel, peak memory, {} clips"
    return [
        Row(name.format(len(files)), "MiB", [few], f"{MANY} clips", [many], limit=MEMORY),
        Row(name.format(MANY), "MiB", [many], f"{len(files)} clips", [few], min_ratio=0.75, limit=MEMORY),
    ]


def _peak(files: list[str], count: int) -> float:
    """Run the stage on so many clips in a process of its own and give its peak memory [MiB]."""
    with TemporaryDirectory() as folder:
        _project(Path(folder), files, count)
        code = f"from bench.features import stage; stage({folder!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def stage(folder: str) -> None:
    """Run the stage features@log_mel in a folder and print the peak memory of this process [MiB]."""
    from stages.features import main

    os.chdir(folder)
    main("log_mel")
    print(peak_memory())


def _project(folder: Path, files: list[str], count: int) -> None:
    """Write the inputs of the stage: params and the tables of as many clips, the same files repeatedly."""
    import yaml

    params = {"features": {"log_mel": read_params()["features"]["log_mel"]}, "compute": {"jobs": WORKERS}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "data").mkdir()
    table = pd.DataFrame("", index=range(count), columns=list(COLUMNS))
    table["clip_id"] = [f"{number:016x}" for number in range(count)]
    table["machine"] = [f"machine_{number % 4}" for number in range(count)]
    table["split"] = ["train" if number % 5 else "test" for number in range(count)]
    table["domain"], table["kind"], table["section"] = "source", "machine", "00"
    table["sample_rate"], table["channels"], table["seconds"], table["speed_hz"] = RATE, 1, SECONDS, np.nan
    table.to_csv(folder / "data/clips.csv", index=False)
    paths = [files[number % len(files)] for number in range(count)]
    pd.DataFrame({"clip_id": table["clip_id"], "path": paths}).to_csv(folder / "data/files.csv", index=False)
