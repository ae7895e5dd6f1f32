"""What is served: the report as it was when it was read, with a place to drop recordings, and nothing else."""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asd.core.errors import UserError

HERE = Path(__file__).parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".webp": "image/webp",
}
MAIN = '<main id="main" tabindex="-1">'  # of the report, which begins with the part for recordings
HEAD = '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="serve.css">\n</head>'
SCRIPT = '<script src="serve.js"></script>\n</body>'


class File(NamedTuple):
    """What a path leads to: its type and its content."""

    type: str
    content: bytes


def served_files(report: Path, about: dict[str, Any]) -> dict[str, File]:
    """Read the report and the files beside it, all that can be asked for; links are left out.

    Parameters
    ----------
    report : Path
        Folder of ``index.html``.
    about : dict
        What the template ``serve.html`` shows.

    Returns
    -------
    dict of str to File
        By path, which begins with a slash.

    Raises
    ------
    UserError
        Where there is no report, or none that recordings can be dropped on.
    """
    found = {}
    for folder, _, names in os.walk(report):  # which follows no link
        for file in (Path(folder) / name for name in names):
            if file.suffix in TYPES and file.is_file() and not file.is_symlink():
                path = quote(f"/{file.relative_to(report).as_posix()}")
                found[path] = File(TYPES[file.suffix], file.read_bytes())
    page = found["/index.html"].content.decode() if "/index.html" in found else ""
    if MAIN not in page:
        raise UserError(f"{report / 'index.html'} is missing, a link or of another version: run dvc repro report")
    found["/"] = found["/index.html"] = File(TYPES[".html"], with_drop_zone(page, about).encode())
    own = {f"/serve{kind}": File(TYPES[kind], (HERE / f"serve{kind}").read_bytes()) for kind in (".css", ".js")}
    return found | own


def with_drop_zone(page: str, about: dict[str, Any]) -> str:
    """Put the part for recordings, its style and its script into the report's page."""
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    part = environment.get_template("serve.html").render(about)
    first, _, rest = page.replace(MAIN, f"{MAIN}\n{part}", 1).replace("</head>", HEAD, 1).rpartition("</body>")
    return f"{first}{SCRIPT}{rest}"


def content_policy(page: bytes) -> str:
    """Allow the page its own script and style by their digests, and what stands beside it; nothing from elsewhere.

    The script is the last on the page and the style the first: what a name might smuggle in between stays forbidden.
    Charts have colours in attributes, which can't be named by digests.
    """
    script = page.rpartition(b"<script>")[2].partition(b"</script>")[0]
    style = page.partition(b"<style>")[2].partition(b"</style>")[0]
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {_digest(script)}",
            f"style-src 'self' {_digest(style)}",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data:",
            "media-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _digest(content: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
