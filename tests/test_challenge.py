"""Every year from a server in the real layout to the clip table, with the labels that were published."""

import io
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
from asd.core.project import CLIPS
from asd.datasets import archives, origins
from asd.datasets.dcase import parse_name
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
    monkeypatch.setattr(archives, "address", lambda table: f"{server.url}/raw/{table.file}")
    yield server
    server.http.shutdown()


@pytest.fixture
def all_years(server: Server, shared: Path) -> Years:
    for file in (shared / "dcase").rglob("*.csv"):
        server.raw[f"datasets/{file.relative_to(shared / 'dcase').as_posix()}"] = file.read_bytes()
    return Years(shared)


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
    """Count clips by machine, section, domain and label, straight from the published list."""
    listed = all_years.listed(number)
    names = [(machine, parse_name(true)) for machine in machines for _, true in listed[machine]]
    return Counter((machine, true.section, true.domain, str(true.anomaly)) for machine, true in names)


def check_year(all_years: Years, number: int, machines: str, caplog: pytest.LogCaptureFixture) -> None:
    choose(number, machines)
    table = prepare()
    said = caplog.text
    test = table[table["split"] == "test"]
    assert set(test["domain"]) == {"unknown"}
    assert set(test["attributes"]) == {""}
    metrics = read_json("metrics/download.json")
    if number == 2026:
        assert "evaluation labels are not published" in said
        assert set(test["anomaly"]) == {""}
        assert set(table["channels"]) == {2}
        return
    chosen = list(years()[number].machines["eval"]) if machines == "all" else machines.split("+")
    found = Counter(zip(*(test[c].astype(str) for c in ("machine", "section", "true_domain", "anomaly")), strict=True))
    assert found == expected(all_years, number, chosen)
    assert metrics["labels"] == {"listed": len(test), "without_recording": 0, "without_label": 0, "contradictory": 0}
    if number == 2025:
        assert set(found.values()) == {50}
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


@pytest.mark.parametrize("number", SOME)
def test_some_machines_of_every_year(number: int, server: Server, all_years: Years, workdir: Path, caplog):
    server.offer(number, SOME[number], lambda archive: all_years.archive(number, archive))
    check_year(all_years, number, SOME[number], caplog)
    assert len(server.asked) == len(set(server.asked))


@pytest.mark.slow
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
