"""The registry of years says what is known of them."""

from pathlib import Path

import yaml

from asd.datasets import years
from asd.evaluation.official import YEARS


def test_every_year_has_a_metric():
    assert {number: year.metric for number, year in years.years().items()} == {year: year for year in YEARS}
    assert years.years()[2026].channels == 2
    assert years.years()[2026].others == []


def test_archives_of_2026_are_named_as_public_scripts_fetch_them():
    found = {(one.part, one.record, one.name) for one in years.archives(years.years()[2026], ["eval"], "all")}
    machines = ("BlowerDustCollector", "Sander", "SewingMachine", "ToothBrush", "ToyDrone")
    assert found == {("eval", 20437238, f"eval_data_{machine}_test.zip") for machine in machines}


def test_the_registry_names_what_the_facts_name(shared: Path):
    facts = yaml.safe_load((shared / "dcase/registry.yaml").read_text())
    for number, parts in facts["years"].items():
        year = years.years()[number]
        found: dict[str, dict[str, list[str]]] = {"dev": {}, "eval": {}}
        for archive in years.archives(year, ["dev", "additional", "eval"], "all"):
            url = f"https://zenodo.org/records/{archive.record}/files/{archive.name}"
            if (number, archive.part) != (2026, "eval"):  # known since, by public scripts
                found["dev" if archive.part == "dev" else "eval"].setdefault(archive.machine, []).append(url)
        assert found == parts
        for machine, sections in facts["sections"].get(number, {}).items():
            own = {split: year.machines[split].get(machine, []) for split in ("dev", "eval")}  # type: ignore[index]
            assert own == sections
    tables = {table.file: table.sha256 for y in years.years().values() for table in y.hidden}
    assert tables == {table["file"]: table["sha256"] for table in facts["labels"]["hidden_attributes"]}
    lists = {number: year.labels.sha256 for number, year in years.years().items() if year.labels}
    assert lists == {number: table["sha256"] for number, table in facts["labels"]["eval_lists"].items()}
