"""The pictures of pseudo-attributes show what the tables hold."""

import re

import numpy as np
import pandas as pd
import pytest
from scored import write_figures

from asd.report.groups import MARGIN, dendrogram, groups, histogram, scatter


@pytest.fixture
def tables(workdir):
    write_figures(["fan"])
    return [pd.read_csv(f"data/pseudo_labels/{name}.csv") for name in ("trees", "clips", "families")]


def corners(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+),([\d.]+)", path)]


def test_every_merge_stands_at_its_height_and_the_cut_between_the_groups(tables):
    trees, *_ = tables
    path, cut = dendrogram(trees)
    assert path.count("M") == 3
    tops = sorted({y for _, y in corners(path)})
    top, middle, low, floor = tops
    assert floor == 100 - MARGIN
    assert (floor - middle) / (floor - top) == pytest.approx(2 / 8, abs=1e-3)
    assert (floor - low) / (floor - top) == pytest.approx(1 / 8, abs=1e-3)
    assert top < cut < middle  # two groups: between the last merge and the one before
    xs = {x for x, y in corners(path) if y == floor}
    assert xs == set(np.linspace(MARGIN, 100 - MARGIN, 4).round(2))


def test_a_deep_tree_is_drawn_from_the_top_alone():
    steps = 90
    chain = pd.DataFrame({"step": range(steps), "height": np.arange(1.0, steps + 1), "groups": 3})
    chain["left"], chain["right"] = "clip", [f"c{i}" if i == 0 else str(i - 1) for i in range(steps)]
    path, _ = dendrogram(chain)
    assert path.count("M") == 40
    assert dendrogram(chain[:0]) == ("", 100.0)


def test_bars_count_every_family_and_grey_tells_nothing(tables):
    *_, families = tables
    bars, low, high = histogram(families)
    assert [colour for colour, _ in bars] == [0, 1]
    assert bars[0][1].count("M") == 2  # state 0: at 10 Hz and once, misread, at 20 Hz
    assert (float(low), float(high)) == pytest.approx((10, 20), rel=0.02)
    assert histogram(families.assign(state=-1))[0][0][0] == -1
    assert histogram(families[:0]) == ([], "", "")


def test_every_clip_with_an_embedding_is_a_point_in_the_box(tables):
    _, clips, _ = tables
    points = scatter(clips)
    assert [(colour, target) for colour, target, *_ in points] == [(0, False), (0, False), (1, False), (1, True)]
    assert all(0 <= place <= 100 for *_, x, y in points for place in (x, y))
    assert len(scatter(clips.assign(x=[np.nan, 1, 2, 3]))) == 3
    assert scatter(clips.assign(x=np.nan)) == []


def test_the_tree_is_that_of_a_method_that_auto_takes(tables):
    trees, clips, families = tables
    both = pd.concat([trees, trees.assign(method="spectrum")])
    assert groups("fan", both, clips, families, "frequency x spectrum").method == "spectrum"
    assert groups("fan", both, clips, families, "frequency").method == "hierarchical"
