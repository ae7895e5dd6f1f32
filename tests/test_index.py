from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from asd.core.artifacts import read_json
from asd.core.clips import read_clips
from asd.core.compute import ComputeParams
from asd.core.errors import UserError
from asd.core.project import CLIPS
from asd.datasets import audio
from asd.datasets.health import measure_recordings
from asd.datasets.index import make_index, name_clips
from stages import download as download_stage
from stages import index as index_stage

RATE = 16000


def tone(seed: int = 0, seconds: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * RATE)).astype(np.float32)


def one_recording(path: Path, **more: str) -> pd.DataFrame:
    row = {"path": str(path), "machine": "fan", "section": "00", "split": "train", "domain": "source"}
    row |= {"kind": "machine", "attributes": "speed=3", "recording": "", "time": "", "speed_hz": ""}
    row |= {"anomaly": "0", "true_domain": "source", "true_attributes": "speed=3"}
    return pd.DataFrame([row | more])


def test_recordings_are_indexed_and_measured_without_a_project(tmp_path, monkeypatch):
    """The number of workers is an argument: no params.yaml is read."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("a.wav", tone(), RATE)
    table, compute = one_recording(Path("a.wav")), ComputeParams(jobs=1)
    assert len(make_index(table, "fail", compute).clips) == 1
    assert measure_recordings(table, compute)["sample_rate"].tolist() == [RATE]


def truncated(path: Path) -> None:
    soundfile.write(path, tone(), RATE)
    path.write_bytes(path.read_bytes()[:-1000])


def truncated_flac(path: Path) -> None:
    soundfile.write(path, tone(seconds=1), RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:-5000])


BAD = {
    "missing": lambda path: None,
    "empty": lambda path: path.touch(),
    "empty-header": lambda path: soundfile.write(path, np.zeros(0), RATE),
    "unreadable": lambda path: path.write_text(
        "not audio at all, but long enough to be taken for a header of some kind"
    ),
    "truncated": truncated,
    "truncated-extensible": lambda path: (
        soundfile.write(path, tone(), RATE, format="WAVEX"),
        path.write_bytes(path.read_bytes()[:-1000]),
    ),
    "nan": lambda path: soundfile.write(path, np.full(99, np.nan), RATE, subtype="FLOAT"),
    "silent": lambda path: soundfile.write(path, np.zeros(99), RATE),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_clip_is_named_in_one_line_or_left_out(case: str, workdir: Path):
    reason = case.split("-")[0]
    soundfile.write("good.wav", tone(), RATE)
    BAD[case](Path("bad.wav"))
    both = pd.concat([one_recording(Path("good.wav")), one_recording(Path("bad.wav"))])
    with pytest.raises(UserError, match=r"^bad\.wav .*1 of 2 recordings are bad") as refused:
        make_index(both, "fail")
    assert "\n" not in str(refused.value)
    index = make_index(both, "drop")
    assert list(index.files["path"]) == ["good.wav"]
    assert index.metrics["rejected"] == {reason: 1}
    with pytest.raises(UserError, match="fan has no normal training clip left"):
        make_index(one_recording(Path("bad.wav")), "drop")


def test_a_truncated_flac_is_noticed(workdir: Path):
    truncated_flac(Path("x.flac"))
    with pytest.raises(audio.RecordingError) as refused:
        audio.read("x.flac")
    assert refused.value.reason in ("truncated", "unreadable")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"format": "WAVEX"}),
        ("a.wav", {"format": "RF64"}),
        ("a.wav", {"endian": "BIG"}),
        ("a.flac", {}),
        ("a.aiff", {}),
        ("a.ogg", {}),
    ],
)
def test_formats_rates_and_channels_are_read(name: str, more: dict[str, str], workdir: Path):
    samples = np.stack([tone(channel, 0.5) for channel in range(3)], axis=1)
    soundfile.write(name, samples, 44100, **more)
    read, rate = audio.read(name)
    assert (read.shape, read.dtype, rate) == (samples.shape, np.float32, 44100)
    if name != "a.ogg":
        assert np.allclose(read, samples, atol=1e-4)


def test_a_truncated_long_wav_is_noticed(workdir: Path):
    soundfile.write("long.wav", tone(), RATE, format="RF64")
    Path("long.wav").write_bytes(Path("long.wav").read_bytes()[:-600])
    with pytest.raises(audio.RecordingError, match="truncated"):
        audio.read("long.wav")


def test_problems_of_samples():
    sine = np.sin(np.arange(1600) / 10)[:, None]
    assert audio.problems(0.5 * sine) == {}
    assert list(audio.problems(np.clip(2 * sine, -1, 1))) == ["clipped"]
    assert list(audio.problems(0 * sine)) == ["silent"]
    assert list(audio.problems(np.where(sine > 0.9, np.inf, sine))) == ["nan"]
    assert audio.problems(np.ones((1, 1))) == {}


def test_clips_of_equal_content_are_numbered_whatever_their_names(workdir: Path):
    for name in "abc":
        soundfile.write(f"{name}.wav", tone(), RATE)
    tables = []
    for first, second in (("a", "b"), ("b", "a")):
        rows = [one_recording(Path(f"{first}.wav")), one_recording(Path(f"{second}.wav"), attributes="speed=4")]
        rows += [one_recording(Path("c.wav"), attributes="speed=5")]
        index = make_index(pd.concat(rows), "fail")
        tables.append(index.clips)
        assert index.metrics["duplicates"] == 2
    content = tables[0]["clip_id"][0]
    assert list(tables[0]["clip_id"]) == [content, f"{content}-2", f"{content}-3"]
    assert list(tables[0]["attributes"]) == ["speed=3", "speed=4", "speed=5"]
    pd.testing.assert_frame_equal(*tables)


def test_naming_sorts_by_clip_id():
    table = pd.concat([one_recording(Path(name)).assign(content=name) for name in "cab"])
    assert list(name_clips(table)["clip_id"]) == ["a", "b", "c"]


def simulate_tiny(machines: str) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"] |= {"name": "simulated", "machines": machines, "simulated": {"size": "tiny", "seed": 1000}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    download_stage.main()


@pytest.mark.slow
def test_stage_index_of_the_simulated_factory(workdir: Path):
    simulate_tiny("bearing+fan")
    assert index_stage.main() == "2 machines, 116 clips in data/clips.csv"
    clips = read_clips(CLIPS)
    test = clips["split"] == "test"
    assert set(clips["domain"][test]) == {"unknown"}
    assert set(clips["attributes"][test]) == {""}
    assert clips["speed_hz"].isna().all()
    assert (clips["seconds"] == 2).all()
    files = pd.read_csv("data/files.csv")
    truth = pd.read_csv("data/ground_truth.csv").merge(files, on="clip_id")
    assert (files["clip_id"] == clips["clip_id"]).all()
    assert (truth["anomaly"] == truth["path"].str.contains("_anomaly_")).all()
    assert (truth["domain"] == np.where(truth["path"].str.contains("_target_"), "target", "source")).all()
    assert truth["attributes"].notna().sum() == 110  # all but the noise-only clips of fan
    given = pd.read_csv("data/labels/given.csv", keep_default_na=False)
    assert list(given.columns) == ["clip_id", "machine", "method", "label", "confidence"]
    assert given.groupby("machine")["label"].nunique().to_dict() == {"bearing": 1, "fan": 6}
    assert set(given["label"][given["machine"] == "bearing"]) == {""}
    metrics = read_json("metrics/index.json")
    assert metrics["clips"]["fan"] == {
        "train": {"source": 16, "target": 4},
        "supplemental": {"source": 6},
        "test": {"unknown": 32},
    }
    assert metrics["attributes"] == {"fan": 6}
    assert metrics["hidden_attributes"] == {"bearing": True}
    assert metrics["unlabelled"] == metrics["rejected"] == {}
    assert metrics["duplicates"] == metrics["clipped"] == 0


def test_names_of_test_files_leave_no_trace(workdir: Path):
    """Permuted labels, other domains, other order: only ground truth and paths change."""
    simulate_tiny("fan")
    index_stage.main()
    before = {name: Path("data", name).read_bytes() for name in ("clips.csv", "labels/given.csv", "ground_truth.csv")}
    files = sorted(Path("data/raw/fan/test").iterdir())
    order = np.random.default_rng(0).permutation(len(files))
    for file in files:
        file.rename(file.with_suffix(".moved"))
    for old, new in zip(files, order, strict=True):
        old.with_suffix(".moved").rename(files[new])
    index_stage.main()
    after = {name: Path("data", name).read_bytes() for name in before}
    assert after["clips.csv"] == before["clips.csv"]
    assert after["labels/given.csv"] == before["labels/given.csv"]
    assert after["ground_truth.csv"] != before["ground_truth.csv"]
