"""The ragged store: what is written comes back, and nothing half-written is found."""

import pickle
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.section import checked
from asd.features.extraction import extract
from asd.features.fitting import FittedFrontEnd
from asd.features.front_end import FrontEnd
from asd.features.prepare import gain
from asd.features.recorded import all_recorded, recorded
from asd.features.store import FeatureStore, describe, is_whole, write_recorded, writer


def write(folder: Path, machine: str, clips: dict[str, np.ndarray], bands: int) -> None:
    with writer(folder, machine, bands) as append:
        for clip_id, rows in sorted(clips.items()):
            append(clip_id, rows)


ids = st.text("0123456789abcdef", min_size=16, max_size=16)


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.dictionaries(ids, st.integers(0, 40), max_size=12),
    bands=st.integers(1, 9),
    machines=st.integers(1, 3),
)
def test_round_trip(lengths: dict[str, int], bands: int, machines: int) -> None:
    generator = np.random.default_rng(len(lengths))
    clips = {i: generator.normal(size=(n, bands)).astype(np.float32) for i, n in lengths.items()}
    with TemporaryDirectory() as name:
        folder = Path(name)
        order = sorted(clips)
        for m in range(machines):
            write(folder, f"machine_{m}", {i: clips[i] for i in order[m::machines]}, bands)
        describe(folder, {"n_features": bands, "kind": "log_mel"})
        store = FeatureStore(folder)
        assert store.clip_ids == order
        assert store.machines == [f"machine_{m}" for m in range(machines)]
        assert store.n_features == bands
        for clip_id, rows in clips.items():
            assert store.n_frames(clip_id) == len(rows)
            np.testing.assert_array_equal(store[clip_id], rows, strict=True)


def test_file_is_what_numpy_would_save(tmp_path: Path) -> None:
    clips = {f"{i:016x}": np.full((i + 1, 3), i, np.float32) for i in range(12)}
    write(tmp_path, "fan", clips, 3)
    np.save(tmp_path / "expected.npy", np.concatenate(list(clips.values())))
    assert (tmp_path / "fan.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    index = pd.read_csv(tmp_path / "fan.csv", dtype={"clip_id": str})
    assert list(index["clip_id"]) == list(clips)
    assert list(index["start"]) == [n * (n + 1) // 2 for n in range(12)]


def test_reads_are_memory_mapped_and_read_only(tmp_path: Path) -> None:
    write(tmp_path, "fan", {"a": np.zeros((5, 2), np.float32)}, 2)
    describe(tmp_path, {"n_features": 2})
    rows = FeatureStore(tmp_path)["a"]
    assert isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0] = 1


def test_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with writer(tmp_path, "fan", 2) as append:
            append("a", np.zeros((5, 2), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())
    assert not is_whole(tmp_path, "fan")
    write(tmp_path, "fan", {"a": np.zeros((5, 2), np.float32)}, 2)
    assert is_whole(tmp_path, "fan")


@pytest.mark.parametrize(
    ("clip_id", "rows", "says"),
    [("b", np.zeros((4, 3)), "not"), ("b", np.zeros(2), "not"), ("a", np.zeros((4, 2)), "order")],
)
def test_writer_refuses_what_breaks_the_layout(tmp_path: Path, clip_id: str, rows: np.ndarray, says: str) -> None:
    with pytest.raises(ValueError, match=says), writer(tmp_path, "fan", 2) as append:
        append("a", np.zeros((1, 2)))
        append(clip_id, rows)


def test_missing_store_and_clip_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere holds no features: run dvc repro$"):
        FeatureStore(tmp_path / "nowhere")
    describe(tmp_path, {"n_features": 2})
    store = FeatureStore(tmp_path)
    assert "a" not in store
    for ask in (store.n_frames, store.__getitem__):
        with pytest.raises(UserError, match=r"clip a is not in .*: run dvc repro$"):
            ask("a")


def test_normalised(tmp_path: Path) -> None:
    rows = np.array([[1.0, 5.0]], np.float32)
    describe(tmp_path / "plain", {"n_features": 2})
    np.testing.assert_array_equal(FeatureStore(tmp_path / "plain").normalised(rows), rows)
    describe(tmp_path / "fbank", {"n_features": 2, "mean": 1.0, "std": 2.0})
    scaled = FeatureStore(tmp_path / "fbank").normalised(rows)
    np.testing.assert_array_equal(scaled, np.array([[0.0, 1.0]], np.float32), strict=True)


def test_store_travels_to_other_processes_without_its_arrays(tmp_path: Path) -> None:
    write(tmp_path, "fan", {"a": np.ones((50_000, 2), np.float32)}, 2)
    describe(tmp_path, {"n_features": 2})
    store = FeatureStore(tmp_path)
    assert store["a"].sum() == 100_000
    sent = pickle.dumps(store)
    assert len(sent) < 2000
    assert pickle.loads(sent)["a"].sum() == 100_000


def test_readers_import_no_signal_processing() -> None:
    program = "import sys, asd.features.store; print({'torch', 'scipy', 'librosa', 'soundfile'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- waveforms that recordings hold


WAVEFORM = {"kind": "waveform", "sample_rate": 16000, "row": 320}


def recording(path: Path, samples: int = 16000, rate: int = 16000, channels: int = 1, subtype: str = "PCM_16") -> str:
    draw = np.random.default_rng(samples + channels)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.05 * draw.standard_normal((samples, channels)), rate, subtype)
    return str(path)


@pytest.mark.parametrize("level", ["keep", "normalise"])
def test_a_waveform_that_the_recording_holds_is_read_from_it(tmp_path, level):
    front_end = FittedFrontEnd(checked(FrontEnd, WAVEFORM | {"level": level}).root)
    files = {name: recording(tmp_path / "raw" / f"{name}.wav", 16000 + 100 * i) for i, name in enumerate("abc")}
    found = all_recorded(files, front_end.params, ComputeParams(jobs=1))
    store_folder = tmp_path / "store"
    places = {clip: place._replace(path=f"../raw/{clip}.wav") for clip, place in found.items()}
    write_recorded(store_folder, "fan", 320, places)
    describe(store_folder, {"n_features": 320})
    store = FeatureStore(store_folder)
    for clip, path in files.items():
        want = extract(path, front_end)
        assert store.n_frames(clip) == len(want)
        np.testing.assert_allclose(store[clip], want, rtol=1e-6, atol=0)
    assert not list(store_folder.glob("*.npy"))


@pytest.mark.parametrize(
    ("made", "block"),
    [
        ({"channels": 2}, {}),
        ({"rate": 48000}, {}),
        ({"subtype": "FLOAT"}, {}),
        ({"samples": 100}, {}),
        ({}, {"high_pass": 100}),
        ({}, {"loop_seconds": 2}),
        ({}, {"trim_or_pad_seconds": 0.5}),
    ],
)
def test_other_waveforms_are_stored(tmp_path, made, block):
    params = checked(FrontEnd, WAVEFORM | block).root
    files = {"a": recording(tmp_path / "a.wav"), "b": recording(tmp_path / "b.wav", **made)}
    assert all_recorded(files, params, ComputeParams(jobs=1)) is None


def test_a_recording_with_a_wrong_header_and_one_of_another_format_are_stored(tmp_path):
    params = checked(FrontEnd, WAVEFORM).root
    path = Path(recording(tmp_path / "a.wav"))
    content = bytearray(path.read_bytes())
    content[40:44] = (1000).to_bytes(4, "little")  # promises less than there is
    path.write_bytes(content)
    assert recorded(path, params) is None
    assert recorded(recording(tmp_path / "a.flac"), params) is None
    assert recorded(tmp_path / "gone.wav", params) is None  # the reader names it


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"])
def test_samples_are_those_that_libsndfile_decodes(tmp_path, kind, subtype):
    params, path = checked(FrontEnd, WAVEFORM | {"level": "normalise"}).root, tmp_path / "a.wav"
    draw = np.random.default_rng(7).normal(0, 0.1, 1001)
    for endian in ("LITTLE", "BIG"):
        if not soundfile.check_format(kind, subtype, endian):
            continue
        soundfile.write(path, draw, 16000, subtype, endian, kind)
        place = recorded(path, params)
        assert (place is not None) == (kind in ("WAV", "WAVEX") and subtype == "PCM_16" and endian == "LITTLE")
        if place:
            held = np.fromfile(path, "<i2", place.n_samples, offset=place.start)
            np.testing.assert_array_equal(held, soundfile.read(path, dtype="int16")[0])
            assert place.scale == gain(soundfile.read(path, dtype="float32")[0]) / 32768


def test_a_recording_that_has_gone_or_changed_is_named(tmp_path):
    path = Path(recording(tmp_path / "a.wav"))
    place = recorded(path, checked(FrontEnd, WAVEFORM).root)
    write_recorded(tmp_path, "fan", 320, {"a": place._replace(path="a.wav")})
    describe(tmp_path, {"n_features": 320})
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(UserError, match=r"a\.wav is shorter than when it was read first"):
        FeatureStore(tmp_path)["a"]
    path.unlink()
    with pytest.raises(UserError, match=r"a\.wav is missing"):
        FeatureStore(tmp_path)["a"]
