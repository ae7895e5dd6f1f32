"""``python -m asd check``: what is wrong with a data set, the worst first."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_folder import command, write

from asd.__main__ import main


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict]:
    capsys.readouterr()
    status = main(["check", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_check_finds_what_is_wrong(workdir: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(4):
        write(f"own/fan/train/{number}.wav", number)
    write("own/fan/test/same.wav", 0)
    write("own/fan/train/twin.wav", 1)
    soundfile.write("own/fan/train/silent.wav", np.zeros(1600), 16000)
    soundfile.write("own/fan/train/loud.wav", np.clip(2 * np.sin(np.arange(1600) / 10), -1, 1), 8000)
    Path("own/fan/train/empty.wav").touch()
    status, found = checked(capsys, "own")
    assert status == 1
    assert found["findings"] == [
        "own/fan/train/0.wav trains and is in the test set, as own/fan/test/same.wav",
        "own/fan/train/empty.wav is an empty file: record it again or leave it out",
        "own/fan/train/loud.wav is clipped: record it again with less gain",
        "own/fan/train/silent.wav holds nothing but zeros: record it again or leave it out",
        "own/fan/train/twin.wav is the same as own/fan/train/1.wav",
        "fan mixes rates: 8000, 16000",
    ]
    assert main(["check", "own"]) == 1
    said = capsys.readouterr().out
    assert "9 recordings, 6 findings" in said


def test_check_of_healthy_data(workdir: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(3):
        write(f"own/{number}.wav", number)
    assert checked(capsys, "own")[0] == 0
    assert checked(capsys, "own/0.wav")[1]["recordings"][0]["sample_rate"] == 16000
    command("own")
    status, found = checked(capsys, "data/manifest.csv")
    assert (status, len(found["recordings"])) == (0, 3)
    assert found["recordings"][0]["rms"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(3)), abs=0.3)


@pytest.mark.parametrize(("path", "says"), [("nowhere", "is missing"), ("void", "holds no recordings")])
def test_check_refuses_in_one_line(path: str, says: str, workdir: Path, capsys: pytest.CaptureFixture[str]):
    Path("void").mkdir()
    assert main(["check", path]) == 2
    assert says in capsys.readouterr().err
