"""The report, with and without labels."""

import contextlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from factories import digests
from scored import write_figures, write_project

from asd.core.artifacts import read_json, write_json
from asd.core.project import systems_of
from asd.core.section import read_params
from asd.report import selection, tables
from stages import evaluate, report

VOID = {"meta", "img", "input"}


class Balance(HTMLParser):
    """Refuses a page whose elements don't nest; collects its text and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes, self.elements = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def made_up(project, system, clips):
    """Contributions to the scores of clips, in the place of those that a trained system gives."""
    edges = {"kind": ["band"] * 3 + ["time"] * 2, "low": [0, 500, 2000, 0, 1], "high": [500, 2000, 8000, 1, 2]}
    parts = pd.DataFrame(edges).assign(contribution=[0.5, -0.25, 1.5, 1.0, 0.0], score=2.0)
    return dict.fromkeys(clips["clip_id"], parts)


def made_report(**how):
    """Evaluate made-up scores and report them; the other stages' metrics are made up too."""
    write_project(**how)
    evaluate.main()
    machines = how.get("machines", ("fan", "pump"))
    counts = {"train": {"source": 12, "target": 12}, "test": {"unknown": 24}}
    index = {"clips": dict.fromkeys(machines, counts), "seconds": dict.fromkeys(machines, 90.0)}
    more = {"attributes": {machines[0]: 3}, "rejected": {"nan": 2}, "clipped": 1, "duplicates": 0}
    write_json("metrics/index.json", index | more)
    write_json("metrics/download.json", {"name": "simulated"})
    methods = {m: {"groups": 2, "stability": 0.25, "confidence": 0.5} for m in ("hierarchical", "frequency", "auto")}
    methods["auto"]["takes"] = "frequency x hierarchical"
    found = {"section_00": methods}
    write_figures(machines)
    write_json("metrics/pseudo_label.json", dict.fromkeys(machines, found))
    report.main(made_up)
    return read_report()


def read_report():
    """The page, its elements, which must nest, and the systems of params.yaml."""
    page = Path("data/report/index.html").read_text()
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    return page, parser, list(systems_of(read_params()))


@pytest.fixture(scope="session")
def reported(made_once):
    """A project with a report, made once for all tests that read it; who writes into it takes a copy."""

    def make(folder):
        shutil.copy(ROOT / "params.yaml", folder)
        with contextlib.chdir(folder):
            made_report()

    return made_once("reported", make)


@pytest.fixture
def plain(reported, monkeypatch):
    """The report that :func:`reported` made, to read."""
    monkeypatch.chdir(reported)
    return read_report()


@pytest.fixture
def copied(reported, tmp_path, monkeypatch):
    """A copy of the project that :func:`reported` made, as working directory."""
    monkeypatch.chdir(shutil.copytree(reported, tmp_path / "copy"))


def test_report_shows_every_system_and_machine(plain):
    page, parser, systems = plain
    text = " ".join(parser.text)
    metrics = read_json("metrics/evaluate.json")
    for system in [*systems, "ensemble"]:
        assert system in text
        assert f"{metrics[system]['official']:.2f}" in text
    headings = ["Results", "Machines", "ROC curves", "Source against target", "Systems", "Pseudo-attributes"]
    for heading in [*headings, "Where to find what"]:
        assert f"<h2>{heading}</h2>" in page
    panels = [value for tag, name, value in parser.attributes if value.startswith("Scores of")]
    assert len(panels) == 2 * (len(systems) + 1)
    assert "target AUC [%]" in text
    assert "can&#39;t be judged" not in page
    assert "can't be judged" not in page


def test_report_stands_alone_and_names_no_path_of_this_machine(plain, reported):
    page, parser, _ = plain
    scripts = [dict(own) for tag, own in parser.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "thresholds"}, {}], "both inlined"
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    ids = [value for _, name, value in parser.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for _, name, value in parser.attributes if name == "href"} <= {f"#{name}" for name in ids}
    beside = {value for _, name, value in parser.attributes if name == "src"}
    made = {file.relative_to("data/report").as_posix() for file in Path("data/report").rglob("*") if file.is_file()}
    assert made == beside | {"index.html"}
    assert str(reported) not in page
    assert not re.search(r"/(home|root|tmp|work)/", page)


@pytest.mark.slow
def test_report_says_which_attribute_values_fail_and_what_was_published(copied):
    metrics = read_json("metrics/evaluate.json")
    metrics["data"]["published"] = "2025 dev 56.10, published 56.26: within +-1.2"
    write_json("metrics/evaluate.json", metrics)
    report.main(made_up)
    page = Path("data/report/index.html").read_text()
    assert "autoencoder here: 2025 dev 56.10, published 56.26: within +-1.2." in page
    found = pd.read_csv("data/evaluation/attributes.csv")
    worst = found[found["system"] == "frozen"].sort_values("auc").iloc[0]
    assert f"<td>{worst['attribute']} {worst['value']}</td>" in page
    assert "F1 target" in page


def test_report_says_what_was_chosen_and_on_which_evidence(plain):
    page, parser, systems = plain
    text = " ".join(" ".join(parser.text).split())
    assert f"The ensemble: mean of {', '.join(sorted([f'{systems[1]} 0.25', f'{systems[2]} by gmm 0.75']))}" in text
    assert "chosen by diverse pseudo-auc; fused 88.00 %" in text
    assert "<td>65.00</td>" in page
    assert "<td>99.50</td>" in page
    metrics = read_json("metrics/ensemble.json")
    rows = selection.evidence(metrics, systems).rows
    assert [row[0] for row in rows] == systems[1:], "as everywhere else"
    assert [row[1] for row in rows[:2]] == ["0.25", "0.75"]
    nothing = metrics | {"evidence": {}, "scorers": {}}
    assert selection.evidence(nothing, systems) is selection.scorers(nothing, systems) is None


@pytest.mark.slow
def test_same_results_same_bytes(copied):
    before = digests(Path("data/report"))
    report.main(made_up)
    assert digests(Path("data/report")) == before
    assert sum(name.endswith(".mp3") for name in before) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"anomalies": False}, {"labelled": False}])
def test_report_without_labels_says_so_and_shows_the_decisions(workdir, how):
    page, parser, _ = made_report(**how)
    text = " ".join(parser.text)
    assert "Nothing here can be judged against labels" in text
    assert "<h2>Results</h2>" not in page
    assert "<h2>ROC curves" not in page
    assert "Decided anomalous" in text
    assert ("no labels" if "labelled" in how else "no anomalous test clips") in text
    labels = set(re.findall(r">\d+ (normal|anomalous|unlabelled)</text>", page))
    assert labels == ({"unlabelled"} if "labelled" in how else {"normal"})


@pytest.mark.slow
def test_report_of_one_domain_and_several_seeds(workdir):
    _, parser, _ = made_report(domains=("unknown",), seeds=(0, 1))
    text = " ".join(parser.text)
    assert "Score (one domain)" in text
    assert "Official score" not in text
    assert "AUC source" not in text
    assert "Source against target" not in text
    assert "first training seed" in text
    assert "(sd " in text


def test_systems_stand_in_one_order_and_colour_everywhere_the_best_first(plain):
    page, _, systems = plain
    metrics = read_json("metrics/evaluate.json")
    order = sorted([*systems, "ensemble"], key=lambda name: -metrics[name]["official"])
    assert re.findall(r"<summary>(\w+)</summary>", page)[: len(order)] == order
    tables_of_systems = re.findall(r'<th scope="col">System</th>.*?</table>', page, re.DOTALL)
    assert len(tables_of_systems) >= 4
    for table in tables_of_systems:
        rows = re.findall(r'<i class="dot( ring)?" style="--own:var\(--c(\d)\)"></i><bdi>(\w+)</bdi></th>', table)
        places = [order.index(name) for _, _, name in rows]
        assert places == sorted(places)
        numbers = [[*systems, "ensemble"].index(name) for _, _, name in rows]
        assert [(ring != "", int(colour)) for ring, colour, _ in rows] == [(i > 7, i % 8) for i in numbers]
    legend = re.search(r"ROC curves of all systems.*?</svg>", page, re.DOTALL)[0]
    assert [name for name in re.findall(r">(\w+)</text>", legend) if name in order] == order


def test_every_table_has_a_caption_and_a_container_that_scrolls_by_keyboard(plain):
    page, parser, _ = plain
    regions = re.findall(r'<div class="wide" role="region" aria-label="[^"]+" tabindex="0">', page)
    assert page.count("<table>") == page.count("<caption>") <= len(regions)
    targets = {value for _, name, value in parser.attributes if name == "href" and value.startswith("#")}
    assert {"#main", "#results", "#systems"} <= targets


@pytest.mark.slow
def test_names_are_escaped(workdir):
    page, _, _ = made_report(machines=("<b>fan", "a & b"))
    assert "<b>fan" not in page
    assert "&lt;b&gt;fan" in page
    assert "a &amp; b" in page


@pytest.mark.parametrize(("low", "high", "resolved"), [(-1.0, 2.0, False), (0.4, 2.0, True), (-3.0, -0.1, True)])
def test_a_difference_whose_interval_holds_zero_is_not_resolved(low, high, resolved):
    figures = {"vs_autoencoder": 0.5, "vs_autoencoder_low": low, "vs_autoencoder_high": high}
    assert ("not resolved" not in tables.difference(figures)) == resolved
    assert tables.difference({}) == tables.NONE
