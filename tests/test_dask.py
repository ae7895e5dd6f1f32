"""``compute.backend: dask``: the bytes of one process over a cluster on loopback, whatever is killed, and refusals."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from conftest import ROOT
from threadpoolctl import threadpool_info

from asd.core import cluster, compute
from asd.core.artifacts import read_json
from asd.core.compute import AHEAD, ComputeParams, configure, parallel
from asd.core.errors import UserError
from asd.core.section import checked
from asd.encoders import embedding
from asd.encoders.precision import at_precision
from asd.features.extraction import extract_all
from asd.features.fitting import FittedFrontEnd
from asd.features.front_ends.log_mel import LogMelParams
from asd.features.store import FeatureStore, describe, writer
from asd.scoring.registry import ScoreParams
from asd.scoring.table import score_table

pytest.importorskip("distributed", reason="dask[distributed] is not installed")
FRONT_END = {"kind": "log_mel", "sample_rate": 16000, "n_fft": 512, "hop_length": 256, "n_mels": 32}
FRONT_END |= {"f_min": 0, "f_max": 8000}
ONE = ComputeParams(jobs=1, threads=1)


def _is_json(text: str) -> bool:
    try:
        return bool(json.loads(text))
    except ValueError:
        return False


class Cluster:
    """A scheduler and workers of one thread, each a process of its own in a folder of its own."""

    def __init__(self, folder: Path, library: Path = ROOT) -> None:
        self.folder, self.workers, self.library = folder, [], library
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        deadline = time.monotonic() + 30
        while not (self.file.is_file() and _is_json(self.file.read_text())):  # it is not written at once
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address = read_json(self.file)["address"]
        self.client = cluster.connected(self.address, ComputeParams().jobs)

    def add(self, *options: str) -> None:
        options = options or ("--nthreads", "1")
        self.workers.append(self._start("worker", "--no-nanny", "--host", "127.0.0.1", *options))

    def _start(self, kind: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(self.file)]
        environment = os.environ | {"PYTHONPATH": str(self.library)}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(
            [*command, "--no-dashboard", "--dashboard-address", "127.0.0.1:0", *options],
            cwd=self.folder,
            env=environment,
            **quiet,
        )

    def params(self) -> ComputeParams:
        return ComputeParams(threads=1, backend="dask", address=self.address)

    def stop(self) -> None:
        self.client.close()
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """A cluster of two workers, for tests that harm none of them."""
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    started.add()
    started.add()
    started.client.wait_for_workers(2, timeout=60)
    yield started
    started.stop()


@pytest.fixture
def own(tmp_path):
    """A cluster without workers, for one test."""
    (tmp_path / "cluster").mkdir()
    started = Cluster(tmp_path / "cluster")
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_results_come_in_order_from_both_workers_in_this_folder(of_two):
    def where(number):
        time.sleep(0.05)
        blas = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        return number, os.getpid(), Path.cwd(), blas, compute.compute_params()

    numbers, workers, folders, blas, params = zip(*parallel(where, range(20), of_two.params()), strict=True)
    assert numbers == tuple(range(20))
    assert set(workers) == {worker.pid for worker in of_two.workers}
    assert set(folders) == {Path.cwd()}
    assert set(map(tuple, blas)) == {(1,)}
    assert {(own.backend, own.jobs, own.address) for own in params} == {("auto", 1, "")}, "a worker has none of its own"
    assert not list(Path(".asd").iterdir())


def test_few_items_are_ahead_of_whoever_takes_the_results(of_two):
    taken = []
    done = parallel(abs, (taken.append(number) or number for number in range(100)), of_two.params())
    for number in range(50):
        assert next(done) == number
        assert len(taken) <= number + 1 + 2 * AHEAD
    done.close()


def write_recordings(count):
    files = {}
    for number in range(count):
        samples = 16000 + 4000 * (number % 3)
        path = Path(f"{number:03}.wav")
        soundfile.write(path, np.random.default_rng(number).normal(0, 0.1, samples), 16000)
        files[f"clip{number:03}"] = str(path)
    return files


def write_store(folder, count, params):
    """Write features as the stage does."""
    front_end = FittedFrontEnd(LogMelParams.model_validate(FRONT_END))
    with writer(folder, "fan", front_end.params.n_features) as append:
        for clip_id, rows in extract_all(write_recordings(count), front_end, params):
            append(clip_id, rows)
    describe(folder, {**FRONT_END, "n_features": 32, "mean": -4.0, "std": 4.5})
    return FeatureStore(folder)


def test_features_are_the_bytes_of_one_process(of_two):
    for name, params in (("one", ONE), ("two", of_two.params())):
        write_store(Path(name), 40, params)
    for file in ("fan.npy", "fan.csv"):
        assert Path("one", file).read_bytes() == Path("two", file).read_bytes()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, -1)),
            torch.nn.Conv2d(1, 8, 3),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(32, 16),
        ).eval()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_embeddings_are_the_bytes_of_one_process(of_two, monkeypatch, precision):
    monkeypatch.setattr(embedding, "PART", 1)
    sent = []
    monkeypatch.setattr(compute, "parallel", lambda work, parts: sent.extend(parts) or parallel(work, parts))
    store = write_store(Path("store"), 60, ONE)
    ids = list(reversed(store.clip_ids))
    applied = []
    for params in (ONE, of_two.params()):
        configure(params)
        applied.append(embedding.apply(at_precision(network(), precision), [store], ids, compute.device()))
    assert len(sent) == 6, "batches of 16, 4 clips of each of three lengths"
    assert applied[0].shape == (60, 16)
    assert applied[0].tobytes() == applied[1].tobytes()


@pytest.mark.slow
def test_scores_are_those_of_one_process(of_two):
    draws = np.random.default_rng(0)
    clips = pd.DataFrame({"machine": np.repeat(["fan", "pump", "valve"], 30), "number": list(range(30)) * 3})
    train = clips["number"] < 20
    clips["clip_id"] = clips["machine"] + clips["number"].map("{:03}".format)
    clips["split"] = np.where(train, "train", "test")
    clips["domain"] = np.where(train, np.where(clips["number"] < 16, "source", "target"), "unknown")
    clips = clips.assign(section="00", kind="machine", recording="", position=np.where(train, clips["number"], -1))
    embeddings = {seed: draws.normal(size=(len(clips), 1, 8)).astype(np.float32) for seed in (0, 1)}
    block = checked(ScoreParams, {"scorer": "gmm"}).root
    one, over = (
        score_table(clips.assign(fitted=False), set(clips["clip_id"]), embeddings, block, compute=params)
        for params in (ONE, of_two.params())
    )
    pd.testing.assert_frame_equal(one, over, check_exact=True)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(own):
    """What it had in hand, and results that nobody had fetched yet, are made again by the other one."""

    def noted(number):
        Path(f"{number:02}.started.{os.getpid()}").touch()
        time.sleep(0.1)
        return np.random.default_rng(number).normal(size=100_000)

    own.add()
    own.add()
    own.client.wait_for_workers(2, timeout=60)
    done, results = parallel(noted, range(40), own.params()), []
    killed, other = own.workers
    for result in done:
        results.append(result)
        if len(results) == 5:
            while not list(Path().glob(f"*.started.{killed.pid}")):
                time.sleep(0.01)
            killed.kill()
            killed.wait()
    started, by_other = ({file.name[:2] for file in Path().glob(f"*.started.{pid}")} for pid in (killed.pid, other.pid))
    assert started & by_other, "something that the killed worker had begun was done by the other"
    assert len(results) == 40
    assert all(
        np.array_equal(result, np.random.default_rng(n).normal(size=100_000)) for n, result in enumerate(results)
    )


@pytest.mark.slow
def test_without_workers_there_is_one_line_and_with_one_it_goes_on(own, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(UserError, match=r"^the Dask cluster at tcp://127.* has no workers: start some"):
        list(parallel(abs, [1], own.params()))
    own.add()
    monkeypatch.setattr(cluster, "PATIENCE", 60.0)

    def items():
        yield 0.0
        time.sleep(0.5)  # what is sent within a tenth of a second is taken in any order: the minute could come first
        yield 60.0

    done = parallel(time.sleep, items(), own.params())
    assert next(done) is None
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    own.workers[0].kill()
    with pytest.raises(UserError, match="has no workers"):
        list(done)


@pytest.mark.slow
def test_a_result_whose_worker_dies_before_it_is_taken_is_one_line(own, monkeypatch):
    own.add()
    own.client.wait_for_workers(1, timeout=60)
    with cluster.sender(own.client, abs) as send:
        result = send(-1)
        assert send(-2)() == 2  # so the worker is there, and next to nothing remains to be done
        time.sleep(0.5)
        own.workers[0].kill()
        own.workers[0].wait()
        monkeypatch.setattr(cluster, "PATIENCE", 1.0)
        with pytest.raises(UserError, match="has no workers"):
            result()


def test_a_timeout_of_the_work_itself_is_raised(of_two):
    def late(item):
        raise TimeoutError(f"{item} is late")

    with pytest.raises(TimeoutError, match="3 is late"):
        list(parallel(late, [3], of_two.params()))


def test_a_scheduler_that_goes_is_one_line(own, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    own.add()
    own.client.wait_for_workers(1, timeout=60)

    def items():
        yield 0.0
        own.scheduler.kill()
        own.scheduler.wait()
        yield 0.0

    with pytest.raises(UserError, match=r"the Dask scheduler at tcp://127.* is gone: start it"):
        list(parallel(time.sleep, items(), own.params()))


def test_a_scheduler_without_the_package_is_one_line(tmp_path):
    (tmp_path / "asd.py").touch()  # found first: the environment's is hidden
    (tmp_path / "cluster").mkdir()
    started = Cluster(tmp_path / "cluster", library=tmp_path)
    try:
        with pytest.raises(UserError, match=r"lacks a package \(No module named 'asd.core'.*: start all from"):
            started.add()
            list(parallel(abs, [1], started.params()))
    finally:
        started.stop()


def test_a_worker_of_several_threads_is_refused(own):
    own.add("--nthreads", "2")
    with pytest.raises(UserError, match=r"^the Dask worker tcp://127.* has 2 threads: start it with --nthreads 1"):
        list(parallel(abs, [1], own.params()))


def test_a_worker_of_other_code_is_refused(of_two, monkeypatch):
    monkeypatch.setattr(cluster, "environment", lambda: "other")
    with pytest.raises(UserError, match="has other code or packages than this project: start it anew"):
        list(parallel(abs, [1], of_two.params()))


def test_a_worker_that_does_not_see_the_project_is_refused(of_two):
    def items():
        for mark in Path(".asd").iterdir():
            mark.unlink()
        yield 1

    with pytest.raises(UserError, match=r"does not see .*: share it with all hosts, at the same path"):
        list(parallel(abs, items(), of_two.params()))


def test_work_that_a_worker_can_not_load_is_one_line(of_two):
    class Elsewhere:
        def __reduce__(self):
            return __import__, ("no_such_package",)

        def __call__(self, item):
            return item

    with pytest.raises(UserError, match=r"can't load the work \(No module named 'no_such_package'\): give it"):
        list(parallel(Elsewhere(), [1], of_two.params()))


def test_an_error_in_the_work_is_its_own(of_two):
    def refused(number):
        raise UserError(f"{number} is so: do that")

    with pytest.raises(UserError, match=r"^1 is so: do that$"):
        list(parallel(refused, [1, 2], of_two.params()))
    with pytest.raises(FileNotFoundError):
        list(parallel(Path.read_bytes, [Path("none")], of_two.params()))


def test_an_address_without_a_scheduler_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(UserError, match=r"^compute.address is '127.0.0.1:1': no Dask scheduler answers there"):
        list(parallel(abs, [1], ComputeParams(backend="dask", address="127.0.0.1:1")))
    with pytest.raises(UserError, match="Dask's configuration names no certificates"):
        list(parallel(abs, [1], ComputeParams(backend="dask", address="tls://127.0.0.1:1")))


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"^compute.backend is 'dask': the package dask\[distributed\] is missing"):
        list(parallel(abs, [1], ComputeParams(backend="dask", address="127.0.0.1:2")))


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"backend": "dask", "address": "cluster"}, r"compute.address is 'cluster': a scheduler's is tcp://host:8786"),
        ({"address": "tcp://cluster:8786"}, r"compute: address is 'tcp://cluster:8786': backend must be dask"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_runs(block, says):
    with pytest.raises(UserError, match=says):
        checked(ComputeParams, block, "compute")


LOCAL = """
import os, time
from asd.core.compute import ComputeParams, parallel
def worker(number):
    time.sleep(0.2)
    return os.getpid()
if __name__ == "__main__":
    print(*set(parallel(worker, range(8), ComputeParams(backend="dask", jobs=2))), flush=True)
    {then}
"""


def run_locally(then):
    Path("work.py").write_text(LOCAL.format(then=then))
    command = [sys.executable, "work.py"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, **quiet)


@pytest.mark.slow
def test_without_an_address_there_are_as_many_workers_here_as_jobs():
    process = run_locally("")
    said, errors = process.communicate(timeout=60)
    workers = {int(pid) for pid in said.split()}
    assert len(workers - {process.pid}) == 2
    assert not errors
    assert not any(map(alive, workers))


@pytest.mark.slow
def test_a_killed_process_leaves_no_worker_of_its_own_behind():
    process = run_locally("time.sleep(60)")
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert all(map(alive, workers))
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(map(alive, workers)):
        assert time.monotonic() < deadline, "it outlived what started it"
        time.sleep(0.05)


def alive(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
