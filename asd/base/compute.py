"""How things are computed: device, threads, workers, generators. Never a reason to re-run a stage."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from asd.base.errors import UserError
from asd.base.memory import keep_freed_memory
from asd.base.section import Section, load

if TYPE_CHECKING:
    import torch

AHEAD = 4  # items a worker


class ComputeParams(Section):
    """The section ``compute`` of params.yaml."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(2, ge=1, description="threads of one process; results are the same bytes for the same number")
    jobs: int = Field(2, ge=1, description="workers over clips and machines; never changes a result")
    backend: Literal["auto", "threading", "loky", "dask"] = Field(
        "auto", description="of the workers; auto: threads, or processes (loky) where much work holds Python's lock"
    )


def compute_params() -> ComputeParams:
    """Read the section ``compute``."""
    return load(ComputeParams, "compute")


def device(params: ComputeParams | None = None) -> "torch.device":
    """Choose the device and set torch up for repeatable results on it.

    Raises
    ------
    UserError
        Where ``compute.device`` is ``cuda`` and there is none.
    """
    import torch

    params = params or compute_params()
    keep_freed_memory()
    torch.set_num_threads(params.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
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


def parallel(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    params: ComputeParams | None = None,
    processes: bool = False,
) -> Iterator[Any]:
    """Map a function over items by ``compute.jobs`` workers, yielding results in order as they come.

    ``processes`` says that the work holds Python's lock and is long enough to pay for starting processes (2 s):
    ``backend: auto`` then takes them.
    """
    params = params or compute_params()
    backend = ("loky" if processes and params.jobs > 1 else "threading") if params.backend == "auto" else params.backend
    if backend == "threading":
        return _by_threads(function, items, params.jobs)
    from joblib import Parallel, delayed, parallel_config

    own = {"inner_max_num_threads": 1} if backend == "loky" else {}  # the workers are the threads
    with parallel_config(backend, n_jobs=params.jobs, **own):
        workers = Parallel(return_as="generator")
    return iter(workers(delayed(function)(item) for item in items))


def _by_threads(function: Callable[[Any], Any], items: Iterable[Any], jobs: int) -> Iterator[Any]:
    """Stay a few items ahead of whoever takes the results, which bounds the memory; joblib's threads would not."""
    pool, ahead = ThreadPoolExecutor(jobs), deque[Future[Any]]()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > AHEAD * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
