"""Published weights are had, believed or refused; nothing in a file is run."""

import contextlib
import io
import os
import pickle
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from drawn import drawn
from safetensors.torch import save_file

from asd.__main__ import main
from asd.core.errors import UserError
from asd.core.fetch import digest_of
from asd.encoders import weights
from asd.encoders.architectures.efficientat import EfficientATParams
from asd.encoders.networks import create_encoder, save_tensors
from asd.encoders.published import PUBLISHED

FILE = "mn04_as_mAP_432.pt"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASD_WEIGHTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small network under the name mn04, in a file of its own, whose size and sha256 the table knows."""
    shapes = {key: tuple(value.shape) for key, value in _small().state_dict().items()}
    file = tmp_path / "had" / FILE
    file.parent.mkdir()
    torch.save(drawn(shapes), file)
    know(monkeypatch, size=file.stat().st_size, sha256=digest_of(file, "sha256").removeprefix("sha256:"))
    return file


def _small():
    from asd.encoders.architectures.efficientat import EfficientAT

    return EfficientAT(128, width=0.1)


def know(monkeypatch, **changes):
    entry = replace(PUBLISHED["mn04"], options={"width": 0.1})
    monkeypatch.setitem(PUBLISHED._known, "mn04", replace(entry, **changes))


@pytest.fixture
def server(published):
    """Offers the file at /good/, with ranges, another one at /bad/ and nothing elsewhere; notes what is asked."""
    content, asked = published.read_bytes(), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Range")))
            body = {f"/good/{FILE}": content, f"/bad/{FILE}": content[::-1]}.get(self.path)
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(404 if body is None else 206 if start else 200)
            self.send_header("Content-Length", str(len(body or b"") - start if body else 0))
            self.end_headers()
            self.wfile.write((body or b"")[start:])

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}", asked
    http.shutdown()


def refusal(*arguments: str) -> str:
    """Run the command; give its one line."""
    stderr = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", stderr)
        assert main(["weights", *arguments]) == 2
    lines = stderr.getvalue().strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_the_first_address_that_gives_the_file_is_taken_and_a_cut_download_goes_on(server, monkeypatch, cache, capsys):
    base, asked = server
    know(monkeypatch, addresses=tuple(f"{base}/{place}" for place in ("gone", "bad", "good", "never")),
         sha256=PUBLISHED["mn04"].sha256, size=None)  # fmt: skip
    assert main(["weights", "get", "mn04"]) == 0
    assert [path.split("/")[1] for path, _ in asked] == ["gone", "bad", "good"]
    made = cache / "mn04" / weights.CONVERTED
    assert capsys.readouterr().out.strip() == str(made)
    assert sorted(path.name for path in made.parent.iterdir()) == [weights.RECORD, made.name]  # no second copy
    asked.clear()
    assert weights.get("mn04") == made
    assert not asked


def test_a_cut_download_goes_on_where_it_was(server, published, monkeypatch, cache):
    base, asked = server
    know(monkeypatch, addresses=(f"{base}/good",), sha256=PUBLISHED["mn04"].sha256)
    part = cache / "mn04" / f"{FILE}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(published.read_bytes()[:1000])
    weights.get("mn04")
    assert asked == [(f"/good/{FILE}", "bytes=1000-")]


def test_the_network_gets_what_is_in_the_file(published):
    network = create_encoder("mn04", weights=weights.get("mn04", published))
    given = torch.load(published, weights_only=True)
    assert all(torch.equal(value, given[name]) for name, value in network.state_dict().items())


def test_a_block_names_its_weights(published):
    block = {"architecture": "mn04", "features": "x"}
    assert weights.weights_of(EfficientATParams(**block, weights="random")) is None
    path = weights.weights_of(EfficientATParams(**block, weights=str(published)))
    assert weights.weights_of(EfficientATParams(**block)) == path  # kept


def test_offline_names_file_address_and_sha256(published, monkeypatch):
    know(monkeypatch, addresses=("http://127.0.0.1:9/x",), sha256=PUBLISHED["mn04"].sha256)
    line = refusal("get", "mn04")
    for part in (FILE, f"http://127.0.0.1:9/x/{FILE}", PUBLISHED["mn04"].sha256, "--from FILE"):
        assert part in line


def test_tampered_truncated_and_missing_files_are_refused(published, tmp_path, cache):
    content = published.read_bytes()
    published.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "its sha256 is" in refusal("check", str(published))
    assert "get it again" in refusal("get", "mn04", "--from", str(published))
    published.write_bytes(content[: len(content) // 2])
    assert f"cut off: it has {len(content) // 2} of {len(content)} bytes" in refusal("check", str(published))
    assert "is missing" in refusal("check", str(tmp_path / "nothing.pt"))
    assert "is no published encoder" in refusal("get", "mn05")
    assert not (cache / "mn04" / weights.CONVERTED).exists()


class Runs:
    """What a malicious pickle does when it is loaded the usual way."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


@pytest.mark.parametrize("writer", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))])
def test_a_file_that_carries_code_is_refused_and_runs_nothing(published, tmp_path, monkeypatch, cache, writer):
    know(monkeypatch, sha256=None, size=None)  # nothing is known that could tell it beforehand
    trap = tmp_path / "trap"
    tensors = torch.load(published, weights_only=True)
    writer(tensors | {"more": Runs(trap)}, published)
    with contextlib.suppress(Exception):
        torch.load(published, weights_only=False)
    assert trap.exists()  # the trap works
    trap.rmdir()
    for command in (["get", "mn04", "--from", str(published)], ["check", str(published), "--name", "mn04"]):
        assert "nothing of it was run" in refusal(*command)
    assert not trap.exists()
    assert not (cache / "mn04" / weights.CONVERTED).exists()


def test_broken_files_of_unknown_sha256_are_one_line(published, monkeypatch):
    know(monkeypatch, sha256=None, size=None)
    content = published.read_bytes()
    for broken in (content[:-5000], content[:100], b"", b"not weights at all"):
        published.write_bytes(broken)
        assert str(published) in refusal("get", "mn04", "--from", str(published))
    safe = published.with_suffix(".safetensors")
    for broken in (b"\xff" * 20, b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "):
        safe.write_bytes(broken)
        assert str(safe) in refusal("get", "mn04", "--from", str(safe))


def test_other_networks_weights_are_refused(published, monkeypatch, tmp_path):
    know(monkeypatch, sha256=None, size=None)
    save_file({"features.0.0.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    assert "these are other weights" in refusal("get", "mn04", "--from", str(tmp_path / "other.safetensors"))
    torch.save([torch.zeros(3)], published)
    assert "holds no tensors by name" in refusal("get", "mn04", "--from", str(published))


def test_an_unknown_sha256_is_recorded_said_and_held_to(published, monkeypatch, capsys):
    know(monkeypatch, sha256=None, size=None)
    assert main(["weights", "get", "mn04", "--from", str(published)]) == 0
    found = digest_of(published, "sha256").removeprefix("sha256:")
    assert f"no sha256 was known; {found} is recorded" in capsys.readouterr().out
    tensors = torch.load(published, weights_only=True)
    torch.save({name: value + 1 for name, value in tensors.items()}, published)
    assert f"that of {FILE} {found}" in refusal("get", "mn04", "--from", str(published))


def test_converted_weights_that_were_changed_are_refused(published, cache):
    path = weights.get("mn04", published)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert "was changed since it was made" in refusal("get", "mn04")


def test_check_and_list_say_what_is_there(published, capsys):
    assert main(["weights", "check", str(published)]) == 0
    assert "mn04, 294 tensors, all used, none missing" in capsys.readouterr().out
    weights.get("mn04", published)
    assert main(["weights", "list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(PUBLISHED) <= set(rows)
    assert " yes " in rows["mn04"]
    assert " no " in rows["eat_base"]


def test_our_own_weights_come_with_the_package(capsys, monkeypatch, tmp_path):
    """Verified, found without a download, and those of the network in the table."""
    file = weights.get("machine_small")
    assert file.parent.name == "pretrained"
    assert file.stat().st_size == PUBLISHED["machine_small"].size <= 5 * 2**20
    network = create_encoder("machine_small", weights=file)
    assert not torch.equal(network.modulation, create_encoder("machine_small").modulation)
    assert main(["weights", "list"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert " yes " in rows["machine_small"]
    assert " no " in rows["machine_tiny"]
    other = tmp_path / file.name
    other.write_bytes(file.read_bytes()[:-4] + bytes(4))
    monkeypatch.setattr(weights, "OWN_FOLDER", tmp_path)
    with pytest.raises(UserError, match="is not machine_small: its sha256 is"):
        weights.get("machine_small")


def test_a_size_of_ours_that_is_not_trained_is_random_or_a_file(tmp_path):
    with pytest.raises(UserError, match=r"machine_tiny has no trained weights: say weights: random; .*: machine_small"):
        weights.get("machine_tiny")
    with pytest.raises(UserError, match=r"nowhere\.safetensors is missing: give the path of weights of machine_tiny"):
        weights.get("machine_tiny", tmp_path / "nowhere.safetensors")
    save_tensors(create_encoder("machine_tiny", seed=7).state_dict(), tmp_path / "mine.safetensors")
    assert weights.get("machine_tiny", tmp_path / "mine.safetensors") == tmp_path / "mine.safetensors"


def test_the_real_file_is_known(shared, capsys):
    assert main(["weights", "check", str(shared / "weights" / FILE)]) == 0
    assert "mn04, 312 tensors, all used, none missing; sha256 899a8c62" in capsys.readouterr().out


def test_an_unreadable_name_is_an_error_of_the_user():
    with pytest.raises(UserError, match="one of beats_iter3, "):
        weights.known("eat")
