"""``asd explain``: band and time of a fault that was put in are found; what is exchanged is exact; one-line errors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from test_end_to_end import finished  # noqa: F401

import asd
from asd.__main__ import main
from asd.explanation import BANDS, COLUMNS, TIMES, band_edges, exchanged, shares
from asd.simulation.signals import RATE
from studies.explanations import in_bands, of_bands, shown

SYSTEMS = ("texture", "frozen", "statistics")


@pytest.fixture
def home(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.chdir(finished)
    return finished


@pytest.fixture
def normal_sound(home: Path) -> np.ndarray:
    return soundfile.read("recordings/fan/normal/03.wav")[0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_band_that_holds_the_fault_makes_the_score(system: str, home: Path):
    table = asd.explain(asd.load_detector(home, system), "recordings/pump/abnormal/00.wav")
    assert list(table.columns) == list(COLUMNS)
    assert table["kind"].to_list() == ["band"] * BANDS + ["time"] * TIMES
    top = table[table["kind"] == "band"].nlargest(1, "contribution").iloc[0]
    assert top["low"] < 900 < top["high"]  # [Hz] the tone of tests/test_end_to_end.py
    assert top["contribution"] > 0.5 * top["score"] > 0


def test_the_time_that_holds_the_fault_makes_the_score(home: Path, normal_sound: np.ndarray, tmp_path: Path):
    t = np.arange(len(normal_sound)) / RATE
    burst = 0.05 * np.sin(2 * np.pi * 3000 * t) * ((t > 0.4) & (t < 0.45))
    soundfile.write(tmp_path / "burst.wav", normal_sound + burst, RATE)
    table = asd.explain(asd.load_detector(home, "frozen"), tmp_path / "burst.wav", "fan")
    top = table.loc[table.groupby("kind")["contribution"].idxmax()].set_index("kind")
    assert top.loc["band", "low"] < 3000 < top.loc["band", "high"]
    assert top.loc["time", "low"] < 0.425 < top.loc["time", "high"]


def test_another_rate_length_and_number_of_channels(home: Path, tmp_path: Path):
    noise = np.random.default_rng(0).normal(0, 0.05, (60000, 2))
    soundfile.write(tmp_path / "other.wav", noise, 44100)
    table = asd.explain(asd.load_detector(home, "statistics"), tmp_path / "other.wav", "pump")
    assert np.isfinite(table["contribution"]).all()
    assert table["high"][BANDS - 1] == pytest.approx(8000)  # of the system, not of the file
    assert table["high"].iloc[-1] == pytest.approx(60000 / 44100)


def test_a_system_that_names_no_normal_clip_is_explained_too(home: Path):
    detector = asd.load_detector(home, "autoencoder")
    assert detector.score(["recordings/pump/abnormal/00.wav"])["nearest"][0] == ""
    assert asd.explain(detector, "recordings/pump/abnormal/00.wav")["contribution"].ne(0).all()


@pytest.mark.parametrize("frames", [4000, 4001])
def test_what_is_exchanged_adds_up_to_the_normal_clip(frames: int):
    one, other = np.random.default_rng(0).normal(0, 0.1, (2, frames, 2)).astype(np.float32)
    intervals = np.linspace(0, frames / RATE, TIMES + 1)
    changed = np.stack(list(exchanged(one, other, RATE, band_edges(RATE), intervals)))
    for some in (changed[:BANDS], changed[BANDS:]):
        np.testing.assert_allclose(np.sum(some - one, axis=0), other - one, atol=1e-5)
    edges = np.linspace(0, 1, 5)
    parts = shares(np.linspace(-0.2, 1.2, 99), edges)
    np.testing.assert_allclose(parts.sum(axis=0), 1)
    assert parts.min() >= 0


def test_waveforms_in_memory_get_the_scores_of_their_files(home: Path):
    detector, file = asd.load_detector(home, "attribute_cnn"), "recordings/pump/abnormal/01.wav"
    samples = soundfile.read(file, dtype="float32", always_2d=True)[0]
    by_file, in_memory = detector.score([file]), detector.score_samples([samples], RATE, file)
    for column in ("machine", "score", "threshold", "decision", "nearest"):
        assert by_file[column][0] == in_memory[column][0]


def test_the_command_prints_a_table_and_names_what_it_can_not_explain(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bad, normal = "nothing.wav", "recordings/fan/normal/00.wav"
    (tmp_path / "text.wav").write_text("no audio at all, but long enough to be taken for a header")
    words = ["explain", "--system", "texture", "--machine", "fan", "recordings/fan/abnormal/00.wav"]
    capsys.readouterr()
    assert main([*words, "--csv", str(tmp_path / "why.csv")]) == 0
    assert capsys.readouterr().out.count("\n") == 1 + BANDS + TIMES
    assert list(pd.read_csv(tmp_path / "why.csv").columns) == list(COLUMNS)
    assert main([*words, bad, normal, str(tmp_path / "text.wav"), "--json"]) == 2
    said = capsys.readouterr()
    assert len(json.loads(said.out)) == BANDS + TIMES
    assert [line.startswith("asd: ") for line in said.err.splitlines()] == [True] * 3
    for what in ("nothing.wav is missing", "one of the normal clips", "is no audio"):
        assert what in said.err


def test_the_study_knows_the_band_of_a_tone_and_counts_what_is_heard():
    tone, other = (np.sin(2 * np.pi * hz * np.arange(RATE) / RATE) for hz in (3000, 300))
    assert in_bands(tone).argmax() == 6
    parts = of_bands(tone + other)
    np.testing.assert_allclose(parts.sum(axis=0), tone + other, atol=1e-9)
    np.testing.assert_allclose(parts[6], tone, atol=0.01)
    heard = {name: [True, False] for name in ("heard", "heard in one band", "heard once")}
    rows = {"band": [True, False], "nearly": [True, True], "chance": [0.1, 0.3], "one band": [False, True]}
    made = shown(pd.DataFrame(heard | rows | {"time": [False, True]}, index=["texture"] * 2)).loc["texture"]
    assert made[["clips", "heard", "band of the whole fault", "chance", "one band", "time"]].to_list() == [
        2,
        1,
        100,
        10,
        0,
        0,
    ]
