"""``dvc push`` and ``dvc pull`` between two clones of a project: by a folder, and by an S3 server on loopback."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

CONTENT = {"data/raw/fan/a.wav": b"\0" * 70_000, "data/raw/fan/b.wav": b"\1" * 50, "data/clips.csv": b"clip_id\n"}
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def run(folder: Path, *command: str) -> str:
    environment = os.environ | KEYS | {"DVC_GLOBAL_CONFIG_DIR": str(folder.parent / "config"), "no_proxy": "127.0.0.1"}
    environment |= {"DVC_SITE_CACHE_DIR": str(folder.parent / "site")}
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def pushed_and_pulled(folder: Path, url: str, *settings: tuple[str, str]) -> None:
    """Make outputs in one project, push them, and pull them in another one that has its files of git alone."""
    first, second = folder / "first", folder / "second"
    stage = {
        "cmd": "python make.py",
        "deps": ["make.py"],
        "outs": ["data/raw", "data/clips.csv"],
    }
    for project in (first, second):
        project.mkdir()
        run(project, "dvc", "init", "--no-scm")
        run(project, "dvc", "remote", "add", "--default", "shared", url)
        for key, value in settings:
            run(project, "dvc", "remote", "modify", "shared", key, value)
        (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": stage}}))
    for project in (first, second):
        (project / "make.py").write_text(
            "from pathlib import Path\n"
            f"for name, content in {CONTENT!r}.items():\n"
            "    Path(name).parent.mkdir(parents=True, exist_ok=True)\n"
            "    Path(name).write_bytes(content)\n"
        )
    run(first, "dvc", "repro")
    assert "pushed" in run(first, "dvc", "push")
    (second / "dvc.lock").write_bytes((first / "dvc.lock").read_bytes())
    assert not (second / "data").exists()
    run(second, "dvc", "pull")
    assert {name: (second / name).read_bytes() for name in CONTENT} == CONTENT
    assert "up to date" in run(second, "dvc", "status"), "nothing is to be computed again"


@pytest.mark.slow
def test_by_a_folder_that_all_hosts_share(tmp_path):
    pushed_and_pulled(tmp_path, str(tmp_path / "storage"))
    assert list((tmp_path / "storage" / "files" / "md5").glob("*/*"))


@pytest.fixture
def s3(tmp_path):
    """The address of an S3 server on loopback that holds an empty bucket ``asd``."""
    pytest.importorskip("dvc_s3", reason="dvc-s3 is not installed")
    pytest.importorskip("moto.server", reason="moto with Flask is not installed")
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    server, address = subprocess.Popen(command, env=os.environ | KEYS, **quiet), f"http://127.0.0.1:{port}"
    try:
        wait_for(address)
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="asd")
        yield address
    finally:
        server.kill()
        server.wait()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urlopen(f"{address}/moto-api/")
            return
        except URLError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_by_an_s3_server(s3, tmp_path):
    pushed_and_pulled(tmp_path, "s3://asd/project", ("endpointurl", s3))
