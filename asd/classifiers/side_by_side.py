"""Train several networks at once, by processes of one machine."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch

from asd.classifiers.params import Trained
from asd.classifiers.task import Task
from asd.core import processes
from asd.core.compute import ComputeParams, configure, parallel
from asd.core.progress import in_worker, of_workers

NOTE = "progress"  # where a worker notes how far its network is, in the folder of its checkpoints


def train_all(tasks: Sequence[Task], compute: ComputeParams) -> Iterator[Trained]:
    """Train the networks of one system, side by side where that is faster.

    On a processor two networks train faster by one thread each than one after the other by two: small layers are
    divided badly. How many threads a network has depends on ``compute.threads`` and the number of networks alone, so
    weights are the same bytes for any ``compute.jobs``.

    Parameters
    ----------
    tasks : sequence of Task
        Of the same objective.
    compute : ComputeParams

    Yields
    ------
    dict of str to Tensor, dict
        Weights and metrics, in the order of ``tasks``; see :meth:`asd.classifiers.params.Objective.train`.
    """
    first = tasks[0]
    apart = first.params.divides_work or first.device.type != "cpu" or processes.size() > 1
    at_once = 1 if apart else min(len(tasks), compute.threads)
    threads, jobs = compute.threads // at_once, min(at_once, compute.jobs)
    if jobs == 1:
        yield from map(partial(_train, threads), tasks)
    else:
        here = compute.model_copy(update={"jobs": jobs, "backend": "loky", "address": ""})
        alone = compute.model_copy(update={"jobs": 1, "backend": "auto", "address": ""})  # a worker has no others
        with of_workers([task.work / NOTE for task in tasks]):
            yield from parallel(partial(_train_in_worker, alone, threads), tasks, here)


def _train_in_worker(compute: ComputeParams, threads: int, task: Task) -> Trained:
    configure(compute)
    in_worker(task.work / NOTE)
    return _train(threads, task)


def _train(threads: int, task: Task) -> Trained:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return task.params.train(task)
    finally:
        torch.set_num_threads(before)
