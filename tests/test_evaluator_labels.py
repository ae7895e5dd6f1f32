"""Ground truth of the organisers' evaluators: read in every year's form, and held against the published lists."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.__main__ import main
from asd.core.fetch import digest_of
from asd.datasets.evaluator_labels import LABEL_COLUMNS, read_evaluator
from asd.datasets.published_labels import label_differences, read_labels
from asd.datasets.years import published_tables, years

WRONG = {2022: {"ToyCar": (296, 292), "ToyTrain": (312, 300)}}  # labels, domains


def write(place: str, *lines: str, end: str = "\n") -> Path:
    path = Path("evaluator", place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(end.join(lines) + end, newline="")
    return path


def fan(folders: str = "ground_truth_", **more) -> Path:
    """An evaluator of one section of four clips."""
    names = [f"section_03_{i:04d}.wav" for i in range(4)]
    write(f"{folders}data/ground_truth_fan_section_03_test.csv", *[f"{n},{i % 2}" for i, n in enumerate(names)], **more)
    write(
        f"{folders}domain/ground_truth_fan_section_03_test.csv",
        *[f"{n},{i // 2}" for i, n in reversed(list(enumerate(names)))],
        **more,
    )
    return Path("evaluator")


def content(labels: pd.DataFrame) -> list[tuple[str, int, str]]:
    return list(labels[["name", "anomaly", "domain"]].itertuples(index=False, name=None))


FAN = [
    ("section_03_0000.wav", 0, "source"),
    ("section_03_0001.wav", 1, "source"),
    ("section_03_0002.wav", 0, "target"),
    ("section_03_0003.wav", 1, "target"),
]


@pytest.mark.parametrize("folders", ["ground_truth_", ""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_and_domains_are_joined_by_name(folders, end, workdir):
    labels = read_labels(fan(folders, end=end))
    assert list(labels.columns) == list(LABEL_COLUMNS)
    assert content(labels) == FAN
    assert set(zip(labels["machine"], labels["section"], strict=True)) == {("fan", "03")}
    assert (labels["true_name"] == labels["name"]).all()


def test_names_of_2021_tell_the_domain(workdir):
    for domain in ("source", "target"):
        names = [f"section_03_{domain}_test_{i:04d}.wav" for i in range(2)]
        write(f"ground_truth_data/ground_truth_fan_section_03_{domain}_test.csv", f"{names[0]},0", f"{names[1]},1")
    assert content(read_labels(Path("evaluator"))) == [
        (f"section_03_{domain}_test_000{i}.wav", i, domain) for domain in ("source", "target") for i in range(2)
    ]


def test_2020_has_no_domains(workdir):
    write("ground_truth_data/ground_truth_ToyCar_id_05.csv", "id_05_00000000.wav,1", "id_05_00000001.wav,0")
    assert content(read_labels(Path("evaluator"))) == [("id_05_00000000.wav", 1, ""), ("id_05_00000001.wav", 0, "")]


TRUE = [
    f"section_03_{domain}_{word}{label}_000{i}_vel_{i}"
    for i, (domain, label, word) in enumerate(
        [
            ("source", "normal", "test_"),
            ("source", "anomaly", ""),
            ("target", "normal", "test_"),
            ("target", "anomaly", ""),
        ]
    )
]


@pytest.mark.parametrize("form", ["2022", "2024"])
def test_true_names_give_attributes(form, workdir):
    fan()
    if form == "2022":
        rows = [f"fan/test/{name},vel,{i},fan/test/{TRUE[i]}.wav" for i, (name, _, _) in enumerate(FAN)]
        write("ground_truth_attributes/fan/attributes_03.csv", "file_name,d1p,d1v,file_name_with_attributes", *rows)
    else:
        rows = [f"{name},{TRUE[i]}" for i, (name, _, _) in enumerate(FAN)]
        write("ground_truth_attributes/ground_truth_fan_section_03_test.csv", *rows)
    truth = read_evaluator(Path("evaluator"))
    assert truth.contradictory == []
    assert list(truth.labels["attributes"]) == [f"vel={i}" for i in range(4)]
    assert list(truth.labels["true_name"]) == [f"{name}.wav" for name in TRUE]


@pytest.mark.parametrize("change", [("normal", "anomaly"), ("source", "target"), ("section_03", "section_04")])
def test_true_names_that_contradict_the_labels_are_not_taken(change, workdir):
    fan()
    rows = [f"{name},{TRUE[i] if i else TRUE[i].replace(*change)}" for i, (name, _, _) in enumerate(FAN)]
    write("ground_truth_attributes/ground_truth_fan_section_03_test.csv", *rows)
    truth = read_evaluator(Path("evaluator"))
    assert truth.contradictory == [("fan", "03")]
    assert content(truth.labels) == FAN
    assert set(truth.labels["attributes"]) == {""}


def test_a_true_name_of_two_clips_is_not_taken(workdir):
    names = [f"section_03_source_test_000{i}.wav" for i in range(2)]
    write("data/ground_truth_fan_section_03_source_test.csv", *[f"{name},0" for name in names])
    for index, contradictory in ((1, []), (0, [("fan", "03")])):
        true = [f"section_03_source_test_normal_000{i}_vel_1" for i in (0, index)]
        rows = [f"{name},{other}" for name, other in zip(names, true, strict=True)]
        write("attributes/ground_truth_fan_section_03_test.csv", *rows)
        truth = read_evaluator(Path("evaluator"))
        assert truth.contradictory == contradictory
        assert set(truth.labels["attributes"]) == {"" if contradictory else "vel=1"}


DATA, DOMAIN = (f"ground_truth_{kind}/ground_truth_fan_section_03_test.csv" for kind in ("data", "domain"))
BAD = {
    "no folders": (
        lambda: Path("evaluator/ground_truth_data").rename("evaluator/else"),
        "holds neither ground_truth_data/",
    ),
    "no tables": (lambda: Path("evaluator", DATA).unlink(), "holds no ground_truth_<machine>"),
    "no domain": (lambda: Path("evaluator", DOMAIN).unlink(), "lacks the domain of fan section_03_0000.wav"),
    "one domain": (lambda: write(DOMAIN, "section_03_0000.wav,0"), "lacks the domain of fan section_03_0001.wav"),
    "one label": (lambda: write(DATA, "section_03_0000.wav,0"), "lacks section_03_0003.wav, which has a domain"),
    "word": (lambda: write(DATA, "section_03_0000.wav,normal"), "line 1: 'section_03_0000.wav,normal' is no clip"),
    "half": (lambda: write(DOMAIN, "section_03_0000.wav,0.5"), "line 1: 'section_03_0000.wav,0.5' is no clip"),
    "columns": (lambda: write(DATA, "section_03_0000.wav,0,1"), "line 1: 'section_03_0000.wav,0,1' is no clip"),
    "header": (lambda: write(DATA, "name,0"), "line 1: 'name' is no name of a clip"),
    "twice": (lambda: write(DATA, *["section_03_0000.wav,0"] * 2), "line 2: section_03_0000.wav is there twice"),
    "bytes": (lambda: Path("evaluator", DATA).write_bytes(b"\xff\xfe,1\n"), "can't be read as a table"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_folder_is_named_in_one_line(how, workdir, capsys):
    fan()
    spoil, says = BAD[how]
    spoil()
    assert main(["evaluate", "--year", "2022", "--labels", "evaluator", "--scores", "scores"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert says in said


CELLS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


@given(CELLS, CELLS)
def test_differences_are_counted_clip_by_clip(one, other):
    def labels(cells):
        rows = [
            ("fan", "00", f"section_00_{i:04d}", "", int(anomaly), "target" if target else "source", "")
            for i, (anomaly, target) in enumerate(cells)
        ]
        return pd.DataFrame(rows, columns=list(LABEL_COLUMNS)).sample(frac=1, random_state=0)

    found = label_differences(labels(one), labels(other)).loc["fan"]
    assert found["clips"] == max(len(one), len(other))
    assert found["one_only"] == max(len(one) - len(other), 0)
    assert found["other_only"] == max(len(other) - len(one), 0)
    pairs = list(zip(one, other, strict=False))
    assert found["anomaly"] == sum(a[0] != b[0] for a, b in pairs)
    assert found["domain"] == sum(a[1] != b[1] for a, b in pairs)


@pytest.mark.parametrize("number", [2020, 2021, 2022, 2023, 2024, 2025])
def test_lists_and_evaluators_agree(number, shared):
    """But for 2022's ToyCar and ToyTrain; an evaluator at hand may lack machines."""
    folder = shared / "dcase" / f"ground_truth_{number}"
    if not folder.is_dir():
        pytest.skip(f"no ground truth of {number} at {folder}: put the evaluator's folder there")
    found = label_differences(read_labels(shared / "dcase" / f"eval_data_list_{number}.csv"), read_labels(folder))
    assert len(found)
    assert (found[["one_only", "other_only"]] == 0).all(axis=None)
    wrong = found.loc[(found[["anomaly", "domain"]] != 0).any(axis=1), ["anomaly", "domain"]]
    expected = {machine: counts for machine, counts in WRONG.get(number, {}).items() if machine in found.index}
    assert {machine: tuple(row) for machine, row in wrong.T.to_dict("list").items()} == expected


def test_wrong_labels_are_counted_in_the_registry():
    counts = {number: {machine: n for machine, (n, _) in machines.items()} for number, machines in WRONG.items()}
    assert {number: year.wrong for number, year in years().items() if year.wrong} == counts


def test_the_registry_pins_the_ground_truth_at_hand(shared):
    pins = {table.place: table.sha256 for table in published_tables(years()[2022], "eval", "all")}
    assert len([place for place in pins if "ground_truth_" in place]) == 63
    assert all(len(pin) == 64 for pin in pins.values())
    files = sorted((shared / "dcase/ground_truth_2022").rglob("*.csv"))
    assert files
    for file in files:
        place = f"dcase2022_evaluator/ground_truth_{file.parent.name}/{file.name}"
        assert digest_of(file, "sha256") == f"sha256:{pins[place]}"


def test_labels_of_2026_are_three_tables_a_machine():
    tables = published_tables(years()[2026], "eval", "Sander+ToyDrone")
    assert [table.url.rpartition("/dcase2026_task2_evaluator/")[2] for table in tables] == [
        f"f6a94a2b5e614a9626c9d1ccff6df0705e6aaa75/ground_truth_{kind}/ground_truth_{machine}_section_00_test.csv"
        for machine in ("ToyDrone", "Sander")
        for kind in ("data", "domain", "attributes")
    ]
    assert not published_tables(years()[2026], "dev", "all")


def scores_like(truth: pd.DataFrame, folder: Path) -> None:
    """Write score files that follow the labels, with a little noise."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    for (machine, section), clips in truth.groupby(["machine", "section"]):
        rows = [
            f"{name},{score:.4f}"
            for name, score in zip(clips["name"], clips["anomaly"] + draw.normal(0, 0.3, len(clips)), strict=True)
        ]
        (folder / f"anomaly_score_{machine}_section_{section}_test.csv").write_text("\n".join(rows) + "\n")


def figures_2022(labels: Path, capsys) -> tuple[dict, str]:
    command = [
        "evaluate",
        "--year",
        "2022",
        "--labels",
        str(labels),
        "--scores",
        "scores",
        "--json",
        "--resamples",
        "20",
    ]
    assert main(command) == 0
    said = capsys.readouterr()
    machines = json.loads(said.out)["machines"]
    return {machine: figures["auc"] for machine, figures in machines.items()}, said.err


@pytest.mark.slow
def test_scores_that_follow_the_truth_of_2022_by_list_and_by_evaluator(shared, workdir, capsys):
    evaluator = shared / "dcase/ground_truth_2022"
    truth = read_labels(evaluator)
    scores_like(truth, Path("scores"))
    lines, machine = [], ""
    for line in (shared / "dcase/eval_data_list_2022.csv").read_text(encoding="utf-8-sig").splitlines():
        machine = line if "," not in line else machine
        lines += [line] if machine in set(truth["machine"]) else []
    Path("list.csv").write_text("\n".join(lines) + "\n")
    right, quiet = figures_2022(evaluator, capsys)
    wrong, noted = figures_2022(Path("list.csv"), capsys)
    assert min(right.values()) > 95
    assert wrong["bearing"] == right["bearing"]
    assert all(40 < wrong[machine] < 60 for machine in ("ToyCar", "ToyTrain"))
    assert "wrong labels" not in quiet
    note = next(line for line in noted.splitlines() if "wrong labels" in line)
    assert note == (
        "asd: note: the organisers' list of 2022 has wrong labels (ToyCar 296 of 600, ToyTrain 312 of 600 clips): "
        "give --labels the folder of their evaluator, https://github.com/Kota-Dohi/dcase2022_evaluator"
    )
