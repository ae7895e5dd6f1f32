"""The clips of the report: those that matter, heard and seen, whatever their names hold."""

import html
import json
import re
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from conftest import ROOT
from scored import NAMES_NEIGHBOURS, made_clips, made_scores
from test_report import Balance, made_report

from asd.core.project import Project
from asd.report import clips, explanations
from asd.report.clip_map import placed_points
from asd.report.explanations import bars

BROWSER = ROOT / "tests" / "browser"
SCRIPT, QUOTES, FROM_RIGHT = "<script>alert(1)<!--", '"it\'s" & ;)', "\u0645\u0636\u062e\u0629 \U0001f527 \u202eabc"
HOSTILE = {"machines": (SCRIPT, FROM_RIGHT), "attribute": f"a {QUOTES}", "file": "<img src=x onerror=alert(1)>"}


@pytest.fixture(scope="session")
def hostile(made_once) -> Path:
    """The report of machines, systems, attributes and files whose names would be read as HTML."""

    def make(folder: Path) -> None:
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["training_free"][f"{SCRIPT} system"] = params["training_free"].pop("statistics")
        (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True))
        with chdir(folder):
            made_report(**{**HOSTILE, "attribute": HOSTILE["attribute"].replace(";", "")})

    return made_once("hostile", make) / "data" / "report"


@pytest.fixture(scope="session")
def parsed(hostile) -> Balance:
    parser = Balance()
    parser.feed((hostile / "index.html").read_text(encoding="utf-8"))
    return parser


def test_every_sound_and_picture_stands_beside_the_page(hostile, parsed):
    sources = [unquote(value) for _, name, value in parsed.attributes if name == "src"]
    assert {Path(source).suffix for source in sources} == {".mp3", ".webp"}
    assert all((hostile / source).is_file() for source in sources)
    assert sum(tag == "audio" for tag, _ in parsed.elements) == sum(tag == "img" for tag, _ in parsed.elements) > 20
    assert all(dict(own)["preload"] == "none" for tag, own in parsed.elements if tag == "audio")
    page = (hostile / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|//\w+\.\w+/|@import|url\((?!#)", page)


def test_names_are_shown_literally_and_are_never_markup(hostile, parsed):
    text, tags = "\n".join(parsed.text), [tag for tag, _ in parsed.elements]
    assert tags.count("script") == 2
    assert not [name for _, name, _ in parsed.attributes if name.startswith("on")]
    for name in (SCRIPT, FROM_RIGHT, f"{SCRIPT} system", 'a "it\'s" & )=1', "<img src=x onerror=alert(1)>_0"):
        assert name in text
    assert "<script>alert" not in (hostile / "index.html").read_text(encoding="utf-8")


def test_embedded_scores_are_those_of_evaluate(hostile, parsed):
    page = (hostile / "index.html").read_text(encoding="utf-8")
    embedded = re.search(r'<script type="application/json" id="thresholds">(.*?)</script>', page, re.DOTALL)[1]
    assert "<" not in embedded
    scores = pd.read_csv(hostile.parent / "evaluation" / "scores.csv").sort_values("clip_id")
    sections = json.loads(embedded)
    assert {own["title"] for own in sections} == {SCRIPT, FROM_RIGHT}
    for own in sections:
        for system in own["systems"]:
            rows = scores[(scores["machine"] == own["title"]) & (scores["system"] == system["name"])]
            assert system["scores"] == pytest.approx(rows["score"].tolist(), rel=1e-8)
            assert own["anomaly"] == rows["anomaly"].tolist()
            assert [score > system["threshold"] for score in system["scores"]] == (rows["decision"] == 1).tolist()


def test_each_clip_has_all_systems_and_its_nearest_normal_clip(hostile, parsed):
    page = (hostile / "index.html").read_text(encoding="utf-8")
    articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
    systems = {
        own["name"] for own in json.loads(re.search(r'"thresholds">(.*?)</script>', page, re.DOTALL)[1])[0]["systems"]
    }
    files = pd.read_csv(hostile.parent / "files.csv", index_col="clip_id")["path"].map(lambda path: Path(path).name)
    named = pd.read_csv(hostile.parent / "scores" / NAMES_NEIGHBOURS / "scores.csv", index_col="clip_id")["nearest"]
    assert 2 * clips.EACH <= len(articles) <= 2 * 3 * clips.EACH
    for article in articles:
        clip = re.search(r'id="clip-(\w+)"', article)[1]
        assert {html.unescape(name) for name in re.findall(r"<bdi>([^<]*)</bdi></th>", article)} == systems
        assert article.count("<audio") == 2
        assert html.escape(files[named[clip]]) in article
        assert f'src="clips/{named[clip]}.mp3"' in article
        assert re.findall(r"<p class=\"faint\">Most: (.*?)</p>", article) == [
            "2 to 8 kHz: 1.5 of 2",
            "0 to 1 s: 1 of 2",
        ]
    assert {f"#clip-{clip}" for clip in re.findall(r'id="clip-(\w+)"', page)} == set(re.findall(r"#clip-\w+", page))


def judged(values):
    """Scores of clips a, b ..., from pairs of score and anomaly; decided at 0.5."""
    table = pd.DataFrame(values, columns=["score", "anomaly"]).assign(threshold=0.5)
    return table.assign(clip_id=[chr(97 + i) for i in range(len(table))], decision=(table["score"] > 0.5).astype(int))


def test_the_worst_of_each_kind_are_chosen_the_most_anomalous_first():
    scores = judged(
        [(0.9, 1), (0.8, 0), (0.1, 1), (0.2, 1), (0.7, 1), (0.6, 0), (0.4, 1), (0.05, 1), (0.3, 0), (0.95, 1)]
    )
    chosen = clips.choose(scores)
    assert chosen["b"] == ["most anomalous", "false alarm"]
    assert chosen["f"] == ["false alarm"]
    assert [clip for clip, why in chosen.items() if "most anomalous" in why] == ["j", "a", "b", "e"]
    assert [clip for clip, why in chosen.items() if why == ["miss"]] == ["g", "d", "c", "h"]
    assert "i" not in chosen, "normal, as decided"
    assert list(chosen) == ["j", "a", "b", "e", "f", "g", "d", "c", "h"]


def test_without_labels_the_most_anomalous_alone_are_chosen():
    chosen = clips.choose(judged([(i / 20, None) for i in range(20)]))
    assert len(chosen) == 3 * clips.EACH
    assert set(map(tuple, chosen.values())) == {("most anomalous",)}
    assert next(iter(chosen)) == "t"


def test_the_heaviest_member_that_names_a_nearest_clip_gives_it(tmp_path):
    table, _, truth = made_clips()
    for name in ("light", "heavy", "silent"):
        (tmp_path / "scores" / name).mkdir(parents=True)
        own = made_scores(table, truth, name, seeds=(0, 1))
        own["nearest"] = f"of_{name}" if name != "silent" else ""
        own.to_csv(tmp_path / "scores" / name / "scores.csv", index=False)
    weights = {"light": 0.2, "heavy": 0.3, "silent": 0.5}
    nearest = clips.nearest_clips(tmp_path, weights, ["light", "heavy", "silent"])
    assert (nearest.system, set(nearest.of.values())) == ("heavy", {"of_heavy"})
    assert set(nearest.of) == set(table.loc[table["split"] == "test", "clip_id"])
    assert clips.nearest_clips(tmp_path, {}, ["silent"]) == clips.Neighbours("", {})


def test_bars_stand_on_zero_and_those_below_it_hang():
    edges = {"kind": ["band"] * 2 + ["time"] * 2, "low": [0.0, 500, 0, 1], "high": [500.0, 8000, 1, 2]}
    parts = pd.DataFrame(edges).assign(contribution=[-1.0, 3.0, 1.0, 0.0], score=4.0)
    band, time = bars(parts)
    assert band.path == "M0 75.0V100.0h40V75.0M50 75.0V0.0h40V75.0", "of 4 units from -1 to 3"
    assert time.path == "M0 75.0V50.0h40V75.0M50 75.0V75.0h40V75.0", "on the scale of both"
    assert band.x == [(0.0, "0"), (100.0, "8")]
    assert (25.0, "0") in band.y
    assert band.largest == "0.5 to 8 kHz: 3 of 4"
    assert bars(parts.assign(contribution=0.0))[0].path.count("100.0V100.0") == 2, "nothing contributes: flat"


def test_a_clip_that_the_system_was_trained_on_is_not_explained(monkeypatch):
    known = SimpleNamespace(clips=pd.DataFrame({"clip_id": ["b"]}), recordings={"a": Path("a.wav")})
    monkeypatch.setattr(explanations, "load_detector", lambda project, system: known)
    monkeypatch.setattr(explanations, "explain", lambda *given: given)
    clips = pd.DataFrame({"clip_id": ["a", "b"], "machine": "fan", "section": "00"})
    assert explanations.explained(Project(), "texture", clips) == {"a": (known, Path("a.wav"), "fan", "00")}


def test_the_map_scales_both_axes_alike_and_holds_every_clip():
    plane = pd.DataFrame(
        {"x": [0.0, 3.0, 1.5], "y": [0.0, 0.0, 1.0], "kind": "normal", "text": "t", "anchor": ["", "c", ""]}
    )
    shown = placed_points(plane)
    places = [(point.x, point.y) for point in shown.points]
    assert all(0 <= place <= 100 for pair in places for place in pair)
    (x0, y0), (x1, y1), (_, y2) = places
    assert (x0, x1, y0) == (4, 96, y1)
    assert (y0 - y2) * 2 == pytest.approx((x1 - x0) * 3 / 3, abs=0.2)
    assert placed_points(plane.assign(x=1.0, y=2.0)).points[0].x == 50


@pytest.mark.minutes  # six looks, each judged by axe
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.skipif(
    not (BROWSER / "node_modules").is_dir(), reason="no browser: npm install --no-package-lock --prefix tests/browser"
)
def test_a_browser_plays_sorts_filters_moves_and_opens_without_a_complaint(hostile):
    done = subprocess.run(
        ["node", str(BROWSER / "look.mjs"), str(hostile / "index.html")], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
