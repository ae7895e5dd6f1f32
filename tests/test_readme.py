"""README's table is that of the committed metrics."""

import json

import yaml
from conftest import ROOT

from asd.commands.results import markdown, papers, table


def test_the_result_table_is_true():
    metrics = json.loads((ROOT / "metrics" / "evaluate.json").read_text())
    after = papers(yaml.safe_load((ROOT / "params.yaml").read_text()))
    assert "\n".join(markdown(table(metrics, after))) in (ROOT / "README.md").read_text()
