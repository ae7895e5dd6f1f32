"""Work over a Dask cluster: connect, refuse workers that can't give the same bytes, send items, wait for results."""

import atexit
import hashlib
import logging
import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any, NamedTuple

from asd.core.errors import UserError

if TYPE_CHECKING:
    from distributed import Client, Future

LIBRARY = Path(__file__).parents[1]
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio", "pandas", "soundfile", "soxr")  # bytes depend on
FOLDER = ".asd"  # of the project; gets a file by which a worker knows that it sees the same folder
PATIENCE = 30.0  # [s] for the scheduler to answer and for a worker to be there
LOCAL = {  # of the cluster that is started where there is no address: like the workers of joblib
    "threads_per_worker": 1,
    "memory_limit": 0,
    "host": "127.0.0.1",
    "dashboard_address": "127.0.0.1:0",
    "silence_logs": logging.CRITICAL,
}
NO_WORKERS = "the Dask cluster at {} has no workers: start some from this project's environment"


class Place(NamedTuple):
    """What a worker must have in common with the process that sends the work."""

    folder: Path  # the project's
    mark: Path  # a file in it, there as long as the work is
    environment: str


def workers(client: "Client") -> int:
    """Count the workers, at least one of which must come in time.

    Raises
    ------
    UserError
        Where none comes.
    """
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        return len(client.nthreads())
    except TimeoutError:
        raise UserError(NO_WORKERS.format(_address(client))) from None


@cache
def connected(address: str, jobs: int) -> "Client":
    """Connect to a cluster, once a process; it is left when the process ends.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:8786``; empty: a cluster of processes on this machine is started.
    jobs : int
        Number of those processes.

    Raises
    ------
    UserError
        Where the package is missing or nothing answers at the address.
    """
    try:
        from distributed import Client, Security
    except ImportError:
        why = "the package dask[distributed] is missing, install it or choose auto"
        raise UserError(f"compute.backend is 'dask': {why}") from None
    if address.startswith("tls:") and not Security().get_connection_args("client").get("ssl_context"):
        raise UserError(
            f"compute.address is {address!r}: Dask's configuration names no certificates, set distributed.comm.tls"
        )
    for name in ("distributed", "distributed.client"):  # what matters is raised, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        if address:
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        else:
            client = Client(n_workers=jobs, set_as_default=False, **LOCAL)
    except OSError as error:
        why = f"no Dask scheduler answers there ({type(error).__name__})"
        raise UserError(f"compute.address is {address!r}: {why}, start dask scheduler or correct it") from None
    atexit.register(client.close)
    return client


@contextmanager
def sender(client: "Client", function: Callable[[Any], Any]) -> Iterator[Callable[[Any], Callable[[], Any]]]:
    """Send a function to the workers, and then items for it.

    Parameters
    ----------
    client : Client
    function : callable
        Takes an item. It is sent once, however many items follow, and held by the scheduler, so that no killed worker
        takes it away.

    Yields
    ------
    callable
        ``send(item)`` gives a callable that waits for the item's result. An item whose worker is killed is done again
        by another one.
    """
    import cloudpickle

    folder = Path.cwd()
    (folder / FOLDER).mkdir(exist_ok=True)
    handle, mark = mkstemp(dir=folder / FOLDER, prefix="dask-")
    os.close(handle)
    try:
        place = Place(folder, Path(mark), environment())
        shared = client.submit(_unpickled, cloudpickle.dumps(function), place, pure=False)

        def send(item: Any) -> Callable[[], Any]:
            future = client.submit(_done, shared, cloudpickle.dumps(item), place, pure=False)
            return lambda: _result(client, future)

        yield send
    finally:
        Path(mark).unlink(missing_ok=True)


def _result(client: "Client", future: "Future") -> Any:
    """Wait for a result as long as there are workers."""
    from distributed import KilledWorker, wait

    try:
        while True:
            try:
                with client.as_current():
                    wait(future, timeout=PATIENCE)
                return future.result(timeout=PATIENCE)  # a worker may die between its result and this
            except TimeoutError:
                if future.status == "error":  # the work's own
                    raise
                workers(client)
    except (ImportError, RuntimeError) as error:
        missing = error.__cause__ or error  # the scheduler, which unpickles too, raises it from the cause
        if not isinstance(missing, ImportError):
            raise
        why = f"a process of it lacks a package ({missing}): start all from this project's environment"
        raise UserError(f"the Dask cluster at {_address(client)}: {why}") from None
    except KilledWorker as error:
        why = f"{error.allowed_failures + 1} workers died of one piece of work: give them more memory"
        raise UserError(f"the Dask cluster at {_address(client)}: {why}") from None
    except (CancelledError, OSError) as error:
        if client.status == "running" and not isinstance(error, CancelledError):
            raise
        connected.cache_clear()
        why = "is gone: start it, the same command goes on where it was"
        raise UserError(f"the Dask scheduler at {_address(client)} {why}") from None


def _address(client: "Client") -> str:
    return str(client.scheduler.address) if client.scheduler else "its address"


@cache
def environment() -> str:
    """Hash what bytes depend on: the library's files as they are when a process first asks, versions of packages."""
    digest = hashlib.sha256(repr([platform.python_version(), *map(version, PACKAGES)]).encode())
    for file in sorted(LIBRARY.rglob("*")):
        if file.suffix in (".py", ".yaml"):
            digest.update(file.relative_to(LIBRARY).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _unpickled(function: bytes, place: Place) -> Callable[[Any], Any]:
    import cloudpickle

    _refuse_unless_fit(place)
    try:
        unpickled: Callable[[Any], Any] = cloudpickle.loads(function)
    except Exception as error:  # whatever a library says of what it hasn't got
        why = f"can't load the work ({' '.join(str(error).split())})"
        raise UserError(f"{_name()} {why}: give it the device and the packages of this process") from None
    return unpickled


def _done(function: Callable[[Any], Any], item: bytes, place: Place) -> Any:
    import cloudpickle

    _refuse_unless_fit(place)
    return function(cloudpickle.loads(item))


def _refuse_unless_fit(place: Place) -> None:
    """Refuse, in a worker, work that it would not do as the process that sent it."""
    from distributed import get_worker

    threads = get_worker().state.nthreads
    if threads > 1:  # the working directory and torch's threads are a process's
        raise UserError(f"{_name()} has {threads} threads: start it with --nthreads 1, and more of them")
    if environment() != place.environment:
        raise UserError(f"{_name()} has other code or packages than this project: start it anew from its environment")
    if not place.mark.is_file():
        raise UserError(f"{_name()} does not see {place.folder}: share it with all hosts, at the same path")


def _name() -> str:
    from distributed import get_worker

    return f"the Dask worker {get_worker().address}"
