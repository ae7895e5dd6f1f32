"""The report's charts show what the tables hold, with units on their axes."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scored import write_figures

from asd.report import charts
from asd.report.page import shown_tree, trade_off_chart


@pytest.fixture
def tables(workdir):
    write_figures(["fan"])
    return [pd.read_csv(f"data/pseudo_labels/{name}.csv") for name in ("trees", "clips", "series")]


def axes_of(draw, *args, **options):
    axes = Figure().subplots()
    draw(axes, *args, **options)
    assert axes.get_xlabel()
    assert axes.get_ylabel()
    return axes


def scores(values, threshold=0.5, anomaly=(0.0, 1.0, np.nan)):
    return pd.DataFrame({"score": values, "threshold": threshold, "anomaly": anomaly})


def test_svg_is_one_element_in_the_colours_of_the_page_and_the_same_bytes_again():
    draw = partial(charts.score_histogram, scores=scores([0.0, 1.0, 2.0]))
    svg = charts.inline_svg(draw, "Scores of <fan>")
    assert svg == charts.inline_svg(draw, "Scores of <fan>")
    assert svg.startswith('<svg viewBox="0 0 ')
    assert 'role="img" aria-label="Scores of &lt;fan&gt;"' in svg
    assert "var(--anomalous)" in svg
    assert not re.search(r"#d9602c|https?:|<style|<metadata|font-family|\.\d{3}", svg)
    assert svg.rstrip().endswith("</svg>")


def test_ids_of_two_charts_differ_and_every_reference_has_its_id():
    draw = partial(charts.score_histogram, scores=scores([0.0, 1.0, 2.0]))
    one, other = (charts.inline_svg(draw, label) for label in ("one", "other"))
    ids = [set(re.findall(r'id="([^"]*)"', svg)) for svg in (one, other)]
    assert not ids[0] & ids[1]
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', one)) == ids[0]


def test_histogram_has_the_fractions_of_each_label():
    axes = axes_of(charts.score_histogram, scores([0.0, 0.0, 10.0, 10.0, 5.0], 7.0, [0.0, 0.0, 0.0, 1.0, np.nan]))
    filled = [patch for patch in axes.patches if patch.get_label()]
    assert [patch.get_label() for patch in filled] == ["3 normal", "1 anomalous", "1 unlabelled"]
    for patch in filled:
        assert patch.get_data().values.sum() == pytest.approx(1)
    assert filled[0].get_data().values.max() == pytest.approx(2 / 3)
    assert axes.lines[0].get_xdata()[0] == 7.0


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 1.0, 1e9]])
def test_histogram_of_equal_or_far_scores_counts_every_clip(values):
    axes = axes_of(charts.score_histogram, scores(values))
    assert all(patch.get_data().values.sum() == pytest.approx(1) for patch in axes.patches)
    low, high = axes.get_xlim()
    assert low < 0.5 < high


def test_roc_curves_have_the_points_of_the_table():
    table = pd.DataFrame({"system": ["a"] * 3, "false_positive_rate": [0, 0.1, 1], "true_positive_rate": [0, 0.8, 1]})
    curve = axes_of(charts.roc_curves, table, {"a": 2}).lines[-1]
    assert (curve.get_label(), curve.get_color()) == ("a", charts.CYCLE[2])
    assert curve.get_xydata().tolist() == [[0, 0], [0.1, 0.8], [1, 1]]


def test_scorers_stand_at_their_source_and_target_auc():
    table = pd.DataFrame(
        [("a", "knn", 61.0, 80.0, 50.0), ("a", "gmm", 62.0, 70.0, 60.0), ("b", "knn", np.nan, np.nan, np.nan)],
        columns=["system", "scorer", "official", "auc_source", "auc_target"],
    )
    axes = axes_of(charts.source_against_target, table.dropna(), {"a": [70.0, 60.0]}, {"a": 2})
    assert axes.get_xlim() == axes.get_ylim() == (50, 85)
    dots, ring = axes.lines[1:]
    assert dots.get_color() == ring.get_color() == charts.CYCLE[2]
    assert dots.get_xydata().tolist() == [[80, 50], [70, 60]]
    assert (ring.get_xydata().tolist(), ring.get_markerfacecolor()) == ([[70, 60]], "none")
    metrics = {"a": {"auc_source": 70.0, "auc_target": 60.0}, "b": {}}
    assert "target AUC [%]" in trade_off_chart(table, {"a": 2, "b": 0}, metrics)
    assert trade_off_chart(table[table["system"] == "b"], {"b": 0}, metrics) is None


def test_every_merge_stands_at_its_height_and_the_cut_between_the_groups(tables):
    brackets, cut = charts.merge_brackets(tables[0])
    assert [bracket[1][1] for bracket in brackets] == [1.0, 2.0, 8.0]
    assert [bracket[0][0] for bracket in brackets] == [0, 2, 0.5]
    assert {corner[0] for bracket in brackets for corner in bracket if corner[1] == 0} == {0, 1, 2, 3}
    assert cut == 5.0  # two groups: between the last merge and the one before
    axes = axes_of(charts.merge_tree, tables[0])
    assert axes.get_ylim()[1] >= 8
    assert len(axes.collections[0].get_segments()) == 3


def test_a_deep_tree_is_drawn_from_the_top_alone():
    steps = 90
    chain = pd.DataFrame({"step": range(steps), "height": np.arange(1.0, steps + 1), "groups": 3})
    chain["left"], chain["right"] = "clip", [f"c{i}" if i == 0 else str(i - 1) for i in range(steps)]
    assert len(charts.merge_brackets(chain)[0]) == charts.MERGES
    assert charts.merge_brackets(chain[:0]) == ([], 0.0)
    axes_of(charts.merge_tree, chain[:0])


def test_bars_count_every_series_and_grey_is_no_group(tables):
    axes = axes_of(charts.frequency_histogram, tables[2])
    counts = [(patch.get_data().values - patch.get_data().baseline).sum() for patch in axes.patches]
    assert counts == [3, 1]  # state 0: at 10 Hz and once, misread, at 20 Hz
    edges = axes.patches[0].get_data().edges
    assert (edges[0], edges[-1]) == pytest.approx((10, 20), rel=0.02)
    grey = axes_of(charts.frequency_histogram, tables[2].assign(state=-1)).patches
    assert len(grey) == 1


def test_every_clip_with_an_embedding_is_a_point(tables):
    clips = tables[1]
    lines = axes_of(charts.embedding_scatter, clips).lines
    assert [(len(line.get_xdata()), line.get_markerfacecolor() == "none") for line in lines] == [
        (2, False),
        (1, False),
        (1, True),
    ]
    known = axes_of(charts.embedding_scatter, clips.assign(x=[np.nan, 1, 2, 3])).lines
    assert sum(len(line.get_xdata()) for line in known) == 3
    assert not axes_of(charts.embedding_scatter, clips.assign(x=np.nan)).lines


def test_the_tree_is_that_of_a_method_that_auto_takes(tables):
    both = pd.concat([tables[0], tables[0].assign(method="spectrum")])
    assert shown_tree(both, "frequency x spectrum") == "spectrum"
    assert shown_tree(both, "frequency") == "hierarchical"
