"""Growth: what a stage costs is measured, parts are resumed, exponents are those of the values."""

import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, posix

from asd.core.errors import UserError
from asd.simulation.plan import SIZES
from bench import growth
from bench.pipeline import Stage, pipeline, project_params, run_measured, size, with_inputs

MIB = 2**20
COSTS = {"wall": 1, "cpu": 2, "largest": 0, "together": 0, "bytes": 1}  # exponents


@pytest.fixture
def params():
    content = project_params(ROOT)
    content["dataset"]["machines"] = "fan"
    content["dataset"]["simulated"]["size"] = "tiny"
    return content


def parts(costs=COSTS):
    """Costs of two stages that grow by known exponents."""
    sizes = (100, 200, 400, 800)
    row = {clips: [1e6 * (clips / 100) ** p for p in costs.values()] for clips in sizes}
    return {n: pd.DataFrame([[name, *row[n]] for name in ("a@x", "b")], columns=growth.COLUMNS) for n in sizes}


def test_the_pipeline_is_that_of_dvc(params):
    stages = pipeline(params)
    repo = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    assert {tuple(stage.command[1:]) for stage in stages} == {tuple(one["cmd"].split()[1:]) for one in repo.values()}
    known = {Path(own["path"]) for one in repo.values() for own in one["outs"]}
    assert {path for stage in stages for path in stage.outs} == known
    made = {Path(params["dataset"]["folder"]["manifest"])}
    for stage in stages:
        missing = [
            dep for dep in stage.deps if not any(dep in (path, *path.parents) or path in dep.parents for path in made)
        ]
        assert not [dep for dep in missing if dep != Path(params["dataset"]["folder"]["manifest"])], stage.name
        made.update(stage.outs)


@posix
def test_memory_and_time_are_those_of_the_process_and_its_children(tmp_path):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    child = f"import time; x = bytearray({300 * MIB}); x[::4096] = b'1' * len(x[::4096]); time.sleep(0.5)"
    spent = run_measured([sys.executable, "-c", code, child], tmp_path)
    assert 300 < spent.largest / MIB < 500
    assert spent.largest <= spent.together < 2 * spent.largest
    assert spent.wall > 0.5
    assert 0 < spent.cpu < spent.wall + 1


@posix
def test_a_stage_that_fails_is_named(tmp_path):
    with pytest.raises(UserError, match="no such thing"):
        run_measured([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


@pytest.mark.slow
@posix
def test_parts_run_once_and_go_on_where_they_were(tmp_path, params, monkeypatch, capsys):
    stages = [stage for stage in pipeline(params) if stage.kind in ("download", "index")]
    monkeypatch.setattr(growth, "run_measured", fails := Fails(run_measured))
    with pytest.raises(UserError):
        growth.run_part(tmp_path / "4", 4, params, stages)
    fails.after = 9
    growth.run_part(tmp_path / "4", 4, params, stages, keep=True)
    assert capsys.readouterr().err.count("download") == 1  # it was not run again
    assert len(list((tmp_path / "4/data/raw").rglob("*.wav"))) == 4 + 1 + 2 + 4 * 2
    growth.run_part(tmp_path / "4", 4, params, stages)
    assert not capsys.readouterr().err
    ((clips, table),) = growth.read_parts(tmp_path).items()
    assert (clips, list(table["stage"])) == (15, ["download", "index"])
    assert (table[["wall", "cpu", "largest", "bytes"]] > 0).all(axis=None)
    growth.run_part(tmp_path / "4", 4, params | {"seed": 1}, stages[:1])
    assert capsys.readouterr().err.count("download") == 1  # anew, with other params
    assert not (tmp_path / "4/data").exists()


class Fails:
    """Raises from the second call on."""

    def __init__(self, work):
        self.work, self.calls, self.after = work, 0, 1

    def __call__(self, *args):
        self.calls += 1
        if self.calls > self.after:
            raise UserError("killed")
        return self.work(*args)


def test_a_part_has_the_first_clips_of_every_cell():
    assert growth.part_of(SIZES["full"], 1) == SIZES["full"]
    assert growth.part_of(SIZES["full"], 8) == (124, 2, 13, 7, 10.0)
    assert growth.part_of(SIZES["tiny"], 100)[:4] == (1, 1, 1, 1)


def test_exponents_are_those_of_the_largest_sizes(tmp_path):
    first, second, whole = growth.growth(parts())
    assert [first.stage, second.stage, whole.stage] == ["a@x", "b", "all"]
    assert first.exponents == pytest.approx(COSTS)
    assert (whole.values["cpu"] == 2 * first.values["cpu"]).all()
    assert (whole.values["largest"] == first.values["largest"]).all()
    assert not first.met  # cpu grows by the square
    values = pd.Series([1000.0, 1, 2, 4], index=[100, 200, 400, 800])
    assert growth.exponent(values) == pytest.approx(1)
    assert pd.isna(growth.exponent(values[:1]))


def test_memory_is_asked_of_all_processes():
    linear = dict.fromkeys(COSTS, 1)
    for most, met in ((2.4, True), (2.6, False)):
        grown = growth.growth({n: table.assign(together=most * 2**30) for n, table in parts(linear).items()})
        assert [one.met for one in grown] == [met] * 3


def test_table_json_and_plot_say_the_same(tmp_path):
    grown = growth.growth(parts())
    lines = growth.as_markdown(grown).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].startswith("| all | ")
    assert growth.as_json(grown)["b"]["exponents"]["cpu"] == 2
    growth.draw(grown, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_inputs_of_a_stage_are_links_and_its_outputs_are_not(tmp_path, params):
    source, stage = tmp_path / "project", Stage("x", [], [Path("data/in")], [Path("data/out")])
    (source / "data/in").mkdir(parents=True)
    (source / "data/in/a").write_text("abc")
    (source / "data/out").mkdir()
    with with_inputs(stage, params, source) as folder:
        assert size([Path("data/in")]) == 3
        assert not (folder / "data/out").exists()
        assert project_params() == params
