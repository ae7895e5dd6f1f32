"""README's table is that of the committed metrics."""

import json

from conftest import ROOT

from asd.commands.results import markdown, table


def test_the_result_table_is_true():
    metrics = json.loads((ROOT / "metrics" / "evaluate.json").read_text())
    assert "\n".join(markdown(table(metrics))) in (ROOT / "README.md").read_text()
