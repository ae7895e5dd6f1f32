"""How things are computed: device, threads, workers, generators. Never a reason to re-run a stage."""

import hashlib
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from asd.core.errors import UserError
from asd.core.follow import follow
from asd.core.memory import keep_freed_memory
from asd.core.progress import in_worker
from asd.core.section import Section

if TYPE_CHECKING:
    import torch

AHEAD = 4  # items a worker
PAYS = 3.0  # [s] of work that holds the lock, from which on processes pay for being started (2 s, once a stage)


class ComputeParams(Section):
    """The section ``compute`` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(
        default=2, ge=1, description="threads of one process; results are the same bytes for the same number"
    )
    jobs: int = Field(default=2, ge=1, description="workers over clips and machines; never changes a result")
    backend: Literal["auto", "threading", "loky", "dask"] = Field(
        default="auto",
        description="of the workers; auto: threads, or processes (loky) where much work holds Python's lock",
    )
    address: str = Field(
        default="",
        description="of a Dask scheduler, tcp://host:8786; empty: backend dask starts compute.jobs workers here",
    )

    @field_validator("address")
    @classmethod
    def _of_a_scheduler(cls, address: str) -> str:
        if address and not re.fullmatch(r"((tcp|tls)://)?[^/\s]+:\d+", address):
            raise ValueError("a scheduler's is tcp://host:8786")
        return address

    @model_validator(mode="after")
    def _of_dask(self) -> "ComputeParams":
        if self.address and self.backend != "dask":
            raise ValueError(f"address is {self.address!r}: backend must be dask, or the address empty")
        return self


_configured = ComputeParams()


def configure(params: ComputeParams) -> None:
    """Set the device, threads and workers of this process, for all calls that are given none."""
    global _configured
    _configured = params


def compute_params() -> ComputeParams:
    """Give what :func:`configure` set; the defaults of :class:`ComputeParams` where it was not called."""
    return _configured


def device(params: ComputeParams | None = None) -> "torch.device":
    """Choose the device and set torch up for repeatable results on it.

    Parameters
    ----------
    params : ComputeParams, optional
        Those of :func:`configure` by default.

    Raises
    ------
    UserError
        Where ``compute.device`` is ``cuda`` and there is none.
    """
    import torch

    params = params or compute_params()
    keep_freed_memory()
    torch.set_num_threads(params.threads)
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms does so, too, but loads the compiler: 1 s
    # else a twentieth of a step, for numbers that nobody reads
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    cuda = torch.cuda.is_available()
    if params.device == "cuda" and not cuda:
        raise UserError("compute.device is cuda, but torch sees no CUDA device: set it to auto or cpu")
    return torch.device("cuda" if cuda and params.device != "cpu" else "cpu")


def rng(*keys: int | str) -> np.random.Generator:
    """Make a generator that depends on its keys alone: ``rng(seed, "fan", "train", 7)``.

    Draws keyed by what they are for, not by the process or the order in which they are made, are the same
    with any number of workers and after any interruption.
    """
    digest = hashlib.sha256(repr(keys).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def torch_rng(*keys: int | str) -> "torch.Generator":
    """Make a torch generator (CPU) that depends on its keys alone; see :func:`rng`."""
    import torch

    return torch.Generator().manual_seed(int(rng(*keys).integers(2**63)))


def spread() -> bool:
    """Tell whether work that one process does by itself is sent to a Dask cluster: not by processes of ``torchrun``."""
    return compute_params().backend == "dask" and "WORLD_SIZE" not in os.environ


def parallel(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    params: ComputeParams | None = None,
    locked: float = 0.0,
) -> Iterator[Any]:
    """Map a function over items by ``compute.jobs`` workers, or those of a Dask cluster; one is this process itself.

    Parameters
    ----------
    function : callable
        For processes it, the items and what it gives are pickled.
    items : iterable
    params : ComputeParams, optional
        Those of :func:`configure` by default.
    locked : float
        [s] For how long, about, all of the work holds Python's lock, so that threads would wait for one another. With
        ``backend: auto`` it is done by processes where that is longer than :data:`PAYS`.

    Yields
    ------
    Any
        In the order of items, as they come.
    """
    params = params or compute_params()
    backend = params.backend
    if backend == "auto":
        backend = "loky" if locked > PAYS else "threading"
    if params.jobs == 1 and not params.address:
        done: Iterator[Any] = map(function, items)
    elif backend == "threading":
        done = _by_threads(function, items, params.jobs)
    elif backend == "dask":
        done = _by_dask(function, items, params)
    else:
        done = _by_processes(function, items, params.jobs)
    return _one_thread_each(done)


def _one_thread_each(done: Iterator[Any]) -> Iterator[Any]:
    """Compute products of matrices by one thread a worker: faster, and the same bytes for any number of workers."""
    with _one_thread():
        yield from done


def _one_thread() -> Any:
    """Limit products of matrices to one thread, from now on or as a context."""
    import scipy.linalg  # noqa: F401 - its library of products is one of its own, and must be there to be limited
    from threadpoolctl import threadpool_limits

    keep_freed_memory()
    return threadpool_limits(1, "blas")


def _few_ahead(submit: Callable[[Any], Callable[[], Any]], items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """Stay a few items ahead of whoever takes the results, which bounds the memory.

    Parameters
    ----------
    submit : callable
        Hands an item out; gives a callable that waits for its result.
    items : iterable
    ahead : int
        Items that are handed out at a time.
    """
    handed_out: deque[Callable[[], Any]] = deque()
    for item in items:
        handed_out.append(submit(item))
        if len(handed_out) > ahead:
            yield handed_out.popleft()()
    while handed_out:
        yield handed_out.popleft()()


def _by_threads(function: Callable[[Any], Any], items: Iterable[Any], jobs: int) -> Iterator[Any]:
    """Use threads of this process; joblib's would run ahead of whoever takes the results."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield from _few_ahead(lambda item: pool.submit(function, item).result, items, AHEAD * jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _by_processes(function: Callable[[Any], Any], items: Iterable[Any], jobs: int) -> Iterator[Any]:
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):  # the workers are the threads
        workers = Parallel(return_as="generator")
    work = partial(_in_worker, os.getpid(), Path.cwd(), _configured, function)
    done = workers(delayed(work)(item) for item in items)
    try:
        for one in done:  # noqa: UP028 - closed by "yield from", joblib warns of results that nobody took
            yield one
    finally:
        with warnings.catch_warnings(action="ignore"):
            done.close()


def _by_dask(function: Callable[[Any], Any], items: Iterable[Any], params: ComputeParams) -> Iterator[Any]:
    from asd.core import cluster

    client = cluster.connected(params.address, params.jobs)
    starter = None if params.address else os.getpid()
    alone = _configured.model_copy(update={"jobs": 1, "backend": "auto", "address": ""})  # one worker has no others
    work = partial(_in_dask_worker, starter, Path.cwd(), alone, function)
    with cluster.sender(client, work) as send:
        yield from _few_ahead(send, items, AHEAD * cluster.workers(client))


def _in_dask_worker(
    starter: int | None, folder: Path, params: ComputeParams, function: Callable[[Any], Any], item: Any
) -> Any:
    _one_thread()  # from now on
    return _in_worker(starter, folder, params, function, item)


def _in_worker(
    starter: int | None, folder: Path, params: ComputeParams, function: Callable[[Any], Any], item: Any
) -> Any:
    if starter is not None:  # on this machine
        follow(starter)
    os.chdir(folder)  # workers outlive a call: items may name files of this one's folder, an earlier one may be gone
    configure(params)
    in_worker()
    keep_freed_memory()
    return function(item)
