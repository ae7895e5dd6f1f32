"""Every year from a server in the real layout to the clip table, with the labels that were published."""

import hashlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from challenge_server import Server, Years, zipped

from asd.core.artifacts import read_json
from asd.core.clips import read_clips
from asd.core.errors import UserError
from asd.core.project import CLIPS
from asd.datasets import archives, origins
from asd.datasets import years as years_module
from asd.datasets.years import years
from stages import download as download_stage
from stages import index as index_stage

SOME = {  # machines for a quick look
    2020: "valve",
    2021: "gearbox",
    2022: "bearing",
    2023: "bandsaw",
    2024: "AirCompressor+BrushlessMotor+RoboticArm",
    2025: "AutoTrash+HomeCamera",
    2026: "Sander",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    monkeypatch.setattr(origins, "ZENODO", server.url)
    monkeypatch.setitem(years_module._content(), "raw", f"{server.url}/raw/{{file}}")
    yield server
    server.http.shutdown()


@pytest.fixture
def all_years(server: Server, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Years:
    for file in (shared / "dcase").rglob("*.csv"):
        server.raw[f"datasets/{file.relative_to(shared / 'dcase').as_posix()}"] = file.read_bytes()
    made = Years(shared)
    for year in [year for year in years().values() if year.evaluator]:
        files = made.ground_truth(year.metric)
        server.raw |= files
        pins = year.evaluator.sha256
        for file in [file for file in pins if pins[file] != hashlib.sha256(files[file]).hexdigest()]:
            monkeypatch.delitem(pins, file)  # what is not at hand is made up; the rest is held to its pin
    return made


def choose(number: int, machines: str, split: str = "eval", **more: object) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    chosen = {"name": f"dcase{number}", "machines": machines, "split": split}
    params["dataset"] |= chosen | {"train_on": ["additional" if split == "eval" else "dev"]} | more
    Path("params.yaml").write_text(yaml.safe_dump(params))


def prepare() -> pd.DataFrame:
    """Download and index; give the truth beside the clip table and the files."""
    download_stage.main()
    index_stage.main()
    told = pd.read_csv("data/ground_truth.csv", keep_default_na=False)
    told = told.rename(columns={"domain": "true_domain", "attributes": "true_attributes"})
    return read_clips(CLIPS).merge(told, on="clip_id").merge(pd.read_csv("data/files.csv"), on="clip_id")


def expected(all_years: Years, number: int, machines: list[str]) -> Counter:
    """Count clips by machine, section, domain and label, straight from the published list or ground truth."""
    return Counter(
        (machine, section, domain or "unknown", str(anomaly))
        for machine in machines
        for _, section, domain, anomaly in all_years.truth(number, machine)
    )


def check_year(all_years: Years, number: int, machines: str, caplog: pytest.LogCaptureFixture) -> None:
    choose(number, machines)
    table = prepare()
    test = table[table["split"] == "test"]
    assert set(test["domain"]) == {"unknown"}
    assert set(test["attributes"]) == {""}
    metrics = read_json("metrics/download.json")
    assert set(table["channels"]) == {years()[number].channels}
    chosen = list(years()[number].machines["eval"]) if machines == "all" else machines.split("+")
    found = Counter(zip(*(test[c].astype(str) for c in ("machine", "section", "true_domain", "anomaly")), strict=True))
    assert found == expected(all_years, number, chosen)
    assert metrics["labels"] == {"listed": len(test), "without_recording": 0, "without_label": 0, "contradictory": 0}
    if number == 2025:
        assert set(found.values()) == {50}
    wrong = {machine for machine in years()[number].wrong if machine in chosen}
    if number >= 2022:
        assert set(test["machine"][test["true_attributes"] == ""]) == wrong
    assert set(re.findall(r"(\w+) section \d\d: the evaluator's true names contradict", caplog.text)) == wrong
    if number >= 2024:
        check_hidden(number, table, chosen)


def check_hidden(number: int, table: pd.DataFrame, machines: list[str]) -> None:
    for listed in years()[number].hidden:
        machine, part = Path(listed.file).parent.name, Path(listed.file).stem.split("_")[2]
        own = table[(table["machine"] == machine) & (table["split"] == part)]
        if machine in machines:
            assert (own["attributes"] == "").all()
            assert (own["true_attributes"] != "").all()
            assert len(set(own["true_attributes"])) > 1


@pytest.mark.slow
@pytest.mark.parametrize("number", SOME)
def test_some_machines_of_every_year(number: int, server: Server, all_years: Years, workdir: Path, caplog):
    server.offer(number, SOME[number], lambda archive: all_years.archive(number, archive))
    check_year(all_years, number, SOME[number], caplog)
    assert len(server.asked) == len(set(server.asked))


def test_wrong_labels_of_2022_are_not_taken(server: Server, all_years: Years, workdir: Path, caplog):
    """ToyCar: the list and the evaluator's true names say something else than its ground truth."""
    server.offer(2022, "ToyCar", lambda archive: all_years.archive(2022, archive))
    check_year(all_years, 2022, "ToyCar", caplog)
    assert not Path("data/truth/datasets").exists()
    assert {file.name for file in Path("data/truth").iterdir()} == {"dcase2022_evaluator"}


def test_a_table_without_a_pin_is_held_to_what_it_was_at_first(server: Server, all_years: Years, workdir: Path, capsys):
    server.offer(2026, "Sander", lambda archive: all_years.archive(2026, archive))
    choose(2026, "Sander")
    download_stage.main()
    assert capsys.readouterr().out.count("no sha256 was known") == 3
    digests = {
        f"dcase2026_task2_evaluator/{file}": f"sha256:{hashlib.sha256(server.raw[file]).hexdigest()}"
        for file in all_years.ground_truth(2026)
        if "Sander" in file
    }
    assert read_json("metrics/download.json")["tables"] == digests
    changed = next(file for file in server.raw if "data/ground_truth_Sander" in file)
    server.raw[changed] = server.raw[changed].replace(b",0", b",1")
    download_stage.main()  # what is here is not asked for again
    assert read_json("metrics/download.json")["tables"] == digests
    for file in Path(archives.STORE, "labels").rglob("*.csv"):
        file.unlink()
    with pytest.raises(
        UserError, match=r"ground_truth_Sander_section_00_test.csv came with sha256:.*promised was sha256:"
    ):
        download_stage.main()


def test_a_mirror_has_a_clone_of_the_evaluator(server: Server, all_years: Years, workdir: Path):
    server.offer(2026, "Sander", lambda archive: all_years.archive(2026, archive))
    for record, files in server.records.items():
        for name in files:
            path = Path("mirror", str(record), name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(server.content(record, name))
    choose(2026, "Sander", mirror="mirror")
    with pytest.raises(
        UserError, match=r"mirror/labels/dcase2026_task2_evaluator/ground_truth_\w+/.*Sander.* is missing: put"
    ):
        download_stage.main()
    for file, content in all_years.ground_truth(2026).items():
        path = Path("mirror/labels/dcase2026_task2_evaluator", file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    table = prepare()
    assert set(table["anomaly"][table["split"] == "test"].astype(str)) == {"0", "1"}
    assert not server.asked


def test_a_year_without_published_labels(server: Server, all_years: Years, workdir: Path, caplog, monkeypatch):
    monkeypatch.setitem(years(), 2026, years()[2026].model_copy(update={"evaluator": None}))
    server.offer(2026, "Sander", lambda archive: all_years.archive(2026, archive))
    choose(2026, "Sander")
    table = prepare()
    assert "evaluation labels are not published" in caplog.text
    assert set(table["anomaly"][table["split"] == "test"]) == {""}
    assert "labels" not in read_json("metrics/download.json")


@pytest.mark.minutes
@pytest.mark.parametrize("number", SOME)
def test_all_machines_of_every_year(number: int, server: Server, all_years: Years, workdir: Path, caplog):
    server.offer(number, "all", lambda archive: all_years.archive(number, archive))
    check_year(all_years, number, "all", caplog)


def test_further_years_are_supplements_without_what_is_tested(server: Server, all_years: Years, workdir: Path):
    """2022's additional clips, one of them in the test set of 2023 under another name."""
    server.offer(2022, "all", lambda archive: all_years.archive(2022, archive))
    server.offer(2023, "bandsaw", lambda archive: all_years.archive(2023, archive))
    tested = years()[2023].parts["eval"]
    stolen = zipfile.ZipFile(io.BytesIO(server.content(tested.record, "eval_data_bandsaw_test.zip")))
    leaked = {"fan/train/section_03_source_train_normal_0000_vel_1.wav": stolen.read(stolen.namelist()[0])}
    server.records[years()[2022].parts["additional"].record]["eval_data_fan_train.zip"] = zipped(leaked)
    choose(2023, "bandsaw", pretrain="2022")
    table = prepare()
    further = table[table["machine"].str.startswith("2022_")]
    assert set(further["split"]) == {"supplemental"}
    assert set(further["kind"]) == {"machine"}
    assert not further["path"].str.contains("_test_").any()
    assert read_json("metrics/index.json")["leaked"] == {"2022_fan": 1}
    assert set(table["machine"][table["split"] == "test"]) == {"bandsaw"}
