"""What a tree of recordings says: every layout, mixed kinds of files, and the way through index and features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from test_folder import choose_folder, command, write

from asd.core.artifacts import read_json
from asd.core.clips import read_clips
from asd.core.errors import UserError
from asd.core.project import CLIPS
from asd.datasets.folder import read_manifest
from asd.datasets.folder_layouts import read_layout, split_normals
from asd.features.store import FeatureStore
from stages import download, features, index

LAYOUTS = {  # layout: file: machine, section, split, anomaly, kind
    "DCASE": {
        "fan/train/section_01_source_train_normal_0000_vel_3.wav": ("fan", "01", "train", "0", "machine"),
        "fan/test/section_01_target_test_anomaly_0000_vel_3.wav": ("fan", "01", "test", "1", "machine"),
        "fan/test/section_01_0003.wav": ("fan", "01", "test", "", "machine"),
        "fan/supplemental/section_01_noise_0001_.wav": ("fan", "01", "supplemental", "0", "noise"),
        "raw/valve/source_test/section_00_source_test_0001.wav": ("valve", "00", "test", "", "machine"),
        "pump/train/normal_id_02_00000001.wav": ("pump", "02", "train", "0", "machine"),
        "pump/test/anomaly_id_02_00000001.wav": ("pump", "02", "test", "1", "machine"),
    },
    "normal / abnormal": {
        "6_dB/pump/id_00/normal/00000000.wav": ("6_dB_pump", "00", "", "0", ""),
        "pump/id_04/abnormal/00000000.wav": ("pump", "04", "test", "1", ""),
        "ToyCar/case1/NormalSound_IND/11_ToyCar_case1_normal_IND_ch1_0001.wav": ("ToyCar", "01", "", "0", ""),
        "ToyCar/case1/AnomalousSound_IND/12_ToyCar_case1_ab01_IND_ch1_0001.wav": ("ToyCar", "01", "test", "1", ""),
        "ToyCar/EnvironmentalNoise_CNT/N.wav": ("ToyCar", "", "supplemental", "0", "noise"),
        "deep/er/Normal/session/a.FLAC": ("deep_er", "", "", "0", ""),
    },
    "train / test": {
        "mixer/train/a.wav": ("mixer", "", "train", "", ""),
        "mixer/test/b.wav": ("mixer", "", "test", "", ""),
    },
    "flat": {
        "drill/left/a.wav": ("drill_left", "", "", "", ""),
        "section_00_0001.wav": ("flat", "", "", "", ""),
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_understood(layout: str, tmp_path: Path):
    home = tmp_path / "flat"
    for file in LAYOUTS[layout]:
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).touch()
    table, unplaced, *_ = read_layout(home)
    assert not unplaced
    assert set(table["layout"]) == {layout}
    said = table.set_index("path")[["machine", "section", "split", "anomaly", "kind"]]
    assert {Path(p).relative_to(home).as_posix(): tuple(row) for p, *row in said.itertuples()} == LAYOUTS[layout]


def test_what_fits_no_layout_is_left_out_where_others_do(tmp_path: Path):
    for file in ("fan/normal/a.wav", "b.wav", "notes.txt", ".hidden.wav"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    table, unplaced, *_ = read_layout(tmp_path)
    assert len(table) == 1
    assert [file.name for file in unplaced] == ["b.wav", "notes.txt"]


def test_attributes_of_tables_and_microphones_of_one_recording(tmp_path: Path):
    train = tmp_path / "fan/train"
    train.mkdir(parents=True)
    (train / "section_00_source_train_normal_0000_x.wav").touch()
    (tmp_path / "fan/attributes_00.csv").write_text(
        "file_name,d1p,d1v\nfan/train/section_00_source_train_normal_0000_x.wav,m,A\n"
    )
    (tmp_path / "car/NormalSound_IND").mkdir(parents=True)
    for channel in (1, 2):
        (tmp_path / f"car/NormalSound_IND/7_normal_IND_ch{channel}_0001.wav").touch()
    table = read_layout(tmp_path).table
    assert table["attributes"].to_list() == ["", "", "m=A"]
    assert table["recording"].to_list() == ["7_normal_IND_0001", "7_normal_IND_0001", ""]


def times(names: list[str], recording: list[str] | None = None) -> pd.DataFrame:
    table = pd.DataFrame({"path": names, "machine": "fan", "section": "", "split": "", "recording": recording or ""})
    return table.assign(time=[name if name[:2] == "20" else "" for name in names])


def test_the_earlier_train_and_the_later_test():
    table = split_normals(times(["2026-03", "2026-01", "2026-02", "2026-04"]), 0.5, Path("own"))
    assert table.set_index("path")["split"].to_dict() == {
        "2026-01": "train", "2026-02": "train", "2026-03": "test", "2026-04": "test",
    }  # fmt: skip


def test_clips_of_one_recording_stay_together():
    table = split_normals(times(list("abcdef"), recording=list("xxyyzz")), 0.5, Path("own"))
    assert not (set(table["recording"][table["split"] == "train"]) & set(table["recording"][table["split"] == "test"]))
    assert table["split"].value_counts().to_dict() == {"train": 4, "test": 2}


def test_times_are_read_from_names(workdir: Path):
    for hour in (12, 9, 15, 10):
        write(f"own/normal/line3_20260131-{hour:02}3000.wav", hour)
    command("own")
    table = pd.read_csv("data/manifest.csv")
    assert dict(zip(table["time"].str[11:13], table["split"], strict=True)) == {
        "09": "train", "10": "train", "12": "test", "15": "test",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,machine,split,recording\na.wav,fan,train,r\nb.wav,fan,test,r\n", "line 2: recording r trains and tests"),
        ("path,machine,split,time\na.wav,fan,train,2026-02\nb.wav,fan,test,2026-01\n", "line 2: fan trains at 2026-02"),
    ],
)
def test_manifests_that_would_flatter_are_refused(content: str, message: str, workdir: Path):
    for seed, name in enumerate("ab"):
        write(f"{name}.wav", seed)
    Path("m.csv").write_text(content)
    with pytest.raises(UserError, match=message):
        read_manifest(Path("m.csv"))


def test_an_early_anomaly_may_test(workdir: Path):
    for seed, name in enumerate("ab"):
        write(f"{name}.wav", seed)
    Path("m.csv").write_text("path,machine,split,time,anomaly\na.wav,fan,train,2026-02,\nb.wav,fan,test,2026-01,1\n")
    assert len(read_manifest(Path("m.csv"))) == 2


def set_params(key: str, value: float) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"]["folder"][key] = value
    Path("params.yaml").write_text(yaml.safe_dump(params))


def test_long_recordings_are_cut_into_clips(workdir: Path):
    rng = np.random.default_rng(0)
    whole = rng.integers(-9999, 9999, (8000 * 7 + 4000, 2)).astype(np.int16)
    Path("own/normal").mkdir(parents=True)
    soundfile.write("own/normal/long.flac", whole, 8000)
    soundfile.write("own/normal/short.wav", whole[:12000], 8000)
    choose_folder()
    set_params("clip_seconds", 2.0)
    command("own", "--test-fraction", "0")
    download.main()
    index.main()
    clips = read_clips(CLIPS).merge(pd.read_csv("data/files.csv"), on="clip_id").sort_values("path")
    assert clips["seconds"].to_list() == [2, 2, 2, 1.5, 1.5]
    assert clips["channels"].unique().tolist() == [2]
    cut = clips[clips["path"].str.startswith("data/raw/clips/")]
    assert len(set(cut["recording"])) == 1
    assert (clips.loc[clips["path"].str.endswith("short.wav"), "recording"] == "").all()
    heard = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in cut["path"]])
    np.testing.assert_array_equal(heard, whole)


def test_a_rest_of_less_than_half_a_clip_is_left_out(workdir: Path):
    write("own/a.wav")  # 0.1 s
    choose_folder()
    set_params("clip_seconds", 0.042)
    command("own")
    download.main()
    assert len(list(Path("data/raw/clips").rglob("*.wav"))) == 2


@pytest.mark.parametrize("channel", ["near", "mean"])
def test_real_recordings_of_one_and_eight_channels(channel: str, shared: Path, workdir: Path):
    """Mono files beside a copy of two of them with all eight channels, which must not train where they test."""
    choose_folder()
    command(str(shared / "real/mimii_fan_id_00"))
    mono = pd.read_csv("data/manifest.csv")
    many = sorted((shared / "real/mimii_fan_id_00/eight_channels").glob("*.wav"))
    more = [(str(file), "eight", "train", 0) for file in many]
    rows = pd.DataFrame(more, columns=["path", "machine", "split", "anomaly"])
    pd.concat([mono, rows]).to_csv("data/manifest.csv", index=False)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["features"]["log_mel"]["channel"] = channel
    Path("params.yaml").write_text(yaml.safe_dump(params))
    download.main()
    index.main()
    assert read_json("metrics/index.json")["leaked"] == {"eight": 1}
    clips = read_clips(CLIPS)
    assert clips.groupby("machine")["channels"].max().to_dict() == {"eight": 8, "mimii_fan_id_00": 1}
    features.main("log_mel")
    store = FeatureStore("data/features/log_mel/train")
    assert len(store) == 11
    assert all(np.isfinite(store[clip_id]).all() for clip_id in store.clip_ids)


def test_a_tree_of_mixed_rates_formats_and_lengths(workdir: Path, capsys: pytest.CaptureFixture[str]):
    rng = np.random.default_rng(0)
    kinds = [("wav", 16000, 1, 1.0), ("flac", 44100, 2, 0.5), ("ogg", 22050, 1, 2.5), ("aiff", 48000, 4, 0.3)]
    kinds += [("wav", 96000, 3, 1.1), ("mp3", 32000, 2, 1.7), ("w64", 16000, 8, 0.9), ("caf", 16000, 1, 6.0)]
    for label in ("normal", "abnormal"):
        for number, (suffix, rate, channels, seconds) in enumerate(kinds):
            file = Path(f"own/fan/{label}/{number}.{suffix}")
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, rng.uniform(-0.4, 0.4, (int(rate * seconds), channels)), rate)
    choose_folder()
    command("own")
    assert "normal / abnormal" in capsys.readouterr().out
    download.main()
    assert index.main() == "1 machines, 16 clips in data/clips.csv"
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["features"]["fbank"] = {"kind": "kaldi_fbank"}  # Kaldi's frames beside log-mel's
    Path("params.yaml").write_text(yaml.safe_dump(params))
    features.main("log_mel")
    features.main("fbank")
    for split in ("train", "test"):
        store = FeatureStore(f"data/features/fbank/{split}")
        assert all(np.isfinite(store[clip_id]).all() for clip_id in store.clip_ids)
