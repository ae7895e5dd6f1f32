"""``python -m asd evaluate``: score folders of every year, and each way in which one can be bad."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from asd.__main__ import main
from asd.core.errors import UserError
from asd.datasets.published_labels import read_labels
from asd.evaluation.labelled_scores import labelled_sections
from asd.evaluation.official import official_scores, point_values
from asd.evaluation.official_files import FILE, read_official

CELLS = [(domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")]
STEMS = {
    2020: "{machine}_id_{section}",
    2021: "{machine}_section_{section}_{domain}_test",
    2022: "{machine}_section_{section}",
    2023: "{machine}_section_{section}_test",
    2025: "DCASE2025T2{machine}_section_{section}_test_seed13711_id(0_)_Eval",
}


def made_labels(year, machines=("fan", "ToyCar"), each=4):
    """A label list: its lines, and (machine, domain, given name, true name, score) of every clip."""
    lines, clips = [], []
    for machine in machines:
        lines.append(machine)
        for number in range(4 * each):
            domain, label = CELLS[number % 4]
            given, true = {
                2020: (f"id_01_{number:08d}.wav", f"{label}_id_01_{99 - number:08d}.wav"),
                2021: (
                    f"section_01_{domain}_test_{number:04d}.wav",
                    f"section_01_{domain}_test_{label}_{number:04d}.wav",
                ),
            }.get(
                year,
                (f"section_01_{number:04d}.wav", f"section_01_{domain}_test_{label}_{number:04d}_vel_{number}.wav"),
            )
            lines.append(f"{given},{true}" + (f",{int(label == 'anomaly')}" if year == 2020 else ""))
            score = (7 * number) % 11 + 4 * (label == "anomaly")
            clips.append((machine, domain, given, true, score))
    return lines, clips


def write_folder(year=2023, true_names=False, end="\n", reverse=False, decisions=True):
    """Write labels.csv and the folder ``scores``, as that year's participants did."""
    lines, clips = made_labels(year)
    Path("labels.csv").write_text("\r\n".join(lines) + "\r\n")
    folder = Path("scores")
    folder.mkdir(exist_ok=True)
    texts: dict[str, list[str]] = {}
    for machine, domain, given, true, score in clips:
        stem = STEMS[year].format(machine=machine, section="01", domain=domain)
        name = true if true_names else given
        texts.setdefault(f"anomaly_score_{stem}.csv", []).append(f"{name},{score}")
        if decisions:
            texts.setdefault(f"decision_result_{stem}.csv", []).append(f"{name},{int(score > 8)}")
    for file, rows in texts.items():
        (folder / file).write_text(end.join(rows[::-1] if reverse else rows) + end, newline="")
    return folder


def evaluated(capsys, year=2023, status=0):
    command = f"evaluate --year {year} --labels labels.csv --scores scores --json --resamples 50"
    assert main(command.split()) == status
    said = capsys.readouterr()
    return (json.loads(said.out) if status == 0 else said.out), said.err


@pytest.mark.parametrize("year", STEMS)
def test_names_of_every_year(year, workdir, capsys):
    write_folder(year)
    found, noted = evaluated(capsys, year)
    assert found["year"] == year
    assert list(found["machines"]) == ["ToyCar", "fan"]
    assert 0 < found["official_low"] <= found["official"] <= found["official_high"] <= 100
    section = found["machines"]["fan"]["id_01" if year == 2020 else "section_01"]
    assert ("f1_source" in section) == (year != 2020)  # without domains there are none
    assert "lacks" not in noted
    assert {name: round(value, 2) for name, value in section.items()} == section


def test_every_order_and_either_name_gives_the_same(workdir, capsys):
    write_folder()
    first, _ = evaluated(capsys)
    write_folder(reverse=True)
    assert evaluated(capsys)[0] == first
    write_folder(true_names=True)
    assert evaluated(capsys)[0] == first
    edit(lambda t: t.replace("section", "eval/section").replace(".wav", ""))
    assert evaluated(capsys)[0] == first


def test_windows_line_ends_ties_and_missing_decisions_are_noted_in_a_line_each(workdir, capsys):
    write_folder(end="\r\n", decisions=False)
    Path("scores/README.md").touch()
    found, said = evaluated(capsys)
    lines = said.splitlines()
    assert all(line.startswith("asd: note: ") for line in lines)
    for word in ("CRLF", "share scores", "decision_result", "not read: README.md"):
        assert [line for line in lines if word in line]
    assert "f1_source" not in found
    write_folder()
    assert evaluated(capsys)[0]["official"] == found["official"]


def test_a_reader_that_has_had_enough_is_no_error(workdir):
    write_folder()
    options = ["--year", "2023", "--labels", "labels.csv", "--scores", "scores"]
    asked = subprocess.Popen(
        [sys.executable, "-m", "asd", "evaluate", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    asked.stdout.close()
    assert "Error" not in asked.stderr.read()
    assert asked.wait() == 0


FAN = Path("scores/anomaly_score_fan_section_01_test.csv")


def edit(change):
    FAN.write_text(change(FAN.read_text()))


BAD = {
    "missing machine": (lambda: FAN.unlink(), "lacks the anomaly_score file of fan 01"),
    "missing clip": (lambda: edit(lambda t: t.split("\n", 1)[1]), "lacks 1 of 16 clips: section_01_0000.wav"),
    "extra file": (
        lambda: Path("scores/anomaly_score_pump_section_01_test.csv").write_text("section_01_0000.wav,1\n"),
        "pump section 01, which the labels lack",
    ),
    "two files": (
        lambda: Path("scores/anomaly_score_fan_section_01.csv").write_text(FAN.read_text()),
        "are of the same machine and section",
    ),
    "duplicate line": (
        lambda: edit(lambda t: t + t.splitlines()[0] + "\n"),
        "line 17: section_01_0000.wav is there twice",
    ),
    "both names": (
        lambda: edit(lambda t: t + "section_01_source_test_normal_0000_vel_0.wav,1\n"),
        "line 17: section_01_source_test_normal_0000_vel_0.wav is there twice",
    ),
    "NaN": (lambda: edit(lambda t: t.replace(",0\n", ",nan\n", 1)), "line 1: section_01_0000.wav has nan"),
    "infinity": (lambda: edit(lambda t: t.replace(",0\n", ",-inf\n", 1)), "line 1: section_01_0000.wav has -inf"),
    "columns": (lambda: edit(lambda t: t.replace(",0\n", ",0,5\n", 1)), "line 1 has 3 columns"),
    "semicolon": (lambda: edit(lambda t: t.replace(",", ";")), "line 1 has 1 columns"),
    "header": (lambda: edit(lambda t: "file,score\n" + t), "line 1 is a header"),
    "word": (lambda: edit(lambda t: t.replace(",0\n", ",high\n", 1)), "line 1: 'high' is no number"),
    "unknown clip": (
        lambda: edit(lambda t: t + "section_01_9999.wav,1\n"),
        "line 17: 'section_01_9999.wav' is no clip",
    ),
    "empty file": (lambda: edit(lambda t: ""), "lacks 16 of 16 clips"),
    "decision": (
        lambda: Path("scores/decision_result_fan_section_01_test.csv").write_text(FAN.read_text()),
        "0 or 1 is wanted",
    ),
    "no folder": (lambda: Path("scores").rename("elsewhere"), "is no folder"),
    "no labels": (lambda: Path("labels.csv").unlink(), "can't be read as a label list"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_folder_is_named_in_one_line(how, workdir, capsys):
    write_folder()
    spoil, says = BAD[how]
    spoil()
    out, said = evaluated(capsys, status=2)
    assert out == ""
    assert len([line for line in said.splitlines() if line.startswith("asd: ")]) == len(said.splitlines()) == 1
    assert says in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("section_01_0001.wav,what.wav", "is no clip"),
        ("section_01_0000.wav,section_01_source_test_normal_0009.wav", "has the clip section_01_0000.wav twice"),
        ("section_01_0099.wav,section_01_source_test_normal_0099.wav,1", "is no clip"),  # label and name disagree
    ],
)
def test_bad_labels_are_named(workdir, line, says):
    write_folder()
    with open("labels.csv", "a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=says):
        read_labels(Path("labels.csv"))


def test_labels_that_lack_a_domain_are_named(workdir, capsys):
    write_folder()
    lines = [line.replace("_target_", "_source_") for line in Path("labels.csv").read_text().splitlines()]
    Path("labels.csv").write_text("\n".join(lines))
    assert "lacks the clips for auc_target" in evaluated(capsys, status=2)[1]


@pytest.mark.parametrize(
    ("name", "machine", "section"),
    [
        ("anomaly_score_ToyConveyor_id_04.csv", "ToyConveyor", "04"),
        ("anomaly_score_3DPrinter_section_00_test.csv", "3DPrinter", "00"),
        ("decision_result_DCASE2024T2RoboticArm_section_00_test_seed13711_id(0_)_Eval.csv", "RoboticArm", "00"),
        ("anomaly_score_gearbox_section_05_target_test.csv", "gearbox", "05"),
    ],
)
def test_file_names(name, machine, section):
    found = FILE.fullmatch(name)
    assert (found["machine"], found["section"]) == (machine, section)


SUBMITTED = {1: (93.02, 88.14), 2: (92.78, 87.64), 3: (92.95, 87.40), 4: (92.90, 87.16)}


@pytest.mark.parametrize("system", SUBMITTED)
def test_real_submissions_of_2020(system, shared, capsys):
    lists = shared / "dcase" / "eval_data_list_2020.csv"
    folder = shared / "dcase" / "scores_2020" / f"system_{system}"
    command = [
        "evaluate",
        "--year",
        "2020",
        "--labels",
        str(lists),
        "--scores",
        str(folder),
        "--json",
        "--resamples",
        "20",
    ]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["auc"], found["pauc"]) == SUBMITTED[system]


def test_real_scores_of_2025(shared, capsys):
    """Frozen BEATs iter3+ with the nearest neighbour: 55.8287 in github.com/polestvr/daco-experiments (MIT)."""
    labels = read_labels(shared / "dcase" / "eval_data_list_2025.csv")
    folder = shared / "dcase" / "scores_2025" / "frozen_beats_knn"
    points = point_values(labelled_sections(read_official(folder, labels)[0]), 2025)
    assert official_scores(points, "official", 2025)["frozen_beats_knn"][0] == pytest.approx(0.558287, abs=5e-7)
    options = ["--labels", str(shared / "dcase" / "eval_data_list_2025.csv"), "--scores", str(folder)]
    assert main(["evaluate", "--year", "2025", *options, "--json", "--resamples", "20"]) == 0
    assert json.loads(capsys.readouterr().out)["official"] == 55.83


@pytest.mark.parametrize(
    ("year", "clips"), [(2020, 7103), (2021, 8635), (2022, 4200), (2023, 1400), (2024, 1800), (2025, 1600)]
)
def test_published_label_lists(year, clips, shared):
    labels = read_labels(shared / "dcase" / f"eval_data_list_{year}.csv")
    assert len(labels) == clips
    assert set(labels["domain"]) == ({""} if year == 2020 else {"source", "target"})
    assert set(labels["anomaly"]) == {0, 1}
