"""A server of a few files and of one action, by the standard library; whoever asks for anything else is refused.

Each connection carries one request. What comes in has to come in time and to be small, connections and recordings at a
time are bounded, and recordings are scored one after the other.
"""

import io
import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from socketserver import ThreadingTCPServer
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl

from asd.core.errors import UserError
from asd.serve.page import File, content_policy
from asd.serve.upload import Limits, RefusedError, Upload, checked_upload

CONNECTIONS, UPLOADS = 64, 8  # at a time; of uploads all but one wait
HEAD, BODY, ANSWER, LEAVE = 10.0, 60.0, 60.0, 2.0  # [s] that each may take; the last: until the other end goes
SCORE = "/score"  # what recordings are sent to
HOST = re.compile(r"(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)  # as browsers name it, in lower case
RANGE = re.compile(r"bytes=(\d{1,12})-(\d{0,12})", re.ASCII)  # of a sound, which some browsers play by pieces alone
STATUS = {  # where http.server blames itself for a method or a version that it lacks
    HTTPStatus.NOT_IMPLEMENTED: HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: HTTPStatus.BAD_REQUEST,
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Server(ThreadingTCPServer):
    """HTTP server of the report that scores uploads; it listens once it is made.

    Parameters
    ----------
    host : str
        Name or address to listen at.
    port : int
        0: any that is free.
    files : dict of str to File
        By path.
    sections : dict of str to list of str
        Sections that recordings may be of, by machine.
    limits : Limits
    score : callable
        Takes the content of a recording's file and what the request says of it; see
        :func:`asd.serve.upload.score_upload`.

    Attributes
    ----------
    is_loopback : bool
        Whether only this machine can reach it.
    url : str

    Raises
    ------
    UserError
        Where it can't listen there.
    """

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"  # where it would let another program listen as well
    request_queue_size = CONNECTIONS

    def __init__(
        self,
        host: str,
        port: int,
        files: dict[str, File],
        sections: dict[str, list[str]],
        limits: Limits,
        score: Callable[[bytes, Upload], dict[str, Any]],
    ) -> None:
        self.files, self.sections, self.limits, self.score = files, sections, limits, score
        self.headers = HEADERS | {"Content-Security-Policy": content_policy(files["/"].content)}
        self.connections, self.uploads = (threading.BoundedSemaphore(most) for most in (CONNECTIONS, UPLOADS))
        self.scoring = threading.Lock()
        self.patience = {"head": HEAD, "body": BODY}
        try:
            self.address_family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__(address, Handler)  # type: ignore[arg-type]
        except (OSError, OverflowError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise UserError(f"{host} port {port} can't be listened at ({why}): give another --port or --host") from None
        self.is_loopback = ip_address(str(self.server_address[0])).is_loopback
        name = f"[{host}]" if ":" in host else host
        self.names = {name.lower(), "localhost", "127.0.0.1", "[::1]"}
        self.url = f"http://{name}:{self.server_address[1]}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own; a connection too many is closed."""
        if not self.connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be started
            self.connections.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and let the next connection in."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line what went wrong here; the other end's going away did not."""
        error = sys.exception()
        if not isinstance(error, OSError):
            print(f"asd: a request failed: {type(error).__name__}: {error}", file=sys.stderr)


class Timely(io.RawIOBase):
    """Reads a connection for so many seconds, however busily little comes; after that reading is a TimeoutError."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.connection = connection
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Count so many seconds from now."""
        self.end = monotonic() + seconds

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there."""
        if (left := self.end - monotonic()) <= 0:
            raise TimeoutError
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    default_request_version = "HTTP/1.0"  # one without a version is answered by a status, too

    def setup(self) -> None:
        """Read the request in time."""
        super().setup()
        self.rfile.close()
        self.raw = Timely(self.connection, self.server.patience["head"])
        self.rfile = io.BufferedReader(self.raw)

    def finish(self) -> None:
        """Wait for the other end to go: if it still sends what is not read, closing would take the answer from it."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.raw.allow(LEAVE)
            while self.raw.readinto(bytearray(2**16)):
                pass
        super().finish()

    def parse_request(self) -> bool:
        """Refuse a request to another host: a name that someone made lead here, for the scripts of their own page."""
        if not super().parse_request():
            return False
        host = HOST.fullmatch(self._only("Host").lower())
        own = self.connection.getsockname()[0].removeprefix("::ffff:")  # of IPv4 at an address of IPv6
        if host and host[1] in self.server.names | {own, f"[{own}]"}:
            return True
        self.refuse(
            HTTPStatus.MISDIRECTED_REQUEST, f"this is not that host: ask for {self.server.url}, or start it with --host"
        )
        return False

    def do_GET(self) -> None:
        """Send a file, or the piece of it that is asked for."""
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            return self.refuse(HTTPStatus.NOT_FOUND, "there is no such file here")
        size, piece = len(file.content), RANGE.fullmatch(self._only("Range"))
        first, last = (int(piece[1]), min(int(piece[2] or size), size - 1)) if piece else (0, -1)
        if first > last:
            return self.answer(HTTPStatus.OK, *file)
        content, place = file.content[first : last + 1], f"bytes {first}-{last}/{size}"
        return self.answer(HTTPStatus.PARTIAL_CONTENT, file.type, content, {"Content-Range": place})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Score the recording that is sent."""
        path, _, query = self.path.partition("?")
        try:
            if path != SCORE:
                raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"only {SCORE} takes a POST")
            self._check_origin()
            size, upload = self._size(), checked_upload(dict(_parts(query)), self.server.sections)
            self.answer(HTTPStatus.OK, "application/json", json.dumps(self._scored(size, upload)).encode())
        except RefusedError as error:
            self.refuse(error.status, str(error))

    def _scored(self, size: int, upload: Upload) -> dict[str, Any]:
        """Read the recording and score it when it is its turn."""
        if not self.server.uploads.acquire(blocking=False):
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "too many recordings wait to be scored: send it again later"
            )
        try:
            self.raw.allow(self.server.patience["body"])
            content = self.rfile.read(size)
            if len(content) < size:
                raise RefusedError(
                    HTTPStatus.BAD_REQUEST, f"{size} bytes were promised, {len(content)} came: send it again"
                )
            with self.server.scoring:
                return self.server.score(content, upload)
        except TimeoutError:
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT, "the recording did not come in time: send it again"
            ) from None
        except (UserError, ConnectionError):
            raise
        except Exception as error:
            print(f"asd: {upload.name!r} was not scored: {type(error).__name__}: {error}", file=sys.stderr)
            raise RefusedError(
                HTTPStatus.INTERNAL_SERVER_ERROR, f"{upload.name} can't be scored: leave it out"
            ) from None
        finally:
            self.server.uploads.release()

    def _check_origin(self) -> None:
        """Refuse what a page from elsewhere sends by the browser of whoever looks at it."""
        origin, site = self._only("Origin").lower(), self._only("Sec-Fetch-Site")
        if origin not in ("", f"http://{self._only('Host').lower()}") or site not in ("", "same-origin", "none"):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "another page asks for this: drop the recording on this server's own"
            )

    def _size(self) -> int:
        """Take the number of bytes that follow."""
        said = self._only("Content-Length")
        if "Transfer-Encoding" in self.headers or "Content-Length" not in self.headers:
            raise RefusedError(
                HTTPStatus.LENGTH_REQUIRED, "the size is not said: send the recording with a Content-Length"
            )
        if not re.fullmatch("[0-9]+", said):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "the size is no number: send one Content-Length")
        size = int(said[:20])
        if size > self.server.limits.size:
            what = f"the recording is larger than {self.server.limits.mib:g} MiB: cut it into pieces"
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, what)
        return size

    def _only(self, header: str) -> str:
        """Read a header; empty where it is missing, ``several`` where it is repeated, which every check refuses."""
        values = self.headers.get_all(header, [""])
        return str(values[0]).strip() if len(values) == 1 else "several"

    def answer(self, status: HTTPStatus, kind: str, content: bytes, further: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.connection.settimeout(ANSWER)
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(content)), **(further or {})}
        for name, value in (self.server.headers | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def refuse(self, status: HTTPStatus, what: str) -> None:
        """Say in one line why there is no answer."""
        further = {"Allow": "GET, HEAD, POST"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        self.answer(status, "text/plain; charset=utf-8", f"asd: {what}\n".encode(), further)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say in one line what http.server found wrong, without repeating any of it."""
        status = STATUS.get(HTTPStatus(code), HTTPStatus(code))
        self.refuse(status, f"{status.phrase.lower()}: ask as a browser does")

    def version_string(self) -> str:
        """Tell nobody which version of Python this is."""
        return "asd"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep no record of requests."""


def _parts(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=3)
    except ValueError:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "name, machine and section are all that can be said") from None
