"""Downloads that go on where they were cut, and are believed only when their digest is right."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asd.core.errors import UserError

if TYPE_CHECKING:
    import requests

CHUNK = 2**20  # [bytes]
PATIENCE = (10, 60)  # [s] to connect, to wait for the next bytes
FRUITLESS = 3  # attempts in a row that brought no byte
BUSY = (429, 500, 502, 503, 504)  # answers after which the same question is asked again
Progress = Callable[[int], Any]


class UnreachableError(UserError):
    """The server does not answer at all."""


class AbsentError(UserError):
    """The server has no such file."""


class WrongDigestError(UserError):
    """What came is not what was promised; it was removed."""


def fetch(url: str, path: Path, digest: str = "", progress: Progress = lambda count: None) -> str:
    """Download a file; it appears under its name when it is whole and its digest is right.

    What a cut connection left in ``<path>.part`` is not asked for again (HTTP range requests, RFC 9110, 14).

    Parameters
    ----------
    url : str
    path : Path
        Where to; a file that is there is trusted, since only verified ones get there.
    digest : str
        ``md5:<hex>`` or ``sha256:<hex>``; empty: not verified.
    progress : callable
        Is told how many bytes came, negative ones where they were thrown away.

    Returns
    -------
    str
        The file's digest, ``md5:<hex>`` where none was promised.

    Raises
    ------
    UserError
        :class:`UnreachableError`, :class:`AbsentError` or :class:`WrongDigestError`; or the connection was cut again
        and again: the bytes that came are kept then.
    """
    algorithm = digest.partition(":")[0] or "md5"
    if path.is_file():
        progress(_size(path))
        return digest_of(path, algorithm)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    progress(_size(part))
    with session() as http:
        _complete(http, url, part, progress)
    found = digest_of(part, algorithm)
    if digest and found != digest:
        progress(-_size(part))
        part.unlink()
        raise WrongDigestError(
            f"{url} came with {found}, promised was {digest}: removed; run again, or ask who offers it"
        )
    part.replace(path)
    return found


def session() -> "requests.Session":
    """Open a session that waits and asks again where a server is busy."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    http = requests.Session()
    retry = Retry(total=3, connect=1, read=0, backoff_factor=0.5, status_forcelist=BUSY, raise_on_status=False)
    for scheme in ("http://", "https://"):
        http.mount(scheme, HTTPAdapter(max_retries=retry))
    return http


def get_text(url: str) -> str:
    """Ask for a small document; errors as :func:`fetch`'s."""
    with session() as http:
        return str(_answered(http, url, {}).text)


def digest_of(path: Path, algorithm: str) -> str:
    """Compute ``<algorithm>:<hex>`` of a file."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _complete(http: "requests.Session", url: str, part: Path, progress: Progress) -> None:
    """Ask for the rest until nothing is missing."""
    fruitless = 0
    while True:
        before = _size(part)
        try:
            _go_on(http, url, part, progress)
            return
        except ConnectionError as error:
            fruitless = 0 if _size(part) > before else fruitless + 1
            if fruitless == FRUITLESS:
                raise UserError(
                    f"{url} was cut after {_size(part)} bytes ({error}): run again, it goes on there"
                ) from None


def _go_on(http: "requests.Session", url: str, part: Path, progress: Progress) -> None:
    import urllib3

    size = _size(part)
    answer = _answered(http, url, {"Range": f"bytes={size}-"} if size else {}, stream=True)
    if answer.status_code == 416:  # nothing is missing, or another file is there now: the digest will tell
        return
    if size and answer.status_code != 206:  # the server does not know ranges
        progress(-size)
        part.unlink()
    try:
        with answer, open(part, "ab") as file:
            while chunk := answer.raw.read1(CHUNK):  # not iter_content, which loses the chunk that was cut
                file.write(chunk)
                progress(len(chunk))
    except urllib3.exceptions.HTTPError as error:
        raise ConnectionError(type(error).__name__) from None
    came = _size(part) - (size if answer.status_code == 206 else 0)
    if came < int(answer.headers.get("Content-Length", 0)):
        raise ConnectionError("it ended early")


def _answered(http: "requests.Session", url: str, headers: dict[str, str], stream: bool = False) -> "requests.Response":
    import requests

    headers = {"Accept-Encoding": "identity"} | headers
    try:
        answer = http.get(url, headers=headers, stream=stream, timeout=PATIENCE)
    except requests.RequestException as error:
        raise UnreachableError(f"{url} can't be reached ({type(error).__name__}): look at the network") from None
    if answer.status_code in (404, 410):
        raise AbsentError(f"{url} is not there (HTTP {answer.status_code}): look for a newer version of it")
    if answer.status_code >= 400 and answer.status_code != 416:
        raise UserError(f"{url} is refused (HTTP {answer.status_code}): try again later")
    return answer


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
