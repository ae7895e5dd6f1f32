"""The bench's table: ratios, floors, what is required, and that every file of rows is found."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from asd.classifiers.objectives.reconstruction import errors_of, gather, vectors
from asd.encoders.architectures.dense import DenseAutoencoder
from asd.features.extraction import extract
from bench import __main__ as bench
from bench import features, organisers, peers
from bench.harness import Row, as_json, as_markdown, in_turns
from bench.organisers import file_to_vectors

ROW = Row("work", "ms/clip", [2.0, 1.0, 3.0], "loop", [8.0, 9.0, 7.0], "bytes", [1.5, 1.4, 1.6], 4, 0.6)


def test_ratios_are_medians_of_runs() -> None:
    assert ROW.ratio == 4
    assert ROW.fraction == 0.75
    assert ROW.met
    busy = Row("a", "s", [1.0, 10.0, 1.0], "b", [5.0, 50.0, 5.0])  # all of the second run was slow
    assert busy.ratio == 5


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a", "s", [2.0], "b", [7.9], min_ratio=4), False),
        (Row("a", "s", [2.0], "b", [8.0], "c", [1.1], 4, 0.6), False),
        (Row("a", "s", [2.0], "b", [8.0], min_fraction=0.6), False),
        (Row("a", "MiB", [601.0], "b", [1.0], limit=600), False),
        (Row("a", "s", [2.0], "b", [0.1]), True),
    ],
)
def test_what_is_asked_of_a_row(row: Row, met: bool) -> None:
    assert row.met == met


def test_works_are_timed_in_turns() -> None:
    order: list[str] = []
    works = {name: lambda items, name=name: order.append(f"{name}{len(items)}") for name in "ab"}
    times = in_turns(works, range(40), runs=2)
    assert order == ["a3", "b3", "a40", "b40", "a40", "b40"]
    assert {len(values) for values in times.values()} == {2}


def test_table_and_json_say_the_same() -> None:
    table = as_markdown([ROW]).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert "| 4.00 |" in table[2]
    assert "75%" in table[2]
    (entry,) = as_json([ROW])
    assert (entry["median"], entry["low"], entry["high"], entry["ratio"], entry["runs"]) == (2, 1, 3, 4, 3)
    assert entry["fraction_of_floor"] == 0.75
    json.dumps(entry, allow_nan=False)


def test_main_writes_both_and_fails_where_a_row_is_not_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "OUT", tmp_path / "bench")
    monkeypatch.setattr(features, "rows", lambda: [ROW])
    assert bench.main(["features"]) == 0
    assert capsys.readouterr().out == (tmp_path / "bench.md").read_text()
    assert json.loads((tmp_path / "bench.json").read_text())[0]["name"] == "work"
    monkeypatch.setattr(features, "rows", lambda: [Row("a", "s", [2.0], "b", [1.0], min_ratio=2)])
    assert bench.main(["features"]) == 1
    assert bench.main(["none_such"]) == 2


def test_options_reach_the_rows_that_take_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(bench, "OUT", tmp_path / "bench")
    monkeypatch.setattr(features, "rows", lambda: [ROW])
    monkeypatch.setattr(peers, "rows", lambda clips=1, epochs=2: given.extend((clips, epochs)) or [ROW])
    assert bench.main(["features", "peers", "--clips", "7"]) == 0
    assert given == [7, 2]


def test_what_is_missing_is_said_and_the_rest_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "OUT", tmp_path / "bench")
    monkeypatch.setattr(features, "rows", lambda: [ROW])
    monkeypatch.setattr(peers, "import_module", lambda name: import_module(f"no_{name}"))
    monkeypatch.setattr(peers, "rows", lambda: peers._peer("pyod.models.knn"))
    assert bench.main(["peers", "features"]) == 1
    said = capsys.readouterr()
    assert "peers is not measured: pyod is missing: pip install" in said.err
    assert len(said.out.splitlines()) == 3


@pytest.mark.slow
def test_the_organisers_baseline_sees_what_ours_does() -> None:
    with peers._machine(10) as (train, _):
        theirs = file_to_vectors(train[0])
        frames, starts = vectors([extract(train[0], features.front_end_of(features.LOG_MEL))])
    np.testing.assert_allclose(gather(frames, starts), theirs, atol=0.01)


def test_the_organisers_scores_are_ours() -> None:
    """One network and one clip's errors: the mean square, and the squared length of their mean."""
    with peers._machine(2) as (_, test):
        network = DenseAutoencoder(128).eval()
        inverse = torch.eye(128) * torch.rand(128)
        with torch.no_grad():
            scores = organisers._scores(network, [2 * inverse, inverse], test[:1])
        rows = extract(test[0], features.front_end_of(features.LOG_MEL))
    errors = errors_of(network, rows, torch.device("cpu")).double()
    mean = errors.mean(dim=(0, 1))
    assert scores.mse[0] == pytest.approx(errors.square().mean().item(), rel=1e-4)
    assert scores.mahalanobis[0] == pytest.approx((mean @ inverse.double() @ mean).item(), rel=1e-3)


def test_memory_is_that_of_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SECONDS", 1)
    with features.recordings(3) as files:
        assert 50 < features._peak(files, 8) < features.MEMORY
