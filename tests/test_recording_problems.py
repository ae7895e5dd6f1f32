"""Recordings that hold no sound, or not the machine's: named before anything is trained on them."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from test_index import one_recording

from asd.__main__ import main
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.datasets import audio
from asd.datasets.health import health_problems, measure_recordings
from asd.datasets.index import make_index
from asd.features.channels import one_channel
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd
from asd.features.front_ends.waveform import WaveformParams

RATE = 16000
N = 2 * RATE
SERIAL = ComputeParams(jobs=1)


def noise(seed: int = 0, level: float = 0.05, frames: int = N) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(frames)


def sine(hz: float, frames: int = N) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(frames) / RATE)


def where(seconds: float, sound: np.ndarray, otherwise: float = 0.0) -> np.ndarray:
    """Keep the first seconds of a sound."""
    return np.where(np.arange(len(sound)) < seconds * RATE, sound, otherwise)


def gated(share: float) -> np.ndarray:
    """Let through a share of each eighth of a second."""
    return np.where(np.arange(N) % 2000 < share * 2000, noise(), 0)


UNFIT: dict[str, Callable[[], np.ndarray]] = {
    "silent": lambda: np.zeros(N),
    "constant": lambda: np.full(N, 0.1),
    "constant, both": lambda: np.stack([np.full(N, 0.1), np.full(N, -0.2)], axis=1),
    "one bit": lambda: np.random.default_rng(0).integers(-1, 2, N) / 32768,
    "one bit, with offset": lambda: (37 + np.random.default_rng(0).integers(0, 2, N)) / 32768,
    "stuck, three quarters zeros": lambda: where(0.5, noise()),
    "stuck at the begin": lambda: where(0.5, noise())[::-1],
    "stuck at a value": lambda: where(0.9, noise(), 0.25),
    "nan": lambda: where(1.9, noise(), np.nan),
    "nan, infinite": lambda: where(1.9, noise(), -np.inf),
    "senseless": lambda: 1e20 * noise(),
}
USABLE: dict[str, Callable[[], np.ndarray]] = {
    "loud": lambda: 1000 * sine(50),
    "loud, 16-bit numbers": lambda: np.round(32767 * 5 * noise()),
    "faint": lambda: 1e-6 * noise(),
    "clipped": lambda: np.clip(5 * sine(100), -1, 1),
    "clipped at a lower level": lambda: 0.3 * np.clip(30 * noise(), -1, 1),
    "clipped on one side": lambda: np.minimum(0.2, 10 * noise()),
    "coarse": lambda: np.round(2 * noise(level=1)).clip(-5, 5) / 32768,
    "gaps": lambda: gated(0.5),
    "offset": lambda: noise() + 0.06,
    "offset, negative": lambda: 0.1 * sine(50) - 0.3,
    "dead channel": lambda: np.stack([np.zeros(N), noise()], axis=1),
    "dead channel, constant": lambda: np.stack([np.full(N, 0.1), noise()], axis=1),
    "dead channel, third": lambda: np.stack([noise(1), noise(), np.zeros(N)], axis=1),
    "quiet channel": lambda: np.stack([noise(1, 1e-4), noise()], axis=1),
}
GOOD: dict[str, Callable[[], np.ndarray]] = {
    "noise": noise,
    "quiet": lambda: np.round(noise(level=4)) / 32768,
    "8 bit": lambda: np.round(100 * sine(100)) / 128,
    "8 bit, full scale": lambda: np.round(127 * sine(440.1)) / 128,
    "tone": lambda: 0.5 * sine(1000),
    "a little offset": lambda: noise() + 0.01,
    "above full scale": lambda: 40 * noise(),
    "clicks": lambda: noise(level=1e-3) + np.where(np.arange(N) % 4000 < 20, 0.5, 0),
    "pauses": lambda: gated(0.85),
    "two channels": lambda: np.stack([noise(1, 0.01), noise()], axis=1),
    "short": lambda: noise(frames=10),
}


def found(samples: np.ndarray) -> list[str]:
    return list(audio.problems(samples.reshape(len(samples), -1).astype(np.float32)))


@pytest.mark.parametrize("case", [*UNFIT, *USABLE])
def test_bad_samples_have_a_name(case: str):
    samples, (name, *_) = (UNFIT | USABLE)[case](), case.split(",")
    names = found(samples)
    assert any(case.startswith(some) for some in names), names
    assert bool(audio.unfit(names)) == (case in UNFIT)
    assert name


@pytest.mark.parametrize("case", GOOD)
def test_good_samples_have_none(case: str):
    assert found(GOOD[case]()) == []


def rows(sounds: dict[str, np.ndarray]) -> pd.DataFrame:
    for name, samples in sounds.items():
        soundfile.write(f"{name}.wav", samples, RATE, subtype="FLOAT")
    return pd.concat([one_recording(Path(f"{name}.wav")) for name in sounds], ignore_index=True)


@pytest.mark.parametrize("case", UNFIT)
def test_what_is_no_recording_is_refused_by_index_and_named_by_check(
    case: str, workdir: Path, capsys: pytest.CaptureFixture[str]
):
    table = rows({"good": noise(), "bad": UNFIT[case]()})
    with pytest.raises(UserError, match=r"^bad\.wav holds .*: .*\(1 of 2 recordings are bad") as refused:
        make_index(table, "fail", SERIAL)
    assert "\n" not in str(refused.value)
    assert list(make_index(table, "drop", SERIAL).files["path"]) == ["good.wav"]
    lines = health_problems(measure_recordings(table, SERIAL))
    assert len(lines) == 1
    assert str(refused.value).startswith(lines[0])
    assert main(["frequencies", "bad.wav"]) == 2
    assert capsys.readouterr().err.startswith("asd: bad.wav ")


@pytest.mark.parametrize("case", USABLE)
def test_what_can_be_used_is_used_and_named(case: str, workdir: Path, caplog: pytest.LogCaptureFixture):
    table = rows({"bad": USABLE[case]()})
    with caplog.at_level(logging.WARNING):
        index = make_index(table, "fail", SERIAL)
    assert len(index.clips) == 1
    lines = health_problems(measure_recordings(table, SERIAL))
    assert lines
    assert [record.getMessage() for record in caplog.records] == lines
    assert all(line.startswith("bad.wav ") for line in lines)


def test_many_are_named_in_one_line(workdir: Path, caplog: pytest.LogCaptureFixture):
    make_index(rows({f"{i}": noise(i) + 0.06 for i in range(3)}), "fail", SERIAL)
    (record,) = caplog.records
    assert record.getMessage().startswith("0.wav has a mean as large as its sound: ")
    assert record.getMessage().endswith(" (3 recordings of fan)")


def test_recordings_unlike_the_rest_are_named(workdir: Path, caplog: pytest.LogCaptureFixture):
    table = rows({f"{i}": noise(i, frames=N if i else N // 5) for i in range(4)})
    expected = ["0.wav lasts 0.40 s, most of fan 2.00 s: leave it out"]
    assert health_problems(measure_recordings(table, SERIAL)) == expected
    make_index(table, "fail", SERIAL)
    assert [record.getMessage() for record in caplog.records] == expected


def test_recordings_that_are_all_the_same_are_named_once(workdir: Path, caplog: pytest.LogCaptureFixture):
    table = rows({f"{i}": noise() for i in range(4)})
    expected = ["fan has 4 recordings that are all the same: give different ones"]
    assert health_problems(measure_recordings(table, SERIAL)) == expected
    make_index(table, "fail", SERIAL)
    assert [record.getMessage() for record in caplog.records] == expected


def test_a_dead_channel_is_not_listened_to():
    dead, near, far = np.zeros((N, 1)), noise(1)[:, None], noise(2)[:, None]
    both = np.hstack([dead, far]).astype(np.float32)
    for channel in ("near", "far", "mean"):
        np.testing.assert_array_equal(one_channel(both, RATE, channel), both[:, 1])
    with pytest.raises(UserError, match="channel 1 of a recording has no signal: set features"):
        one_channel(both, RATE, "cancel")
    both = np.hstack([near, dead]).astype(np.float32)
    for channel in ("near", "mean", "cancel"):
        np.testing.assert_array_equal(one_channel(both, RATE, channel), both[:, 0])
    with pytest.raises(UserError, match=r"channel 2 of a recording .* to near"):
        one_channel(both, RATE, "far")
    alive = np.hstack([near, far]).astype(np.float32)
    np.testing.assert_array_equal(one_channel(alive, RATE, "near"), alive[:, 0])
    np.testing.assert_array_equal(one_channel(alive, RATE, "mean"), alive.mean(axis=1))


def test_the_file_is_named_that_lacks_the_channel(workdir: Path):
    rows({"a": np.stack([noise(), np.zeros(N)], axis=1)})
    with pytest.raises(UserError, match=r"^a\.wav: channel is 'far', but channel 2 .* has no signal"):
        extract("a.wav", FittedFrontEnd(WaveformParams(kind="waveform", channel="far")))


def test_values_too_large_for_a_front_end_are_refused(workdir: Path):
    """No infinity goes into a store."""
    rows({"a": 1e6 * noise()})
    with pytest.raises(UserError, match=r"^a\.wav has no finite waveform in float16: divide it"):
        extract("a.wav", FittedFrontEnd(WaveformParams(kind="waveform", precision="float16")))
    normalised = WaveformParams(kind="waveform", precision="float16", level="normalise")
    assert np.isfinite(extract("a.wav", FittedFrontEnd(normalised))).all()


def test_real_recordings_have_no_problems(shared: Path):
    files = [*sorted((shared / "real/bench").rglob("*.flac"))[::20], *(shared / "real/mimii_fan_id_00").rglob("*.wav")]
    assert len(files) > 60
    assert {str(file): names for file in files if (names := list(audio.problems(audio.read(file)[0])))} == {}
