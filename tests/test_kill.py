"""Killed at any moment, the next ``dvc repro`` resumes and ends with the same bytes; no second writer is left."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import yaml
from conftest import ROOT

pytestmark = pytest.mark.minutes

STAGES = {  # stage: what says that it is in the middle
    "features@log_mel_high_pass": "*/train/*.npy",
    "adapt@tiny": "*/adapt.pt",
    "train@autoencoder": "*/seed_0/[!.]*.pt",
    "train@attribute_cnn": "*/seed_0/classifier.pt",
    "train@group_lora": "*/seed_0/classifier.pt",
}


def dvc(workspace: Path, *arguments: str, **options):
    return subprocess.Popen(
        ["dvc", *arguments], cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, **options,
    )  # fmt: skip


def finished(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project that ran to its end."""
    workspace = tmp_path_factory.mktemp("kill") / "undisturbed"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in files:
        if not name.startswith(("metrics/", "tests/")) and name != "dvc.lock" and (ROOT / name).is_file():
            (workspace / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, workspace / name)
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["dataset"]["simulated"] = {"size": "tiny", "seed": 1000}
    params["dataset"]["machines"] = "fan+gearbox+slider+valve"
    params["adapt"]["tiny"] |= {"steps": 120, "batch": 8}
    params["systems"]["autoencoder"]["train"]["epochs"] = 20
    params["compute"]["jobs"] = 1
    (workspace / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run(["git", "init", "--quiet"], cwd=workspace, check=True)
    finished(dvc(workspace, "repro"))
    shutil.rmtree(workspace / ".dvc" / "cache" / "runs")  # or DVC would restore instead of running
    return workspace


def forget(workspace: Path, stage: str) -> None:
    """Make a stage one that never ran."""
    lock = yaml.safe_load((workspace / "dvc.lock").read_text())
    del lock["stages"][stage]
    (workspace / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))


def contents(workspace: Path) -> dict:
    """Every metric file, byte for byte, and the hashes of every output."""
    metrics = {str(f.relative_to(workspace)): f.read_bytes() for f in sorted((workspace / "metrics").rglob("*.*"))}
    return metrics | {"lock": yaml.safe_load((workspace / "dvc.lock").read_text())["stages"]}


def writers(workspace: Path) -> list[psutil.Process]:
    """Stages that are at work in the workspace."""
    found = []
    for process in psutil.process_iter():
        try:
            python = any(word.startswith("stages.") for word in process.cmdline()[:4])
            if python and process.cwd() == str(workspace) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill(whom: str, running: subprocess.Popen, workspace: Path) -> None:
    if whom == "stage":
        for process in writers(workspace):
            process.kill()
    elif whom == "dvc":
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.parametrize("whom", ["stage", "dvc", "group"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_resumes_and_ends_with_the_same_bytes(stage, whom, undisturbed, tmp_path):
    workspace = tmp_path / "project"
    shutil.copytree(undisturbed, workspace, symlinks=True)
    forget(workspace, stage)
    running = dvc(workspace, "repro", "--single-item", stage)
    deadline = time.monotonic() + 300
    while not list((workspace / ".asd" / stage).glob(STAGES[stage])):
        assert running.poll() is None, running.communicate()[0]
        if time.monotonic() > deadline:
            kill("group", running, workspace)
            pytest.fail("nothing was finished in five minutes")
        time.sleep(0.002)
    kill(whom, running, workspace)
    running.wait(timeout=60)
    assert contents(workspace) != contents(undisturbed), "it was over before it was killed"
    ends = time.monotonic() + 5
    while writers(workspace):
        assert time.monotonic() < ends, "a writer outlived the kill"
        time.sleep(0.05)
    again = finished(dvc(workspace, "repro"))
    assert "resumed" in again
    assert contents(workspace) == contents(undisturbed)
