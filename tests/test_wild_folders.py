"""Folders as people have them: words, names in any script, links, what systems hide, and names that are no text."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, posix
from test_folder import choose_folder, command, write

from asd.__main__ import main
from asd.cli.score import _files
from asd.core.clips import read_clips
from asd.core.errors import UserError
from asd.core.project import CLIPS
from asd.datasets.folder import read_manifest
from asd.datasets.folder_layouts import read_layout
from asd.datasets.machine_names import names_of, sanitised
from asd.datasets.trees import read_tree
from asd.evaluation.official_files import FILE, section_stem
from asd.features.store import FeatureStore
from asd.recordings import machine_of
from stages import download, features, index


def touch(*files: str) -> None:
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()


def placed(folder: str = "own") -> dict[str, tuple[str, ...]]:
    """Machine, split and label of each recording by its path."""
    table = read_layout(Path(folder)).table
    return {
        path.removeprefix(f"{folder}/"): tuple(row)
        for path, *row in table[["path", "machine", "split", "anomaly"]].to_numpy()
    }


NORMAL, FAULTY = ("fan", "", "0"), ("fan", "test", "1")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("OK", "NG"),
        ("Good", "Defective"),
        ("iO", "niO"),
        ("gut", "defekt"),
        ("正常", "異常"),
        ("정상", "고장"),
        ("bon", "Défaut"),
    ],
)
def test_words_are_understood_wherever_they_stand(good: str, bad: str, workdir: Path):
    touch(f"own/fan/{good}/a.wav", f"own/fan/{bad}_01/b.wav")
    assert placed() == {f"fan/{good}/a.wav": NORMAL, f"fan/{bad}_01/b.wav": FAULTY}
    touch(f"glued/fan_{good}/a.wav", f"glued/fan_{bad}/b.wav")
    assert placed("glued") == {f"fan_{good}/a.wav": NORMAL, f"fan_{bad}/b.wav": FAULTY}
    touch(f"files/fan/{good}_1.wav", f"files/fan/{bad}_1.wav")
    assert placed("files") == {f"fan/{good}_1.wav": NORMAL, f"fan/{bad}_1.wav": FAULTY}


TREES = {
    "capitals": {"fan/Train/a.wav": ("fan", "train", ""), "fan/TEST/a.wav": ("fan", "test", "")},
    "both": {
        "fan/train/good/a.wav": ("fan", "train", "0"),
        "fan/test/good/a.wav": ("fan", "test", "0"),
        "fan/test/bad/a.wav": FAULTY,
        "fan/train/bad/a.wav": FAULTY,  # it never trains
    },
    "labels on top": {
        "OK/fan/a.wav": ("fan", "", "0"),
        "OK/pump/a.wav": ("pump", "", "0"),
        "NG/fan/a.wav": FAULTY,
    },
    "splits on top": {"train/fan/a.wav": ("fan", "train", ""), "test/fan/a.wav": ("fan", "test", "")},
    "sessions": {"OK/monday/a.wav": ("own", "", "0"), "NG/friday/a.wav": ("own", "test", "1")},
    "numbers": {"OK_01/a.wav": ("own", "", "0"), "OK_02/a.wav": ("own", "", "0"), "NG_01/a.wav": ("own", "test", "1")},
    "pairs": {"fan_train/a.wav": ("fan", "train", ""), "fan_test/a.wav": ("fan", "test", "")},
    "a rig": {"test_rig/a.wav": ("test_rig", "", ""), "ToyTrain/a.wav": ("ToyTrain", "", "")},
    "parts": {
        "bottle/train/good/a.wav": ("bottle", "train", "0"),
        "bottle/test/broken_large/a.wav": ("bottle", "test", "1"),
        "bottle/test/odd/a.wav": ("bottle", "test", ""),  # says no label, and tests
    },
    "a rig with labels": {
        "fault_rig/ok/a.wav": ("fault_rig", "", "0"),
        "fault_rig/ng/a.wav": ("fault_rig", "test", "1"),
    },
}


@pytest.mark.parametrize("tree", TREES)
def test_trees_of_words_and_machines(tree: str, workdir: Path):
    touch(*(f"own/{file}" for file in TREES[tree]))
    assert placed() == TREES[tree]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["fan/OK/a.wav", "fan/Zustand3/a.wav"], "own/fan/Zustand3 stands beside own/fan/OK (normal)"),
        (["fan/NG/a.wav", "fan/Zustand3/a.wav"], "own/fan/Zustand3 stands beside own/fan/NG (anomalous)"),
        (["fan/Train/a.wav", "fan/Val/a.wav"], "own/fan/Val stands beside own/fan/Train (training)"),
        (["fan/train/OK/a.wav", "fan/train/x/a.wav"], "own/fan/train/x stands beside own/fan/train/OK"),
        (["fan_ok/a.wav", "fan_3/deep/a.wav"], "own/fan_3 stands beside own/fan_ok"),
        (["fan/NG_1.wav", "fan/1.wav"], "own/fan/1.wav says neither normal nor faulty in its name"),
        (["fault_rig/normal/a.wav", "fault_rig/inner/a.wav"], "own/fault_rig/inner stands beside own/fault_rig/normal"),
        (["fan/OK/NG/a.wav"], "fan/OK/NG says both normal and faulty"),
        (["fan/OK/faulty_3/a.wav"], "fan/OK/faulty_3 says both normal and faulty"),
        (["faulty/a.wav", "faulty/b.wav"], "no normal recording (2 were taken for faulty)"),
    ],
)
def test_what_may_be_faulty_never_trains_unasked(files: list[str], says: str, workdir: Path, capsys):
    touch(*(f"own/{file}" for file in files))
    assert main(["manifest", "own"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("asd: ")
    assert len(said.splitlines()) == 1
    assert not Path("data").exists()


@pytest.mark.parametrize("known", [("OK", "NG"), ("train", "test"), ("train/OK", "train/NG")])
def test_what_says_nothing_beside_both_is_left_out_and_named(known: tuple[str, str], workdir: Path, capsys):
    other = "train/x" if "/" in known[0] else "x"
    for seed, name in enumerate([*known, other]):
        write(f"own/fan/{name}/a.wav", seed)
    assert command("own", "--test-fraction", "0") == 0
    assert f"left out: own/fan/{other} stands beside" in capsys.readouterr().out
    assert not pd.read_csv("data/manifest.csv")["path"].str.contains("/x/").any()


def test_the_manifest_says_what_it_took_for_what(workdir: Path, capsys):
    for number in range(3):
        write(f"own/fan/OK/{number}.wav", number)
        write(f"own/fan/NG/{number}.wav", 10 + number)
    command("own")
    said = capsys.readouterr().out
    assert "NG: taken for anomalous, 3 recordings\nOK: taken for normal, 3 recordings\n" in said
    first = Path("data/manifest.csv").read_text().splitlines()[:4]
    assert "first lines of data/manifest.csv:\n" + "\n".join(first) in said


MACHINES = [
    "ポンプ",
    "バルブ",
    "Lüfter",
    "Läfter",
    "насос",
    "펌프",
    "ปั๊ม",
    "मशीन",
    "fan 1",
    "fan_1",
    "Fan_1",
    "a/b_c",
    "a_b/c",
]


def test_every_folder_is_a_machine_of_its_own_to_the_features(workdir: Path, capsys):
    for number, name in enumerate(MACHINES):
        write(f"own/{name}/normal/a.wav", number)
    choose_folder()
    command("own")
    said = capsys.readouterr().out
    assert "machine fan 1 is called fan_1-" in said
    assert len(set(read_layout(Path("own")).table["machine"].str.casefold())) == len(MACHINES)
    download.main()
    assert index.main() == f"{len(MACHINES)} machines, {len(MACHINES)} clips in data/clips.csv"
    names = set(read_clips(CLIPS)["machine"])
    assert names >= {"ポンプ", "バルブ", "Lüfter", "Läfter", "насос", "펌프", "ปั๊ม", "मशीन", "Fan_1", "a_b_c"}
    features.main("log_mel")
    assert set(FeatureStore("data/features/log_mel/train").machines) == names
    for name in names:
        match = FILE.fullmatch(f"anomaly_score_{section_stem(name, '00', '', 2025)}.csv")
        assert (match["machine"], match["section"]) == (name, "00")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["dataset"]["machines"] = "ポンプ+मशीन"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    assert download.main() == "2 machines, 2 recordings in data/raw"


def test_names_are_composed_and_files_found_in_either_form(workdir: Path):
    composed, parted = (unicodedata.normalize(form, "Lüfter") for form in ("NFC", "NFD"))
    write(f"own/{parted}/normal/ü.wav".replace("ü", unicodedata.normalize("NFD", "ü")))
    command("own")
    assert set(pd.read_csv("data/manifest.csv")["machine"]) == {composed}
    Path("m.csv").write_text(f"path,machine,split\nown\\{composed}\\normal\\ü.wav,{parted},train\n", encoding="utf-8")
    table = read_manifest(Path("m.csv"))
    assert table["machine"].to_list() == [composed]
    assert Path(table["path"][0]).is_file()
    assert machine_of(Path(f"new/{parted}/1.wav"), ["fan", composed]) == composed


def test_two_forms_of_a_name_are_two_machines(workdir: Path):
    names = [unicodedata.normalize(form, "Lüfter") for form in ("NFC", "NFD")]
    assert sorted(names_of([(name,) for name in names], [], "own").values()) == ["Lüfter", "Lüfter-2"]
    assert sanitised("x" * 500) == "x" * 120
    assert sanitised(" \n") == "_"


def test_one_machine_of_the_challenge_in_two_folders_is_two(workdir: Path):
    name = "train/section_00_source_train_normal_0000.wav"
    touch(f"own/first/fan/{name}", f"own/second/fan/{name}", f"own/second/pump/{name}")
    assert set(read_layout(Path("own")).table["machine"]) == {"fan", "second_fan", "pump"}


@posix
def test_links_are_read_once_and_circles_end(workdir: Path, capsys):
    for number, label in enumerate(["normal", "abnormal"]):
        write(f"store/unit 7/{label}/{number}.wav", number)
        write(f"own/pump/{label}/{number}.wav", 10 + number)
    Path("own/fan").symlink_to("../store/unit 7")
    Path("own/again").symlink_to("pump")
    Path("own/pump/up").symlink_to("..")
    Path("own/pump/normal/x.wav").symlink_to("nowhere.wav")
    Path("own/pump/normal/twice.wav").symlink_to("0.wav")
    Path("own/one").symlink_to("two")
    Path("own/two").symlink_to("one")
    layout = read_layout(Path("own"))
    assert layout.table["machine"].to_list() == ["fan", "fan", "pump", "pump"]
    assert layout.table["path"].str.startswith("own/").all()
    notes = "\n".join(layout.notes)
    for said in (
        "already: own/again, own/pump/up",
        "nowhere: own/pump/normal/x.wav",
        "already: own/pump/normal/twice.wav",
    ):
        assert said in notes
    assert command("own") == 0
    assert len(read_manifest(Path("data/manifest.csv"))) == 4
    assert len(_files(Path("own"))) == 4
    assert machine_of(Path("own/fan/normal/0.wav"), ["fan", "pump"]) == "fan"


@posix
def test_a_linked_machine_of_the_challenge_keeps_the_name_of_the_link(workdir: Path):
    touch("store/x1/train/section_00_source_train_normal_0000.wav")
    Path("own").mkdir()
    Path("own/valve").symlink_to("../store/x1")
    assert set(read_layout(Path("own")).table["machine"]) == {"valve"}


SYSTEM = [".trash", ".git", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle"]


@pytest.mark.parametrize("name", SYSTEM)
def test_what_systems_hide_is_left_out_and_named(name: str, workdir: Path, capsys):
    write("own/fan/normal/a.wav")
    touch(f"own/{name}/normal/a.wav", f"own/fan/normal/{name}/b.wav", "own/fan/normal/._a.wav")
    assert command("own") == 0
    assert f"left out, hidden folders: own/{name}, own/fan/normal/{name}" in capsys.readouterr().out
    assert [file.name for file in _files(Path("own"))] == ["a.wav"]
    said = capsys.readouterr().err
    assert said == f"asd: note: left out, hidden folders: own/{name}, own/fan/normal/{name}\n"
    assert main(["check", "own"]) == 0
    assert read_tree(Path("own") / name / "normal").recordings  # asked for by name


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
@pytest.mark.parametrize("asked", ["manifest own", "check own"])
def test_names_that_are_no_text_are_refused_in_one_line(asked: str, workdir: Path, capsys):
    write("own/fan/normal/a.wav")
    bad = os.fsdecode(b"own/fan/normal/L\xfcfter.txt")
    Path(bad).touch()
    assert main([*asked.split()]) == 0  # no recording
    Path("data/manifest.csv").unlink(missing_ok=True)
    Path(bad).rename(bad.replace(".txt", ".wav"))
    capsys.readouterr()
    assert main([*asked.split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("asd: own/fan/normal/L\\udcfcfter.wav has a name that is not UTF-8")
    assert len(said.splitlines()) == 1


@posix
def test_a_line_break_in_a_name_is_refused(workdir: Path):
    touch("own/fan/normal/a\nb.wav")
    with pytest.raises(UserError, match="line break") as refused:
        read_tree(Path("own"))
    assert "\n" not in str(refused.value)


def test_a_terminal_that_lacks_the_letters_gets_escapes(workdir: Path):
    write("own/ポンプ/normal/a.wav")
    asked = [sys.executable, "-m", "asd", "manifest", "own"]
    terminal = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(asked, env=terminal, capture_output=True, check=True)
    assert b"\\u30dd\\u30f3\\u30d7" in ran.stdout
    assert set(pd.read_csv("data/manifest.csv")["machine"]) == {"ポンプ"}


STAMPS = [  # names; what is said of their times
    (["sn_20260131093000", "sn_31-01-2026_0940", "sn_1769853000"], "those without are taken for UTC"),
    (["20260301T090000+0200", "20260301T080000Z"], "2026-03-01T07:00:00Z to 2026-03-01T08:00:00Z"),
    (["28.02.2026_1", "02.03.2026_1"], "2026-02-28T00:00:00 to 2026-03-02T00:00:00"),
    (
        ["sn_20260131093000", "sn_20231234_567899"],
        "no times of fan: sn_20231234_567899 is no time; the order is that of",
    ),
    (["02-03-2026_0900", "03-03-2026_0900"], "no times of fan: 02-03-2026_0900 leaves open which number is the day"),
]


@pytest.mark.parametrize(("names", "says"), STAMPS)
def test_times_of_names_are_read_or_said_not_to_be(names: list[str], says: str, workdir: Path, capsys):
    for number, name in enumerate(names):
        write(f"own/fan/normal/{name}.wav", number)
    command("own")
    assert says in capsys.readouterr().out
    table = read_manifest(Path("data/manifest.csv"))
    is_read = not says.startswith("no times")
    assert (table["time"] != "").all() == is_read
    if is_read:
        trains = table["path"][table["split"] == "train"]
        assert trains.str.contains(names[0], regex=False).any()
        assert not trains.str.contains(names[-1], regex=False).any()


def test_a_serial_number_is_no_time(workdir: Path):
    touch("own/fan/normal/1234567890_a.wav", "own/fan/normal/1234567890_b.wav")
    assert set(read_layout(Path("own")).table["time"]) == {""}
