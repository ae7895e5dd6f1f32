"""``python -m asd serve``: the report in a browser, and scores of the recordings that are dropped onto it."""

import argparse
import math
import signal
import sys
from functools import partial
from http import HTTPStatus
from typing import Any

from asd.cli.results import REPORT
from asd.cli.score import add_detector, load
from asd.core.compute import ComputeParams, configure
from asd.core.errors import UserError
from asd.core.project import Project
from asd.serve.page import served_files
from asd.serve.server import Server
from asd.serve.upload import Limits, RefusedError, Upload, score_upload

EXAMPLE = "python -m asd serve --project asd-fan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Show the report in a browser and score the recordings that are dropped onto it. Only this machine can reach "
        "it unless --host says otherwise; nothing that is sent is kept. Ctrl-C ends it."
    )
    add_detector(parser)
    parser.add_argument("--host", default="127.0.0.1", help="name or address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="0: any that is free (default: %(default)s)")
    parser.add_argument(
        "--max-mib", type=float, default=Limits.mib, metavar="MIB", help="size of a file (default: %(default)g)"
    )
    parser.add_argument(
        "--max-seconds", type=float, default=Limits.seconds, metavar="S", help="of a recording (default: %(default)g)"
    )


def main(args: argparse.Namespace) -> int:
    """Serve until it is interrupted, which is how it ends well."""
    try:
        with make_server(args) as server:
            _listen(server)
    except KeyboardInterrupt:
        print("asd: stopped", file=sys.stderr)
    return 0


def make_server(args: argparse.Namespace) -> Server:
    """Load the detector and read the report, and listen.

    Raises
    ------
    UserError
        Where the project is not finished, a limit is not above 0, or it can't be listened there.
    """
    limits = Limits(args.max_mib, args.max_seconds)
    if not all(0 < limit < math.inf for limit in (limits.mib, limits.seconds)):
        raise UserError("--max-mib and --max-seconds must be above 0")
    if not 0 <= args.port < 2**16:
        raise UserError(f"--port is {args.port}: give one from 0 to {2**16 - 1}")
    project = Project(args.project)
    compute = project.section(ComputeParams, "compute")
    configure(compute.model_copy(update={"backend": "threading", "address": ""}))  # an upload is on this machine alone
    detector = load(project, args.system)
    about = {"sections": detector.sections, "system": detector.name, "limits": limits}
    files = served_files((project.root / REPORT).parent, about)
    score = partial(score_upload, detector, project.file_names(), limits)
    return Server(args.host, args.port, files, detector.sections, limits, score)


def _listen(server: Server) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not server.is_loopback:
        print(
            f"asd: warning: {server.url} is not on loopback: whoever reaches this machine hears the recordings of the "
            "report and can have others scored, without a password",
            file=sys.stderr,
        )
    print(f"asd: {server.url} shows the report and scores what is dropped onto it; Ctrl-C ends it", flush=True)
    try:
        server.serve_forever()
    finally:
        server.score = _ending  # for those that wait
        server.scoring.acquire(timeout=60)  # the temporary file of a recording that is being scored goes, too


def _ending(content: bytes, upload: Upload) -> dict[str, Any]:
    raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "the server ends: start it again")
