"""A training clip that is in the test set is found under another name, level or length, and no other clip is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from test_index import one_recording

from asd.core.errors import UserError
from asd.datasets import leaks
from asd.datasets.index import make_index

RATE = 16000


def sound(seed: int, seconds: float = 4) -> np.ndarray:
    """A beating hum in noise: what machines at one speed have in common, and what they have not."""
    t = np.arange(int(seconds * RATE)) / RATE
    hum = np.sin(2 * np.pi * 100 * t) * (1 + np.sin(2 * np.pi * 8 * t))
    return 0.05 * (hum + np.random.default_rng(seed).normal(size=len(t)))


def pcm(waveform: np.ndarray) -> np.ndarray:
    return (np.rint(waveform * 32768) / 32768).astype(np.float32)


def table(*clips: tuple[str, np.ndarray]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    waves = {str(number): pcm(wave) for number, (_, wave) in enumerate(clips)}
    rows = [
        (path, split, leaks.level_hash(waves[path]), leaks.landmarks(waves[path]))
        for path, (split, _) in zip(waves, clips, strict=True)
    ]
    return pd.DataFrame(rows, columns=["path", "split", "level", "landmarks"]), waves


def found(*clips: tuple[str, np.ndarray]) -> list[bool]:
    known, waves = table(*clips)
    return leaks.leaked(known, waves.__getitem__).tolist()


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.31, -1.0, 2.7])
@pytest.mark.parametrize(("head", "tail"), [(0, 0), (5, 0), (12345, 9876), (0, 30000)])
def test_a_copy_of_another_level_and_length_is_found(gain: float, head: int, tail: int):
    copy = (gain * sound(0))[head : len(sound(0)) - tail]
    assert found(("test", sound(0)), ("train", copy), ("train", sound(1)), ("supplemental", copy)) == [
        False,
        True,
        False,
        True,
    ]


def test_a_longer_recording_that_holds_a_test_clip_is_found():
    whole = np.concatenate([sound(1), sound(0), sound(2)])
    assert found(("train", whole), ("test", sound(0))) == [True, False]


def test_many_clips_of_one_machine_are_told_apart():
    clips = [("test" if seed % 2 else "train", sound(seed)) for seed in range(60)]
    assert not any(found(*clips))


def test_copies_within_a_split_are_no_leak():
    assert found(("train", sound(0)), ("train", sound(0)), ("test", sound(1)), ("test", 0.5 * sound(1))) == [False] * 4


@given(st.integers(0, 3000))
def test_landmarks_move_with_the_samples(cut: int):
    whole, cut_off = leaks.landmarks(pcm(sound(3))), leaks.landmarks(pcm(sound(3))[cut:])
    assert set(whole[whole >= cut + 2 * leaks.REACH] - cut) <= set(cut_off)


@given(st.floats(0.01, 100))
def test_the_level_does_not_change_the_hash(gain: float):
    wave = pcm(sound(0, 0.1))
    assert leaks.level_hash(wave * np.float32(2.0 ** round(np.log2(gain)))) == leaks.level_hash(wave)
    assert leaks.level_hash(wave) != leaks.level_hash(wave[1:])


def test_short_clips_have_no_landmarks():
    for length in (0, 1, 16, 17, 600, 2000):
        places = leaks.landmarks(np.ones(length, dtype=np.float32))
        assert len(leaks.keys(places)) == 0


def test_the_index_drops_and_counts_leaks(workdir: Path, caplog: pytest.LogCaptureFixture):
    for name, wave in (("a", sound(0)), ("b", sound(1)), ("c", 0.4 * sound(0)[4000:])):
        soundfile.write(f"{name}.wav", wave, RATE)
    rows = [one_recording(Path("c.wav")), one_recording(Path("b.wav")), one_recording(Path("a.wav"), split="test")]
    index = make_index(pd.concat(rows), "fail")
    assert sorted(index.files["path"]) == ["a.wav", "b.wav"]
    assert index.metrics["leaked"] == {"fan": 1}
    assert "1 clips of fan are in the test set, as c.wav" in caplog.text
    with pytest.raises(UserError, match="no normal training clip left"):
        make_index(pd.concat([rows[0], rows[2]]), "fail")
