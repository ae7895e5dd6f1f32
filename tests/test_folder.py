import argparse
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from asd.cli import manifest
from asd.core.artifacts import read_json
from asd.core.clips import read_clips
from asd.core.errors import UserError
from asd.core.project import CLIPS
from asd.datasets.folder import read_manifest
from stages import download as download_stage
from stages import index as index_stage

GOOD = "path,machine,split\na.wav,fan,train\nb.wav,fan,test\n"


def write(path: str, seed: int = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 1600), 16000)


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    manifest.add_arguments(parser)
    return manifest.main(parser.parse_args(list(words)))


def choose_folder(machines: str = "all") -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"] |= {"name": "folder", "machines": machines}
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def home(workdir: Path) -> Path:
    for seed, name in enumerate("abc"):
        write(f"data/{name}.wav", seed)
    return workdir


def test_a_manifest_with_the_least(home: Path):
    Path("data/manifest.csv").write_text(GOOD)
    table = read_manifest(Path("data/manifest.csv"))
    assert list(table["path"]) == ["data/a.wav", "data/b.wav"]
    assert list(table["domain"]) == ["source", "unknown"]
    assert list(table["anomaly"]) == ["0", ""]
    assert set(table["section"]) == {"00"}
    assert set(table["kind"]) == {"machine"}


def test_a_manifest_with_everything(home: Path):
    Path("data/manifest.csv").write_text(
        "\ufeffpath,machine,section,split,domain,attributes,kind,recording,time,speed_hz,anomaly\n"
        f"a.wav,fan,01,train,target,speed=3;mic=1,machine,r1,2026-01-01,24.5,0\n{home / 'data/b.wav'}, fan ,,test,"
        "target,speed=4,,r2,,,1\nc.wav,fan,,supplemental,,,noise,,,,\n"
    )
    b, a, c = read_manifest(Path("data/manifest.csv")).to_dict("records")
    assert b["path"] == str(home / "data/b.wav")
    assert (b["domain"], b["attributes"], b["true_domain"], b["true_attributes"], b["anomaly"]) == (
        ("unknown", "", "target", "speed=4", "1")
    )
    assert (a["section"], a["domain"], a["attributes"], a["speed_hz"]) == ("01", "target", "speed=3;mic=1", "24.5")
    assert (c["kind"], c["domain"], c["anomaly"]) == ("noise", "source", "0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,machine,split\n", "lists no recordings"),
        ("path,machine\na.wav,fan\n", "lacks the column split"),
        ("path,machine,split,atributes\na.wav,fan,train,\n", "column atributes is unknown"),
        ("path,machine,split\na.wav,fan,train\nb.wav,fan,tset\n", "line 3: split is 'tset'"),
        ("path,machine,split\na.wav,fan 1,train\n", "line 2: machine is 'fan 1'"),
        ("path,machine,split,domain\na.wav,fan,train,new\n", "line 2: domain is 'new'"),
        ("path,machine,split,anomaly\na.wav,fan,test,yes\n", "line 2: anomaly is 'yes'"),
        ("path,machine,split,speed_hz\na.wav,fan,train,fast\n", "line 2: speed_hz is 'fast'"),
        ("path,machine,split,attributes\na.wav,fan,train,fast\n", "line 2: attributes is 'fast'"),
        ("path,machine,split\na.wav,fan,train\nno.wav,fan,test\n", "line 3: data/no.wav is missing"),
        ("path,machine,split\na.wav,fan,train\n./a.wav,fan,test\n", "line 3: data/a.wav is listed twice"),
        ("path,machine,split\na.wav,fan,train\n../data/a.wav,fan,test\n", "line 3: data/a.wav is listed twice"),
        ("path,machine,split,anomaly\na.wav,fan,train,1\n", "line 2: an anomaly can't have the split train"),
        ("path,machine,split\na.wav,fan,train\nb.wav,pump,test\n", "pump has no normal training recording"),
        ("path,machine,split,kind\na.wav,fan,train,noise\n", "fan has no normal training recording"),
        ("", "is no CSV table"),
        (None, "is missing"),
    ],
)
def test_wrong_manifests_are_refused_in_one_line(content: str | None, message: str, home: Path):
    choose_folder()
    if content is not None:
        Path("data/manifest.csv").write_text(content)
    with pytest.raises(UserError, match=message) as refused:
        download_stage.main()
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("data/manifest.csv")
    assert not Path("data/raw").exists()
    assert not Path("data/truth").exists()
    assert not Path("metrics").exists()


def test_download_lists_digests_and_copies_nothing(home: Path):
    choose_folder()
    Path("data/manifest.csv").write_text(GOOD)
    assert download_stage.main() == "1 machines, 2 recordings in data/raw"
    assert [f.name for f in Path("data/raw").iterdir()] == ["recordings.csv"]
    listed = pd.read_csv("data/raw/recordings.csv")
    assert listed["sha256"][0] == hashlib.sha256(Path("data/a.wav").read_bytes()).hexdigest()
    before = Path("data/raw/recordings.csv").read_bytes()
    write("data/b.wav", 7)
    download_stage.main()
    assert Path("data/raw/recordings.csv").read_bytes() != before


def test_labels_and_test_attributes_never_stand_among_the_recordings(home: Path):
    choose_folder()
    lines = "path,machine,split,domain,attributes,anomaly\na.wav,fan,train,,m=1,\n"
    listed = []
    for label in "01":
        Path("data/manifest.csv").write_text(f"{lines}b.wav,fan,test,target,m={label},{label}\n")
        download_stage.main()
        index_stage.main()
        listed.append([Path(f).read_bytes() for f in ("data/raw/recordings.csv", "data/clips.csv", "data/files.csv")])
    assert listed[0] == listed[1]
    assert pd.read_csv("data/ground_truth.csv")["anomaly"].tolist().count(1) == 1


def test_chosen_machines_alone_are_listed(home: Path):
    choose_folder("pump")
    Path("data/manifest.csv").write_text("path,machine,split\na.wav,fan,train\nb.wav,pump,train\n")
    download_stage.main()
    index_stage.main()
    assert set(read_clips(CLIPS)["machine"]) == {"pump"}
    assert read_json("metrics/index.json")["unlabelled"] == {"pump": True}


def test_manifest_of_a_tree_of_machines(workdir: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(5):
        write(f"own/fan/id_00/normal/{number}.wav", number)
    write("own/fan/id_00/abnormal/0.wav")
    write("own/big pump/normal/x.wav")
    write("own/elsewhere.wav")
    Path("own/notes.txt").write_text("read me")
    assert command("own") == 0
    said = capsys.readouterr().out
    assert "fits no layout: own/elsewhere.wav" in said
    assert "fits no layout: own/notes.txt" in said
    table = pd.read_csv("data/manifest.csv").set_index("path")
    fan = table[table["machine"] == "fan"]
    assert set(fan["section"]) == {0}
    assert list(fan.index[fan["split"] == "train"]) == [f"../own/fan/id_00/normal/{n}.wav" for n in range(3)]
    assert fan["anomaly"].tolist() == [1, 0, 0, 0, 0, 0]
    assert list(table["machine"][table["split"] == "train"]) == ["big_pump", *["fan"] * 3]
    assert len(read_manifest(Path("data/manifest.csv"))) == 7


def test_manifest_of_a_flat_folder(workdir: Path):
    for number in range(4):
        write(f"own/{number}.wav", number)
    command("own", "--machine", "mixer")
    assert set(pd.read_csv("data/manifest.csv")["split"]) == {"train"}
    assert set(pd.read_csv("data/manifest.csv")["machine"]) == {"mixer"}
    command("own", "--test-fraction", "0.25", "--out", "other/m.csv")
    table = pd.read_csv("other/m.csv")
    assert table["split"].tolist() == ["train", "train", "train", "test"]
    assert table["machine"].tolist() == ["own"] * 4
    assert table["anomaly"].iloc[3:].isna().all()


def test_a_manifest_is_never_overwritten_unasked(workdir: Path):
    write("own/a.wav")
    Path("data").mkdir()
    Path("data/manifest.csv").write_text("path,machine,split\n")
    command("own")
    before = Path("data/manifest.csv").read_bytes()
    with pytest.raises(UserError, match="--force"):
        command("own", "--machine", "other")
    assert Path("data/manifest.csv").read_bytes() == before
    command("own", "--machine", "other", "--force")
    assert Path("data/manifest.csv").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "is no folder"),
        (["void"], "holds no recordings"),
        (["bad"], "nothing to train on"),
        (["own", "--test-fraction", "1"], "less than 1"),
        (["own", "--machine", "a b"], "--machine is 'a b'"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(words: list[str], message: str, workdir: Path):
    write("own/a.wav")
    write("bad/abnormal/a.wav")
    Path("void").mkdir()
    with pytest.raises(UserError, match=message) as refused:
        command(*words)
    assert "\n" not in str(refused.value)
    assert not Path("data/manifest.csv").exists()


def test_real_recordings_of_a_fan(shared: Path, workdir: Path):
    choose_folder()
    command(str(shared / "real/mimii_fan_id_00"))
    download_stage.main()
    assert index_stage.main() == "1 machines, 40 clips in data/clips.csv"
    metrics = read_json("metrics/index.json")
    assert metrics["clips"] == {"mimii_fan_id_00": {"train": {"source": 10}, "test": {"unknown": 30}}}
    assert metrics["hidden_attributes"] == {"mimii_fan_id_00": True}
    truth = pd.read_csv("data/ground_truth.csv")
    assert truth["anomaly"].value_counts().to_dict() == {0: 20, 1: 20}
    clips = read_clips(CLIPS)
    assert (clips["sample_rate"] == 16000).all()
    assert clips["seconds"].between(9, 11).all()
