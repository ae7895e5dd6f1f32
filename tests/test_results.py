"""The table of ``python -m asd results``: figures, and whom a system follows."""

import json

import yaml

from asd.__main__ import main
from asd.cli.results import papers, result_table
from asd.cli.text_tables import markdown

METRICS = {
    "data": {"name": "simulated"},
    "frozen": {"seeds": 1, "official": 60.0, "official_low": 58.0, "official_high": 62.0},
    "mine": {"seeds": 1},
    "ensemble": {"seeds": 1, "official": 70.0, "official_low": 68.0, "official_high": 72.0},
}
SYSTEMS = {"frozen": {"paper": "Matsumoto et al. 2025", "encoder": "mel_bands"}, "mine": {"encoder": "tiny"}}


def test_papers_stand_beside_the_systems_and_a_system_without_one_has_an_empty_cell():
    rows = result_table(METRICS, papers({"systems": SYSTEMS}))
    assert [row[:3] for row in rows] == [
        ["system", "paper", "score [95 %]"],
        ["simulated/ensemble", "fusion", "70.00 [68.0, 72.0]"],
        ["simulated/frozen", "Matsumoto et al. 2025", "60.00 [58.0, 62.0]"],
        ["simulated/mine", "", "unlabelled"],
    ]
    assert markdown(rows)[1] == "| --- | --- | ---: | ---: |"


def test_the_command_reads_papers_from_params(workdir, capsys):
    (workdir / "params.yaml").write_text(yaml.safe_dump({"systems": SYSTEMS}))
    (workdir / "metrics").mkdir()
    (workdir / "metrics/evaluate.json").write_text(json.dumps(METRICS))
    assert main(["results", "--markdown"]) == 0
    assert capsys.readouterr().out.splitlines() == markdown(result_table(METRICS, papers({"systems": SYSTEMS})))
    assert main(["results"]) == 0
    assert "simulated/frozen    Matsumoto et al. 2025  60.00 [58.0, 62.0]" in capsys.readouterr().out
