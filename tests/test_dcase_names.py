from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.core.errors import UserError
from asd.datasets.attributes import attributes_of_name, read_attributes, stem
from asd.datasets.dcase import Name, parse_name, recordings

SECTIONS = st.integers(0, 99).map("{:02d}".format)
INDICES = st.integers(0, 9999)
ATTRIBUTES = st.none() | st.text("abcXYZ0123456789.-_", max_size=20)
DEVELOPMENT = st.builds(
    Name,
    section=SECTIONS,
    split=st.sampled_from(["train", "test"]),
    domain=st.sampled_from(["source", "target"]),
    kind=st.just("machine"),
    anomaly=st.sampled_from([0, 1]),
    index=INDICES,
    attributes=ATTRIBUTES,
)
SUPPLEMENTAL = st.builds(
    Name,
    section=SECTIONS,
    split=st.just("supplemental"),
    domain=st.sampled_from(["source", "target", "unknown"]),
    kind=st.sampled_from(["clean", "noise"]),
    anomaly=st.none(),
    index=INDICES,
    attributes=ATTRIBUTES,
)
LISTED = st.builds(  # RoboticArm in the list of 2024
    Name, SECTIONS, st.just(""), st.sampled_from(["source", "target"]), st.just("machine"), st.sampled_from([0, 1]),
    INDICES, ATTRIBUTES,
)  # fmt: skip
OF_DOMAIN = st.builds(  # the evaluation set of 2021
    Name, SECTIONS, st.just("test"), st.sampled_from(["source", "target"]), st.just("machine"), st.none(), INDICES
)
OF_2020 = st.builds(
    lambda section, anomaly, index: Name(
        section, "test" if anomaly is None else "", "unknown", "machine", anomaly, index, word="id"
    ),
    SECTIONS,
    st.sampled_from([None, 0, 1]),
    st.integers(0, 99_999_999),
)
EVALUATION = st.builds(Name, SECTIONS, st.just("test"), st.just("unknown"), st.just("machine"), st.none(), INDICES)


@given(DEVELOPMENT | SUPPLEMENTAL | EVALUATION | LISTED | OF_DOMAIN | OF_2020)
def test_a_name_survives_writing_and_reading(name: Name):
    assert parse_name(str(name)) == name
    assert str(parse_name(str(name))) == str(name)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "section_00_target_test_anomaly_0007_vel_6_loc_A.wav",
            Name("00", "test", "target", "machine", 1, 7, "vel_6_loc_A"),
        ),
        (
            "section_00_source_train_normal_0012_noAttribute.wav",
            Name("00", "train", "source", "machine", 0, 12, "noAttribute"),
        ),
        (
            "section_00_source_train_normal_0001_car_A1_spd_28V_mic_1_noise_1.wav",
            Name("00", "train", "source", "machine", 0, 1, "car_A1_spd_28V_mic_1_noise_1"),
        ),
        ("section_00_machine_0001_.wav", Name("00", "supplemental", "unknown", "clean", None, 1, "")),
        (
            "section_00_noise_source_0003_noAttribute.wav",
            Name("00", "supplemental", "source", "noise", None, 3, "noAttribute"),
        ),
        (
            "section_00_machine_source_0003_car_A1_noise_1.wav",
            Name("00", "supplemental", "source", "clean", None, 3, "car_A1_noise_1"),
        ),
        ("section_00_0199.wav", Name("00", "test", "unknown", "machine", None, 199)),
        ("normal_id_06_00000012.wav", Name("06", "", "unknown", "machine", 0, 12, word="id")),
        ("id_05_00001099.wav", Name("05", "test", "unknown", "machine", None, 1099, word="id")),
        ("section_03_target_test_0042.wav", Name("03", "test", "target", "machine", None, 42)),
        (
            "section_00_source_anomaly_0000_weight500_BckgA.wav",
            Name("00", "", "source", "machine", 1, 0, "weight500_BckgA"),
        ),
    ],
)
def test_names_as_published(file: str, said: Name):
    assert parse_name(file) == said


@pytest.mark.parametrize("file", ["0001.wav", "section_0_0001.wav", "section_00_0001.flac", "section_00_00001.wav"])
def test_other_names_are_refused_in_one_line(file: str):
    with pytest.raises(UserError, match="no DCASE file name") as refused:
        parse_name(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("car_A1_spd_28V_mic_1_noise_1", "car=A1;spd=28V;mic=1;noise=1"),
        ("v1pat_04_v2pat_05", "v1pat=04;v2pat=05"),
        ("pat_00_panel_bs-c", "pat=00;panel=bs-c"),
        ("spd1900_BckgE", "spd=1900;Bckg=E"),
        ("mic_imp34dt05_mic_pos_A_grind_100_bkg_A", "mic=imp34dt05;mic_pos=A;grind=100;bkg=A"),
        ("strength_1_ambient", "strength=1;attribute=ambient"),
        ("ac_0.03_", "ac=0.03"),
        ("slow", "attribute=slow"),
        ("", ""),
        (None, ""),
        ("noAttribute", ""),
    ],
)
def test_attributes_of_names(text: str | None, attributes: str):
    assert attributes_of_name(text) == attributes


@given(st.text("abcXYZ0123456789.-_", max_size=30))
def test_any_attributes_are_pairs(text: str):
    pairs = attributes_of_name(text).split(";")
    assert all(pair == "" or pair.count("=") == 1 for pair in pairs)


def test_stems_keep_the_dots_of_values():
    whole = "section_00_source_train_normal_0000_volt_1.5"
    assert {stem(f"gearbox/train/{whole}.wav"), stem(rf"gearbox\train\{whole}.wav"), stem(whole)} == {whole}


def test_the_three_flavours_of_attribute_tables(tmp_path: Path):
    table = tmp_path / "attributes_00.csv"
    table.write_text("file_name,d1p,d1v,d2p,d2v\nfan/train/section_00_source_train_normal_0000_x.wav,m,A,rpm,1200\n")
    assert read_attributes(table) == {"section_00_source_train_normal_0000_x": "m=A;rpm=1200"}
    table.write_text("file_name,d1p,d1v,d2p,d2v\nsection_00_source_train_normal_0000_x,car,A1,,\n")
    assert read_attributes(table) == {"section_00_source_train_normal_0000_x": "car=A1"}
    table.write_text("file_name\nslider/train/section_00_source_train_normal_0000_noAttribute.wav\n")
    assert read_attributes(table) == {}


def test_recordings_of_a_layout(tmp_path: Path):
    files = {
        "train/section_00_source_train_normal_0000_spd_1_noise_1.wav",
        "train/section_00_target_train_normal_0000_x.wav",
        "supplemental/section_00_noise_0000_.wav",
        "test/section_00_0000.wav",
    }
    for file in files:
        (tmp_path / "raw/ToyCar" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw/ToyCar" / file).touch()
    (tmp_path / "raw/ToyCar/attributes_00.csv").write_text(
        "file_name,d1p,d1v\nsection_00_target_train_normal_0000_x,spd,9\n"
    )
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth/attributes.csv").write_text("file,attributes\nToyCar/test/section_00_0000.wav,spd=9\n")
    table = recordings(tmp_path / "raw", tmp_path / "truth")
    seen = table[["split", "domain", "kind", "attributes", "anomaly", "true_attributes"]].to_numpy().tolist()
    assert seen == [
        ["train", "source", "machine", "spd=1;noise=1", "0", "spd=1;noise=1"],
        ["train", "target", "machine", "spd=9", "0", "spd=9"],
        ["test", "unknown", "machine", "", "", "spd=9"],
        ["supplemental", "source", "noise", "", "0", ""],
    ]


def test_the_organisers_own_names(shared: Path):
    """Every name of the published lists and tables parses and is written the same."""
    tables = sorted((shared / "dcase/ground_truth_attributes").rglob("*.csv"))
    names = [name for table in tables for line in table.read_text().splitlines()[1:] for name in line.split(",")[:2]]
    for labels in sorted((shared / "dcase").glob("eval_data_list_*.csv")):
        lines = labels.read_text(encoding="utf-8-sig").splitlines()
        names += [name for line in lines if "," in line for name in line.split(",")[:2]]
    assert len(names) > 70_000
    assert [name for name in names if str(parse_name(name)) != name] == []


def test_a_name_in_the_wrong_folder_is_refused(tmp_path: Path):
    for place, name in (("train", "anomaly_id_00_00000000.wav"), ("test", "section_00_source_train_normal_0000.wav")):
        file = tmp_path / place / "fan" / place / name
        file.parent.mkdir(parents=True)
        file.touch()
        with pytest.raises(UserError, match=f"can't stand in {place}/"):
            recordings(tmp_path / place, tmp_path)
