"""Sounds and pictures of clips: at their place, on one scale, for recordings of any kind."""

import io
import re

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from asd.datasets.audio import RecordingError
from asd.report import sounds


def recording(folder, name, wave, rate=16000):
    path = folder / f"{name}.wav"
    soundfile.write(path, wave, rate, subtype="FLOAT")
    return path


def tone(hz, seconds=2.0, rate=16000, level=0.1):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def impacts(hz, seconds=4.0, rate=16000):
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(size=len(time))
    return 0.05 * noise * (1 + np.cos(2 * np.pi * hz * time))


def test_sounds_of_a_section_keep_their_levels_to_each_other(tmp_path):
    paths = {"loud": recording(tmp_path, "a", tone(440)), "faint": recording(tmp_path, "b", tone(440, level=0.01))}
    shown = sounds.write_sounds(tmp_path, paths)
    peaks = {}
    for clip, own in shown.items():
        wave, rate = soundfile.read(tmp_path / f"{clip}.mp3")
        assert (own.audio, rate, own.cut) == (f"{tmp_path.name}/{clip}.mp3", 16000, False)
        assert len(wave) / rate == pytest.approx(2, abs=0.1)
        peaks[clip] = np.abs(wave[4000:-4000]).max()
    assert peaks["loud"] == pytest.approx(sounds.PEAK, rel=0.05)
    assert peaks["loud"] / peaks["faint"] == pytest.approx(10, rel=0.1)


def test_a_tone_stands_in_the_picture_where_the_axis_says(tmp_path):
    shown = sounds.write_sounds(tmp_path, {"tone": recording(tmp_path, "a", tone(2000) + tone(2000, level=1e-4))})[
        "tone"
    ]
    assert [text for _, text in shown.times] == ["0", "0.5", "1", "1.5", "2"]
    place = {text: place for place, text in shown.frequencies}["2"]
    picture = imread(io.BytesIO((tmp_path / "tone.webp").read_bytes()), format="webp")[..., :3].sum(axis=-1)
    row = int(picture.mean(axis=1).argmax())
    assert 100 * (1 - (row + 0.5) / len(picture)) == pytest.approx(place, abs=2)


def test_the_envelope_has_its_line_and_its_mark_at_the_rate_of_the_impacts(tmp_path):
    shown = sounds.write_sounds(tmp_path, {"bearing": recording(tmp_path, "a", impacts(80))})["bearing"]
    points = [tuple(map(int, pair.split())) for pair in re.split("[ML]", shown.envelope)[1:]]
    assert len(points) <= sounds.POINTS
    x, y = min(points, key=lambda point: point[1])
    assert (x / sounds.POINTS * sounds.FASTEST, y) == (pytest.approx(80, abs=5), 0)
    assert shown.marked[0][0] == pytest.approx(16, abs=0.5)
    assert shown.marked[0][1].startswith("80")
    assert shown.envelope_frequencies[-1] == (100.0, "500")


@pytest.mark.parametrize(
    ("seconds", "rate", "heard_at"), [(0.05, 16000, 16000), (1, 1000, 8000), (0.5, 51200, 48000), (12, 8000, 8000)]
)
def test_recordings_of_any_rate_and_length_are_heard_and_seen(tmp_path, seconds, rate, heard_at):
    wave = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), 2))
    shown = sounds.write_sounds(tmp_path, {"clip": recording(tmp_path, "a", wave, rate)})["clip"]
    heard, at = soundfile.read(tmp_path / "clip.mp3")
    assert (at, heard.ndim) == (heard_at, 1)
    assert len(heard) / at == pytest.approx(min(seconds, sounds.SECONDS), abs=0.1)
    assert shown.cut == (seconds > sounds.SECONDS)
    assert shown.times
    assert shown.frequencies
    assert all(0 <= place <= 100 for place, _ in shown.times + shown.frequencies + shown.levels)


def test_silence_is_shown_too(tmp_path):
    shown = sounds.write_sounds(tmp_path, {"silent": recording(tmp_path, "a", np.zeros(8000))})["silent"]
    assert "nan" not in shown.envelope
    assert shown.marked == []


def test_a_recording_that_is_gone_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"gone\.wav is missing"):
        sounds.write_sounds(tmp_path, {"clip": tmp_path / "gone.wav"})
