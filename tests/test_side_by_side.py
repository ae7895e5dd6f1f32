"""Networks of one system trained by several processes are those trained one after the other."""

from dataclasses import replace

import pytest
import torch
from classifier_runs import whole

from asd.classifiers import side_by_side
from asd.classifiers.side_by_side import train_all
from asd.core import compute
from asd.core.compute import ComputeParams
from asd.core.errors import UserError

TWO = ComputeParams(threads=2, jobs=2)


@pytest.fixture(params=["cnn", "group_lora"])
def tasks(request, tmp_path):
    one = whole(request.param, tmp_path, "first", steps=4)
    fewer = one.clips.iloc[::2].reset_index(drop=True)
    return [one, replace(one, clips=fewer, work=tmp_path / "second")]


@pytest.mark.slow
def test_side_by_side_is_one_after_the_other(tasks, tmp_path):
    together = list(train_all(tasks, TWO))
    apart = [replace(task, work=tmp_path / "apart" / str(i)) for i, task in enumerate(tasks)]
    alone = list(train_all(apart, TWO.model_copy(update={"jobs": 1})))
    for (weights, figures), (same, known) in zip(together, alone, strict=True):
        assert weights.keys() == same.keys()
        assert all(torch.equal(weights[name], same[name]) for name in same)
        assert figures == known
    assert any(not torch.equal(alone[0][0][name], alone[1][0][name]) for name in alone[0][0])  # of other clips


def test_threads_are_divided_and_given_back(tmp_path, monkeypatch):
    seen = []
    task = whole("cnn", tmp_path, "first", steps=0)
    monkeypatch.setattr(type(task.params), "train", lambda *_: seen.append(torch.get_num_threads()) or ({}, {}))
    before = torch.get_num_threads()
    list(train_all([task], ComputeParams(threads=4, jobs=1)))
    list(train_all([task, task], ComputeParams(threads=4, jobs=1)))
    list(train_all([task, task], ComputeParams(threads=1, jobs=8)))
    assert seen == [4, 2, 2, 1, 1]
    assert torch.get_num_threads() == before


def test_no_worker_knows_a_scheduler(tmp_path, monkeypatch):
    """Networks train on this machine, and what one embeds meanwhile is not sent to a cluster by a worker."""
    of_dask = ComputeParams(threads=2, jobs=2, backend="dask", address="tcp://scheduler:8786")
    task, asked, seen = whole("cnn", tmp_path, "first", steps=0), [], []

    def here(work, items, params):
        asked.append(params)
        return map(work, items)

    monkeypatch.setattr(compute, "_configured", of_dask)
    monkeypatch.setattr(side_by_side, "parallel", here)
    monkeypatch.setattr(type(task.params), "train", lambda *_: seen.append(compute.compute_params()) or ({}, {}))
    list(train_all([task, task], of_dask))
    assert [(own.backend, own.jobs, own.address) for own in asked] == [("loky", 2, "")]
    assert {(own.backend, own.jobs, own.address) for own in seen} == {("auto", 1, "")}


def test_an_error_of_another_process_is_a_line(tmp_path):
    task = whole("cnn", tmp_path, "first", steps=1, noise_mix=0.5)
    lonely = replace(task, supplements=None)
    with pytest.raises(UserError, match="no noise-only clips"):
        list(train_all([lonely, lonely], TWO))
