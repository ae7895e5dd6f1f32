"""``asd serve``: the report and scores over a real socket; 200 wrong requests refused, and nothing of them left."""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
from conftest import ROOT, posix
from test_end_to_end import finished  # noqa: F401

from asd.__main__ import main
from asd.cli import serve
from asd.core.errors import UserError
from asd.core.project import Project
from asd.serve import server as serving
from asd.serve.page import MAIN, served_files, with_drop_zone
from asd.serve.upload import Limits

RATE, BROWSER = 16000, ROOT / "tests" / "browser"
CLIP, WHOSE = "recordings/pump/abnormal/00.wav", "/score?machine=pump&name=one.wav"
SOON = 1.5  # [s] that the server of these tests waits


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def project(finished: Path) -> Path:  # noqa: F811
    """The finished project, which nothing here may change."""
    return finished


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for temporary files, of these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield Path(tempfile.tempdir)


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def server(project: Path, workplace: Path) -> Iterator[serving.Server]:
    args = arguments("--project", str(project), "--port", "0", "--max-mib", "1", "--max-seconds", "3")
    with serve.make_server(args) as made:
        made.patience = {"head": SOON, "body": SOON}
        thread = threading.Thread(target=made.serve_forever, args=[0.05])
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def connected(server: serving.Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=20)


def received(connection: socket.socket) -> Reply:
    """Read to the end."""
    answer = b""
    while part := connection.recv(2**16):
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    assert body == b"" or len(body) == int(headers["content-length"])
    return Reply(int(status.split()[1]), headers, body)


def ask(server: serving.Server, request: bytes, leave: bool = False) -> Reply:
    """Send the bytes of a request; on request nothing more can follow them."""
    with connected(server) as connection:
        connection.sendall(request)
        if leave:
            connection.shutdown(socket.SHUT_WR)
        return received(connection)


def request(method: str, path: str, body: bytes = b"", **headers: str | None) -> bytes:
    """Write a request; a header that is None is left out."""
    said = {"Host": "127.0.0.1", "Content_Length": str(len(body)) if method == "POST" else None, **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.items() if value is not None]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def get(server: serving.Server, path: str, **headers: str) -> Reply:
    return ask(server, request("GET", path, **headers))


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def test_the_report_and_its_sounds_are_served(server: serving.Server, project: Path):
    report = project / "data" / "report"
    page = get(server, "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page == get(server, "/index.html?x=1")._replace(headers=page.headers)
    offline, shown = (report / "index.html").read_text(encoding="utf-8"), page.body.decode()
    assert "serve.js" not in offline
    assert 'type="file"' not in offline
    assert shown.replace("\n", "").startswith(offline.partition("</head>")[0].replace("\n", ""))
    assert [shown.count(text) for text in ('<section id="score"', 'src="serve.js"', "serve.css", 'type="file"')] == [
        1
    ] * 4
    assert re.findall(r'data-machine="(\w+)" data-section="(\w+)"', shown) == [("fan", "00"), ("pump", "00")]
    for kind, says in {".mp3": "audio/mpeg", ".webp": "image/webp"}.items():
        files = sorted(report.glob(f"clips/*{kind}"))
        assert len(files) > 10
        reply = get(server, f"/clips/{files[0].name}")
        assert (reply.status, reply.headers["content-type"], reply.body) == (200, says, files[0].read_bytes())
    head = ask(server, request("HEAD", f"/clips/{files[0].name}"))
    assert (head.status, head.headers["content-length"], head.body) == (200, str(files[0].stat().st_size), b"")
    assert get(server, "/serve.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert get(server, "/serve.css").status == 200


def test_a_player_gets_the_piece_that_it_asks_for(server: serving.Server):
    whole = get(server, "/serve.js").body
    for asked, piece in {"0-1": whole[:2], "5-": whole[5:], "7-7": whole[7:8], "9-999999": whole[9:]}.items():
        reply = get(server, "/serve.js", Range=f"bytes={asked}")
        assert (reply.status, reply.body) == (206, piece)
        assert reply.headers["content-range"].endswith(f"/{len(whole)}")
    for asked in ("999999-", "5-2", "-5", "0-1,3-4", "9" * 5000 + "-"):
        assert get(server, "/serve.js", Range=f"bytes={asked}")[::2] == (200, whole)


def test_only_the_pages_own_script_and_style_may_act(server: serving.Server):
    reply = get(server, "/")
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    for name, place in {"script": -1, "style": 0}.items():
        inline = re.findall(f"<{name}>(.*?)</{name}>", reply.body.decode(), re.DOTALL)[place]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert policy[f"{name}-src"] == f"'self' 'sha256-{digest}'"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_names_are_shown_literally_and_links_and_other_files_are_left_out(tmp_path: Path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "index.html").write_text(f"<head></head><body>{MAIN}</body>")
    (tmp_path / "clips" / "one.mp3").write_bytes(b"sound")
    (tmp_path / "notes.txt").write_text("not of the report")
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    (outside / "secret.mp3").write_bytes(b"secret")
    (tmp_path / "clips" / "link.mp3").symlink_to(outside / "secret.mp3")
    (tmp_path / "folder").symlink_to(outside)
    about = {"sections": {'<script>"': ["00", "01"]}, "system": "<b>", "limits": Limits(0.5)}
    files = served_files(tmp_path, about)
    assert set(files) == {"/", "/index.html", "/clips/one.mp3", "/serve.css", "/serve.js"}
    page = files["/"].content.decode()
    assert "&lt;script&gt;&#34; section 01" in page
    assert "Up to 0.5 MiB and 300 s" in page
    assert not {"<script>", "<b>"} & set(re.findall("<[^/ ]+>", page))
    with pytest.raises(UserError, match=r"index\.html is missing, .*: run dvc repro report"):
        served_files(outside, about)
    assert with_drop_zone(f"<head></head>{MAIN}</body> </body>", about).endswith(
        '<script src="serve.js"></script>\n</body>'
    )


def wav(seconds: float = 0.7, rate: int = RATE, channels: int = 1, kind: str = "WAV", **how: str) -> bytes:
    """Write noise."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    return written(noise, rate, kind, **how)


def written(samples: np.ndarray, rate: int = RATE, kind: str = "WAV", **how: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, **how)
    return file.getvalue()


@pytest.fixture(scope="module")
def score_of(project: Path) -> dict:
    """What ``asd score`` says of the clip."""
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as printed:
        patch.setattr(sys, "stdout", printed)
        assert main(["score", "--project", str(project), str(project / CLIP), "--json"]) == 0
        (row,) = json.loads(printed.getvalue())
    return row


def check_scored(server: serving.Server, project: Path, known: dict) -> dict:
    reply = ask(server, request("POST", WHOSE, (project / CLIP).read_bytes()))
    made = json.loads(reply.body)
    assert reply.status == 200
    assert (made["name"], made["machine"], made["decision"]) == ("one.wav", "pump", known["decision"])
    assert [made["score"], made["threshold"]] == pytest.approx([known["score"], known["threshold"]], abs=1e-6)
    return made


def test_an_upload_gets_what_asd_score_gives(server: serving.Server, project: Path, score_of: dict):
    made = check_scored(server, project, score_of)
    listed = Project(project)
    clips = listed.train_clips().set_index("clip_id")
    own = listed.file_names()[clips.index[(clips["machine"] == "pump") & (clips["split"] == "train")]]
    assert made["nearest"] in set(own)
    assert made["notes"] == []


def test_what_is_to_be_noted_names_the_upload_and_no_path(server: serving.Server, project: Path):
    samples, rate = soundfile.read(project / CLIP)
    reply = ask(server, request("POST", WHOSE, written(np.clip(samples * 50, -1, 1), rate)))
    (note,) = json.loads(reply.body)["notes"]
    assert note.startswith("one.wav is clipped")


def refused_contents() -> dict[str, bytes]:
    sound, flac = wav(), wav(kind="FLAC")
    endless = bytearray(wav(4, kind="FLAC"))
    endless[21] &= 0xF0  # of STREAMINFO: the number of samples, 36 bits; 0 is unknown
    endless[22:26] = bytes(4)
    no_rate, no_channel, promised = (bytearray(sound) for _ in range(3))
    no_rate[24:28], no_channel[22:24] = bytes(4), bytes(2)
    promised[4:8], promised[40:44] = (struct.pack("<I", 2**30 - 36 * i) for i in range(2))
    ramp = np.linspace(-0.5, 0.5, RATE)
    found = {
        "no file": b"",
        "NaN": written(np.where(ramp > 0, np.nan, ramp), subtype="FLOAT"),
        "infinite": written(np.full(RATE, np.inf), subtype="FLOAT"),
        "silent": written(np.zeros(RATE)),
        "constant": written(np.full(RATE, 0.5)),
        "one bit": written(np.tile([0.0, 1 / 32768], RATE)),
        "stuck": written(np.concatenate([ramp[:4000], np.full(12000, 0.1)])),
        "senseless": written(ramp * 1e12, subtype="FLOAT"),
        "too long": wav(3.1),
        "too long, compressed": wav(4, kind="FLAC"),
        "too long, Vorbis": wav(5, kind="OGG", subtype="VORBIS"),
        "too long, MP3": wav(5, kind="MP3"),
        "too long, of no stated length": bytes(endless),
        "too long, small": written(np.zeros(200 * RATE, np.int16), kind="FLAC"),
        "33 channels": wav(0.1, channels=33),
        "255 channels": wav(0.01, channels=255),
        "1000 Hz": wav(rate=1000),
        "3 MHz": wav(0.01, rate=3_000_000),
        "a frame": wav(0.001),
        "no samples": written(np.zeros(0)),
        "no rate": bytes(no_rate),
        "no channel": bytes(no_channel),
        "a promise of 1 GiB": bytes(promised),
        "text": b"no audio at all, but long enough to be taken for a header of something",
        "zeros": bytes(5000),
        "page": b"<!doctype html><script>alert(1)</script>",
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "archive": b"PK\x03\x04" + bytes(100),
        "program": b"\x7fELF" + bytes(100),
        "PDF": b"%PDF-1.7\n" + bytes(100),
        "JSON": b'{"score": 0}',
        "pickle": b"\x80\x04\x95" + bytes(60),
    }
    found |= {f"WAV, {size} bytes of it": sound[:size] for size in (1, 4, 11, 12, 20, 30, 43)}
    found |= {f"WAV without its last {size} bytes": sound[:-size] for size in (2000, 9999)}
    found |= {f"FLAC, {size} bytes of it": flac[:size] for size in (2, 4, 20, 41)}
    found |= {f"noise {size}": np.random.default_rng(size).bytes(size) for size in (1, 2, 3, 100, 5000)}
    found |= {f"{kind} alone": kind.encode() + bytes(40) for kind in ("RIFF", "RIFX", "RF64", "FORM", "fLaC", "OggS")}
    return found


NAMES = [  # of files that are none, each with a good recording
    "", ".", "..", "../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "C:\\a.wav", "a/b.wav", "./a.wav",
    "a\0.wav", "\0", "a\nb.wav", "a\r\nSet-Cookie: a=b", "\x1b[31ma.wav", "\x7f", "\x9b31m", "a" * 256, "\u00e9" * 300,
    "\t", "//server/share/a.wav", "file:///etc/passwd", "~/a.wav", "/dev/zero", "/proc/self/mem", "a/", "/",
]  # fmt: skip
PATHS = [
    "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/clips/../../clips.csv", "/clips/%2e%2e/index.html",
    "//etc/passwd", "/..%2f..%2fetc%2fpasswd", "/..\\..\\etc\\passwd", "/%5c..%5c", "/etc/passwd", "/clips/", "/clips",
    "/%00", "/a%00.mp3", "/index.html%00.mp3", "/index.html/", "/./index.html", "/INDEX.HTML", "/params.yaml",
    "/data/report/index.html", "/clips/" + "a" * 3000, "/" + "../" * 900, "/%252e%252e/", "/~root", "/.git/config",
    "/serve.html", "/serve.py", "/score", "/favicon.ico", "/robots.txt", "/C:/", "/file:///etc/passwd",
    "http://127.0.0.1/index.html", "*", "index.html", "/%c0%ae%c0%ae/", "/..;/", "/...//", "/clips/..", "/.", "/..",
]  # fmt: skip
METHODS = [
    "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "MOVE", "get", "post", "FOO", "GE",
    "GETGET", "__init__", "\u00e9".encode().decode("latin-1"),
]  # fmt: skip
HOSTS = [
    "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example",
    "evil.example#127.0.0.1", "127.0.0.2", "0.0.0.0", "[::]", "[::1].evil.example", "127.0.0.1:80:80",
    "127.0.0.1:evil", "127.1", "2130706433", "", " ", "localhost, evil.example", "http://127.0.0.1",
    "localhost:999999", "a" * 5000,
]  # fmt: skip
ORIGINS = [
    "http://evil.example", "https://127.0.0.1", "null", "http://localhost", "http://127.0.0.1:8000", "file://",
    "127.0.0.1", "http://127.0.0.1.evil.example", "http://127.0.0.1/", "several", "a" * 5000,
]  # fmt: skip
LENGTHS = [
    str(2**32), str(2**63), "9" * 5000, str(2**20 + 1), "-1", "+5", "0x10", "1e3", "5 5", "5,5", "a", "",
    "\u0663".encode().decode("latin-1"),
]  # fmt: skip
LINES = [
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"POST /score\r\n\r\n", b"GET / HTTP\r\n\r\n", b"GET / HTTP/1\r\n\r\n",
    b"GET / HTTP/x.y\r\n\r\n", b"GET / HTTP/1.1.1\r\n\r\n", b"GET / HTTP/-1.1\r\n\r\n", b"GET / FTP/1.1\r\n\r\n",
    b"GET / a HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n\r\n", b"\0\0\0\0\r\n\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA: " + b"a" * 70000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 200 + b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.0\r\nHost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\n", b"GET / HTTP/99999999999.1\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
]  # fmt: skip
QUERIES = [
    "", "machine=", "machine=lathe", "machine=pump&section=07", "machine=../pump", "machine=PUMP",
    "machine=fan&machine=lathe", "machine=%00", "machine=" + "a" * 9000, "machine=pump&a=1&b=2&c=3",
    "machine=<script>", "section=00", "&&&&", "machine",
]  # fmt: skip

EXPECTED = {
    **{f"length {size}": 413 for size in LENGTHS[:4]},
    **{f"length {size}": 400 for size in LENGTHS[4:]},
    **{f"host {host}": 421 for host in HOSTS},
    **{f"origin {origin}": 403 for origin in ORIGINS},
    **{f"name {name!r}": 400 for name in NAMES},
    **dict.fromkeys(("no length", "chunked", "chunked and a length", "identity and a length"), 411),
    **dict.fromkeys(("two lengths", "less than promised", "half of it"), 400),
    **dict.fromkeys(("more than promised", "content: silent", "content: NaN", "content: a promise of 1 GiB"), 422),
    **dict.fromkeys(
        ("content: too long", "content: too long, small", "content: 33 channels", "more than is taken"), 413
    ),
    **dict.fromkeys(("content: text", "content: program", "content: FLAC, 4 bytes of it"), 415),
}


def wrong_requests() -> dict[str, bytes]:
    good = wav()
    found = {f"content: {name}": request("POST", WHOSE, content) for name, content in refused_contents().items()}
    found |= {
        f"name {name!r}": request("POST", f"/score?machine=pump&name={quote(name, safe='')}", good) for name in NAMES
    }
    found |= {f"query {query}": request("POST", f"/score?{query}", good) for query in QUERIES}
    found |= {f"path {path}": request("GET", path) for path in PATHS}
    found |= {
        f"POST {path}": request("POST", path, good) for path in ("/", "/index.html", "/score/", "/../score", "/x")
    }
    found |= {f"method {method}": request(method, "/") for method in METHODS}
    found |= {f"host {host}": request("GET", "/", Host=host) for host in HOSTS}
    found |= {f"origin {origin}": request("POST", WHOSE, good, Origin=origin) for origin in ORIGINS}
    found |= {f"site {site}": request("POST", WHOSE, good, Sec_Fetch_Site=site) for site in ("cross-site", "same-site")}
    found |= {f"length {size}": request("POST", WHOSE, Content_Length=size) for size in LENGTHS}
    found |= {f"line {line[:30]!r}": line for line in LINES}
    chunks = b"5\r\nabcde\r\n0\r\n\r\n"
    found["no length"] = request("POST", WHOSE, chunks, Content_Length=None)
    for coding in ("chunked", "gzip, chunked", "identity"):
        found[coding] = request("POST", WHOSE, chunks, Content_Length=None, Transfer_Encoding=coding)
        found[f"{coding} and a length"] = request("POST", WHOSE, chunks, Transfer_Encoding=coding)
    found["two lengths"] = request("POST", WHOSE, good, content_length=str(len(good) - 1))
    found["less than promised"] = request("POST", WHOSE, good, Content_Length=str(len(good) + 1))
    found["half of it"] = request("POST", WHOSE, good[:9000], Content_Length=str(len(good)))
    found["more than promised"] = request("POST", WHOSE, good, Content_Length=str(len(good) - 2001))
    found["1 MiB more than promised"] = request("POST", WHOSE, good + bytes(2**20), Content_Length="40")
    found["more than is taken"] = request("POST", WHOSE, bytes(2**20 + 9))
    return found


def test_two_hundred_wrong_requests_are_refused_in_one_line_and_leave_nothing(
    server: serving.Server,
    workplace: Path,
    project: Path,
    score_of: dict,
    capsys: pytest.CaptureFixture[str],
):
    before, wrong, answered = listing(project), wrong_requests(), {}
    assert len(wrong) >= 200
    for name, sent in wrong.items():
        reply = ask(server, sent, leave=True)
        answered[name] = reply.status
        assert 400 <= reply.status < 500, (name, reply)
        assert re.fullmatch(rb"asd: [^\n\r\0]{5,300}\n", reply.body), (name, reply.body)
        assert str(workplace).encode() not in reply.body
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert set(answered.values()) == {400, 403, 404, 405, 411, 413, 414, 415, 421, 422, 431}
    assert {name: answered[name] for name in EXPECTED} == EXPECTED
    assert list(workplace.iterdir()) == []
    assert listing(project) == before
    assert capsys.readouterr() == ("", "")
    check_scored(server, project, score_of)
    assert list(workplace.iterdir()) == []


def test_who_is_right_is_not_refused(server: serving.Server, project: Path):
    for host in ("localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8000"):
        assert get(server, "/serve.css", Host=host).status == 200
    sound, same = (project / CLIP).read_bytes(), {"Origin": "http://localhost:9000", "Sec_Fetch_Site": "same-origin"}
    named = quote("\u0645\u0636\u062e\u0629 \U0001f527 <b>.wav.exe")  # the content alone says what it is
    reply = ask(server, request("POST", f"/score?machine=pump&name={named}", sound, Host="localhost:9000", **same))
    assert reply.status == 200
    for kind in ("FLAC", "OGG", "AIFF", "MP3", "W64"):
        assert ask(server, request("POST", WHOSE, wav(kind=kind))).status == 200, kind


def test_slow_silent_and_broken_connections_hold_nothing_up(
    server: serving.Server,
    workplace: Path,
    project: Path,
    score_of: dict,
):
    sound = (project / CLIP).read_bytes()
    with connected(server) as silent, connected(server) as slow, connected(server) as half, connected(server) as broken:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        half.sendall(request("POST", WHOSE, sound)[:5000])
        broken.sendall(request("POST", WHOSE, sound)[:5000])
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed without a farewell
        broken.close()
        check_scored(server, project, score_of)
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5 * SOON:  # a byte now and then
            try:
                half.sendall(b"a")
                slow.sendall(b"a")
            except OSError:
                break
            time.sleep(0.1)
        assert silent.recv(1) == b""
        assert received(half).status == 408
    gone = connected(server)
    gone.sendall(request("POST", WHOSE, sound))
    gone.close()  # before the answer
    check_scored(server, project, score_of)
    assert list(workplace.iterdir()) == []


def test_recordings_wait_in_a_line_that_ends_somewhere(server: serving.Server, project: Path):
    sound, replies = (project / CLIP).read_bytes(), []
    waiting = [
        threading.Thread(target=lambda: replies.append(ask(server, request("POST", WHOSE, sound)).status))
        for _ in range(serving.UPLOADS)
    ]
    with server.scoring:
        for thread in waiting:
            thread.start()
        until = time.monotonic() + 20
        while server.uploads._value and time.monotonic() < until:
            time.sleep(0.02)
        reply = ask(server, request("POST", WHOSE, sound))
        assert (reply.status, reply.body) == (503, b"asd: too many recordings wait to be scored: send it again later\n")
        assert get(server, "/serve.css").status == 200
    for thread in waiting:
        thread.join()
    assert replies == [200] * serving.UPLOADS


def test_a_connection_too_many_is_closed(server: serving.Server, project: Path, score_of: dict):
    with ExitStack() as connections:
        for _ in range(serving.CONNECTIONS):
            connections.enter_context(connected(server))
        assert connected(server).recv(1) == b""
    until = time.monotonic() + 20
    while not server.connections._value and time.monotonic() < until:
        time.sleep(0.02)
    check_scored(server, project, score_of)


def test_what_fails_here_is_one_line_and_the_server_goes_on(server, project, score_of, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(server, "score", lambda content, upload: 1 / 0)
        reply = ask(server, request("POST", WHOSE, b"x"))
    assert (reply.status, reply.body) == (500, b"asd: one.wav can't be scored: leave it out\n")
    assert capsys.readouterr().err == "asd: 'one.wav' was not scored: ZeroDivisionError: division by zero\n"
    check_scored(server, project, score_of)


@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid"])
def test_an_address_that_is_taken_or_none_is_one_line(server: serving.Server, host: str):
    port = server.server_address[1]
    with pytest.raises(UserError, match=rf"^{host} port {port} can't be listened at \(.+\): give another --port"):
        serving.Server(host, port, server.files, server.sections, server.limits, server.score)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--max-mib", "0"], "--max-mib and --max-seconds must be above 0"),
        (["--max-seconds", "nan"], "--max-mib and --max-seconds must be above 0"),
        (["--project", "nowhere"], "params.yaml is missing"),
        (["--system", "thawed"], "system is 'thawed': choose among"),
    ],
)
def test_what_is_wrong_at_the_start_is_one_line(words, says, project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert main(["serve", *words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("asd: ")
    assert says in said.err
    assert (said.err.count("\n"), said.out) == (1, "")


def test_who_is_not_on_loopback_is_warned(server: serving.Server, monkeypatch, capsys):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(serving.Server, "serve_forever", lambda _: signal.raise_signal(signal.SIGINT))
    for host in ("0.0.0.0", "127.0.0.1"):
        made = serving.Server(host, 0, server.files, server.sections, server.limits, server.score)
        monkeypatch.setattr(serve, "make_server", lambda _, made=made: made)
        assert main(["serve"]) == 0
        *warning, stopped = capsys.readouterr().err.splitlines()
        assert stopped == "asd: stopped"
        assert [line.split(":")[1] for line in warning] == ([" warning"] if host == "0.0.0.0" else [])


@pytest.mark.slow
@posix
def test_an_interrupt_ends_it_well(project: Path):
    command = [sys.executable, "-m", "asd", "serve", "--port", "0", "--system", "texture"]
    with subprocess.Popen(
        command,
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        says = process.stdout.readline()
        assert re.match(r"asd: http://127\.0\.0\.1:\d+/ shows the report", says), (says, process.stderr.read())
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "asd: stopped\n")
    assert process.returncode == 0


@pytest.mark.minutes
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.skipif(
    not (BROWSER / "node_modules").is_dir(), reason="no browser: npm install --no-package-lock --prefix tests/browser"
)
def test_a_browser_drops_and_chooses_recordings_without_a_complaint(
    server: serving.Server, project: Path, tmp_path: Path
):
    text = tmp_path / "<b>text.wav"
    text.write_text("no recording")
    command = ["node", str(BROWSER / "drop.mjs"), server.url, str(project / CLIP), str(text)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
