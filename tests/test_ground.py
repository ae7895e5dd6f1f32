"""The ground floor: whole artifacts, unfinished work, keyed draws, the clip table."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from conftest import ROOT, posix
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from asd.core import checkpoints, compute
from asd.core.artifacts import atomic, percent, publish, read_csv, rounded, significant, write_csv, write_metrics
from asd.core.clips import COLUMNS, content_id, parse_attributes, read_clips, write_clips
from asd.core.errors import UserError
from asd.datasets.audio import RecordingError


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a" / "table.csv"
    with atomic(path, "w") as file:
        file.write("old")

    def fails():
        with atomic(path, "w") as file:
            file.write("ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]


def test_publish_replaces_a_folder_whole(tmp_path):
    for name in ("work", "output"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    publish(tmp_path / "work", tmp_path / "output")
    assert [p.name for p in (tmp_path / "output").iterdir()] == ["work"]


@given(st.floats(-1e300, 1e300, allow_subnormal=False), st.integers(1, 8))
def test_significant_digits(value, digits):
    assert significant(value, digits) == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits))
    assert significant(significant(value, digits), digits) == significant(value, digits)


@given(st.floats(0, 1))
def test_a_percentage_keeps_its_two_decimals_in_a_metric_file(share):
    assert rounded({"auc": percent(share)})["auc"] == percent(share)


def test_metrics_are_what_dvc_can_show(tmp_path):
    write_metrics(tmp_path / "m.json", {"b": {"y": np.float32(0.123456), "x": np.int64(3)}, "a": True, "c": "text"})
    assert (tmp_path / "m.json").read_text() == json.dumps(
        {"a": True, "b": {"x": 3, "y": 0.1235}, "c": "text"}, indent=2
    ) + "\n"
    for bad in ([1], None):
        with pytest.raises(TypeError):
            rounded({"a": bad})
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="leave out what can't be had"):
            rounded({"a": bad})


def test_tables_keep_text_and_every_digit(tmp_path):
    table = pd.DataFrame({"name": ["NA", "", "0012", "a,b"], "value": [0.1, math.nan, 1 / 3, 1e-300]})
    write_csv(tmp_path / "t.csv", table)
    again = read_csv(tmp_path / "t.csv", ("name",))
    assert list(again["name"]) == list(table["name"])
    np.testing.assert_array_equal(again["value"], table["value"])


@pytest.mark.parametrize(("content", "says"), [(None, "is missing"), ("", "no CSV"), ('a\n"b', "no CSV")])
def test_a_table_that_is_none_is_one_line(tmp_path, content, says):
    if content is not None:
        (tmp_path / "t.csv").write_text(content)
    with pytest.raises(UserError, match=says):
        read_csv(tmp_path / "t.csv")


def test_draws_depend_on_their_keys_alone():
    first = compute.rng(1, "fan", 7).normal(size=5)
    compute.rng(1, "fan", 8).normal(size=5)
    np.testing.assert_array_equal(first, compute.rng(1, "fan", 7).normal(size=5))
    assert not np.array_equal(first, compute.rng(1, "fan", "7").normal(size=5))


@pytest.mark.slow
def test_workers_are_where_their_caller_is(tmp_path, monkeypatch):
    params = compute.ComputeParams(jobs=2, backend="loky")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert list(compute.parallel(_folder, [1, 2], params)) == [str(tmp_path / name)] * 2
        monkeypatch.chdir(tmp_path)
        (tmp_path / name).rmdir()


def _folder(_):
    return str(Path.cwd())


@pytest.mark.parametrize("backend", ["auto", "threading", "loky"])
def test_workers_keep_the_order(backend):
    params = compute.ComputeParams(jobs=2, backend=backend)
    assert list(compute.parallel(abs, range(-9, 0), params)) == list(range(9, 0, -1))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_worker_has_one_thread_for_products_of_matrices(jobs):
    def threads(_=None):
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = threads()
    assert list(compute.parallel(threads, range(3), compute.ComputeParams(jobs=jobs))) == [{1}] * 3
    assert threads() == before


@pytest.mark.slow
def test_a_library_that_a_worker_loads_has_one_thread_too():
    script = """
from threadpoolctl import threadpool_info
from asd.core.compute import ComputeParams, parallel
def threads(_):
    import sklearn.cluster
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
print(*parallel(threads, [0], ComputeParams(jobs=2)))
"""
    found = subprocess.check_output(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True
    )
    assert found == "{1}\n"


def test_processes_are_taken_where_they_pay():
    def workers(**asked):
        params = compute.ComputeParams(jobs=asked.pop("jobs", 2), backend=asked.pop("backend", "auto"))
        return set(compute.parallel(_process, range(8), params, **asked))

    much = 2 * compute.PAYS
    assert workers() == workers(locked=compute.PAYS / 2) == workers(locked=much, backend="threading") == {os.getpid()}
    assert os.getpid() not in workers(locked=much)
    assert workers(locked=much, jobs=1) == workers(backend="loky", jobs=1) == {os.getpid()}


def test_an_error_in_a_worker_is_the_users_own_one():
    with pytest.raises(RecordingError, match=r"^a\.wav is missing$") as caught:
        list(compute.parallel(_refused, [1, 2], compute.ComputeParams(jobs=2, backend="loky")))
    assert caught.value.reason == "missing"


def _refused(_):
    raise RecordingError("missing", "a.wav", "is missing")


def _process(_):
    return os.getpid()


def test_no_cuda_is_one_line(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=r"compute.device is cuda, but torch sees no CUDA device"):
        compute.device(compute.ComputeParams(device="cuda"))


def test_unfinished_work_is_found_again_by_what_it_is_of(workdir):
    (workdir / "input.csv").write_text("1")
    mark = checkpoints.fingerprint({"k": 1}, "input.csv")
    with pytest.raises(RuntimeError), checkpoints.unfinished(Path(".asd/train@x"), mark) as work:
        (work / "half").write_text("done")
        (work / ".torn.1.part").write_text("torn")
        raise RuntimeError
    with checkpoints.unfinished(Path(".asd/train@x"), mark) as work:
        assert [p.name for p in work.iterdir()] == ["half"]
    assert not work.exists()
    (workdir / "input.csv").write_text("2")
    assert (
        len({mark, checkpoints.fingerprint({"k": 1}, "input.csv"), checkpoints.fingerprint({"k": 2}, "input.csv")}) == 3
    )


def test_only_the_works_last_tried_are_kept(workdir):
    for mark in "abcdef":
        with pytest.raises(RuntimeError), checkpoints.unfinished(Path(".asd/train@x"), mark):
            time.sleep(0.01)
            raise RuntimeError
    assert sorted(p.name for p in (workdir / ".asd" / "train@x").iterdir()) == ["d", "e", "f"]


def mark_after(imports):
    command = [
        sys.executable,
        "-c",
        f"import {imports}; from asd.core import checkpoints; print(checkpoints.fingerprint(1))",
    ]
    return subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=True).stdout


def test_the_fingerprint_knows_the_code():
    assert mark_after("asd.core.errors") != mark_after("asd.evaluation.auc")


@pytest.mark.slow
def test_the_fingerprint_knows_the_code_that_a_table_imports_later():
    train = mark_after("stages.train")
    assert train == mark_after("stages.train, asd.encoders.architectures.vit, asd.classifiers.losses.arcface")
    assert train != mark_after("stages.adapt")


STAGE = """
import sys, time
from pathlib import Path
from asd.core.stage import run
def main(*names):
    Path("started").touch()
    {body}
    return "made"
run("probe", main)
"""


def start(workdir, body, *, under_dvc=False):
    """Start a stage, by itself or below a process that looks like dvc."""
    (workdir / "params.yaml").write_text("compute: {}")
    (workdir / "stage.py").write_text(textwrap.dedent(STAGE).format(body=body))
    command = [sys.executable, "stage.py"]
    if under_dvc:
        (workdir / "dvc").write_text("import subprocess, sys; subprocess.run([sys.executable, 'stage.py'])")
        command = [sys.executable, "dvc"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not (workdir / "started").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_an_error_of_the_user_is_one_line_and_two(workdir):
    process = start(workdir, "from asd.core.errors import UserError; raise UserError('it is so: do that')")
    assert process.communicate()[1] == "asd: it is so: do that\n"
    assert process.returncode == 2


def test_two_writers_are_never_at_the_same_stage(workdir, monkeypatch):
    first = start(workdir, "time.sleep(30)")
    monkeypatch.setattr("asd.core.stage.PATIENCE", 0.2)
    from asd.core.stage import alone

    with pytest.raises(UserError, match="probe is at work in another process"), alone("probe"):
        pass
    first.kill()
    first.wait()
    with alone("probe"):
        pass


@posix
def test_a_killed_dvc_leaves_no_stage_behind(workdir):
    body = "Path('pid').write_text(str(__import__('os').getpid())); time.sleep(30); Path('late').touch()"
    process = start(workdir, body, under_dvc=True)
    while not (workdir / "pid").exists() or not (workdir / "pid").read_text():
        time.sleep(0.02)
    stage = int((workdir / "pid").read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert_ends(stage)


def test_a_killed_stage_leaves_no_worker_behind(workdir):
    """The worker is idle: it has given its result, and waits for more."""
    (workdir / "work.py").write_text(
        "import os, time\n"
        "from asd.core.compute import ComputeParams, parallel\n"
        "print(*parallel(lambda _: os.getpid(), [0], ComputeParams(backend='loky')), flush=True)\n"
        "time.sleep(30)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "work.py"], stdout=subprocess.PIPE, env=environment)
    worker = int(process.stdout.readline())
    assert worker != process.pid
    assert alive(worker)
    process.kill()
    process.wait()
    assert_ends(worker)


def assert_ends(pid):
    deadline = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < deadline, "it outlived what started it"
        time.sleep(0.05)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_clip_is_named_by_its_content():
    x = np.random.default_rng(0).normal(size=(100, 1))
    name = content_id(x, 16000)
    assert len(name) == 16
    assert name == content_id(x.astype(np.float32), 16000)
    other = x.copy()
    other[50] += 1e-3
    assert len({name, content_id(other, 16000), content_id(x, 8000), content_id(x.reshape(50, 2), 16000)}) == 4


def clips(**changes):
    row = dict.fromkeys(COLUMNS, "") | {"clip_id": "b", "machine": "fan", "section": "00", "split": "train"}
    row |= {
        "domain": "source",
        "kind": "machine",
        "speed_hz": math.nan,
        "sample_rate": 16000,
        "channels": 1,
        "seconds": 1.0,
    }
    return pd.DataFrame([row, row | {"clip_id": "a"}]).assign(**changes)


def test_the_clip_table_is_sorted_and_checked(tmp_path):
    path = tmp_path / "clips.csv"
    write_clips(clips(), path)
    assert list(read_clips(path)["clip_id"]) == ["a", "b"]
    for changes, says in (
        ({"split": "validation"}, "split is 'validation': one of train, test, supplemental"),
        ({"domain": ""}, "domain is ''"),
        ({"clip_id": "a"}, "unique and sorted"),
    ):
        with pytest.raises(UserError, match=says):
            write_clips(clips(**changes), path)
    write_csv(path, clips().drop(columns="kind"))
    with pytest.raises(UserError, match="lacks the column kind"):
        read_clips(path)


def test_attributes_are_taken_apart():
    assert parse_attributes("speed=3;mic=1") == {"speed": "3", "mic": "1"}
    assert parse_attributes("") == {}


def test_the_command_line_is_quick_and_clear():
    def asd(*arguments):
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "asd", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done, time.monotonic() - begin

    done, seconds = asd("--help")
    assert done.returncode == 0
    assert "manifest" in done.stdout
    assert seconds < 0.5 or asd("--help")[1] < 0.5
    assert asd("manyfest")[0].returncode == 2
