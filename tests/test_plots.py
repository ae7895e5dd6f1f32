"""What ``dvc plots`` shows: templates that fit the tables, axes with titles, pages that open without a network."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from dvc_render.vega import VegaRenderer

from asd.__main__ import main
from asd.report.charts import CYCLE, LABEL_COLOURS

DECLARED = {
    path: about
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    for plot in stage.get("do", stage).get("plots", [])
    for path, about in plot.items()
}
TABLES = [(table, path) for path in DECLARED for table in sorted(ROOT.glob(path.replace("${key}", "*")))]


def filled(table: Path, path: str) -> dict:
    """The Vega-Lite chart of a committed table, of two revisions."""
    rows = pd.read_csv(table, keep_default_na=False).to_dict("records")
    both = [row | {"rev": rev} for rev in ("workspace", "HEAD") for row in rows]
    about = DECLARED[path] | {"template": str(ROOT / DECLARED[path]["template"])}
    return VegaRenderer(both, path, **about).get_filled_template()


def values_of(chart: object, key: str) -> list:
    """All values of a key, at any depth, data left out."""
    if isinstance(chart, list):
        return [value for part in chart for value in values_of(part, key)]
    if not isinstance(chart, dict):
        return []
    deeper = [value for name, part in chart.items() if name != "data" for value in values_of(part, key)]
    return [chart[key], *deeper] if key in chart else deeper


def test_every_plot_has_a_committed_table():
    assert {path for _, path in TABLES} == set(DECLARED)


@pytest.mark.parametrize(("table", "path"), TABLES, ids=lambda value: getattr(value, "stem", None))
def test_a_template_names_columns_of_its_table_and_titles_the_axes(table: Path, path: str):
    chart = filled(table, path)
    assert "<DVC_METRIC" not in json.dumps(chart)
    columns = {*pd.read_csv(table, nrows=1), "rev", "row"}
    assert set(values_of(chart, "field")) - {"seed"} <= columns
    (x,), (y,) = values_of(chart, "x"), values_of(chart, "y")
    assert (x["title"], y["title"]) == (DECLARED[path]["x_label"], DECLARED[path]["y_label"])
    assert "_" not in x["title"] + y["title"]


def test_colours_are_those_of_the_report():
    systems, labels = list(CYCLE), [LABEL_COLOURS["normal"], LABEL_COLOURS["anomalous"]]
    for name, colours in (("by_system", systems), ("trade_off", systems), ("by_system_and_label", labels)):
        template = json.loads((ROOT / f".dvc/plots/{name}.json").read_text())
        assert values_of(template, "range") == [colours]


@pytest.mark.parametrize(("table", "path"), TABLES, ids=lambda value: getattr(value, "stem", None))
def test_a_template_draws_all_rows_of_both_revisions(table: Path, path: str):
    converter = pytest.importorskip("vl_convert", reason="pip install asd[plots]")
    svg = converter.vegalite_to_svg(filled(table, path))
    rows = pd.read_csv(table, keep_default_na=False)
    words = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert {DECLARED[path]["x_label"], DECLARED[path]["y_label"], "workspace", "HEAD"} <= set(words)
    if "scorer" in rows:
        assert svg.count('aria-roledescription="point"') == 2 * len(rows)
    else:
        lines = rows.reindex(columns=["system", "seed", "label"]).drop_duplicates()
        assert svg.count('aria-roledescription="line mark"') == 2 * len(lines)
    systems = list(rows["system"].unique()) if "system" in rows else []
    if len(systems) > 1:  # a panel each, in the order of the table
        assert [word for word in words if word in systems] == systems


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project without git that shows one table by a template of ours."""
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], check=True)
    Path("roc.csv").write_text("system,x,y\ntexture,0,1\n")
    return tmp_path


def test_a_page_of_dvc_plots_names_no_server(repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "vl_convert", SimpleNamespace(javascript_bundle=lambda: "window.vegaEmbed = 1"))
    assert main(["plots"]) == 0
    show = [sys.executable, "-m", "dvc", "plots", "show", "roc.csv", "-x", "x", "-y", "y"]
    subprocess.run(show, check=True, capture_output=True)
    page = Path("dvc_plots/index.html").read_text()
    assert "window.vegaEmbed = 1" in page
    assert "texture" in page
    assert "src=" not in page


def test_what_is_missing_for_it_is_said_in_one_line(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert main(["plots"]) == 2
    assert capsys.readouterr().err == "asd: vl_convert is not installed: pip install asd[plots]\n"
    assert sorted(path.name for path in Path(".dvc").glob("*plots*")) == []
    monkeypatch.chdir(repository.parent)
    assert main(["plots"]) == 2
    assert "run from the root of a project" in capsys.readouterr().err
