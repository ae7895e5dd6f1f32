"""What all commands have: an example that is one, machine-readable results, completion by the shell."""

import argparse
import json
import shlex
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from conftest import ROOT

from asd.__main__ import COMMANDS, main
from asd.core.artifacts import read_json


def parser_of(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    import_module(f"asd.cli.{name}").add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_that_the_command_understands(name: str, capsys: pytest.CaptureFixture[str]):
    example = import_module(f"asd.cli.{name}").EXAMPLE
    words = shlex.split(example.split("&&")[0])
    assert words[:4] == ["python", "-m", "asd", name]
    parser_of(name).parse_args(words[4:])
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example: {example}" in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and metrics, as a run leaves them; no git."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "metrics").mkdir()
    system = {"seeds": 1, "official": 61.0, "official_low": 60.0, "official_high": 62.0}
    metrics = {"data": {"name": "dcase2025", "split": "dev"}, "frozen": system}
    (tmp_path / "metrics/evaluate.json").write_text(json.dumps(metrics))
    ensemble = {"evidence": {"frozen": {"pseudo_auc": 80.0}}, "scorers": {"frozen": {"own": 80.0}}}
    (tmp_path / "metrics/ensemble.json").write_text(json.dumps(ensemble))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def as_json(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_results_table_and_select_as_json(project: Path, capsys: pytest.CaptureFixture[str]):
    metrics = read_json("metrics/evaluate.json")
    assert as_json(capsys, "results") == metrics
    assert as_json(capsys, "table") == {"2025 dev": metrics}
    chosen = as_json(capsys, "select", ".")
    assert chosen == {
        "criterion": "Diverse Pseudo-AUC",
        "by": "mean",
        "systems": {"frozen": {"mean": 80.0, "worst": 80.0, ".": 80.0}},
    }


def test_published_weights_as_json(capsys: pytest.CaptureFixture[str]):
    rows = as_json(capsys, "weights", "list")
    assert {"name", "licence", "here"} <= set(rows[0])


def test_a_manifest_as_json_says_what_was_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    for name in ("good/a", "good/b", "faulty/a"):
        path = tmp_path / f"fan/{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(100), 16000)
    assert main(["manifest", "fan", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["manifest"], found["recordings"]) == ("data/manifest.csv", 3)
    assert [machine["train"] + machine["test normal"] for machine in found["machines"].values()] == [2]
    assert found["taken"] == [line for line in said.err.splitlines() if ": taken for " in line]


RESULTS = "check compare evaluate explain frequencies manifest results run score select table"


@pytest.mark.parametrize("name", RESULTS.split())
def test_what_prints_results_takes_json(name: str):
    assert "--json" in parser_of(name)._option_string_actions


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands_and_options(shell: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--completion", shell])
    assert not ended.value.code
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "preset" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_presets_are_said_by_help_of_run(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out
    assert all(preset.stem in said for preset in (ROOT / "presets").glob("*.txt"))


def test_quick_has_no_system_that_trains_for_long():
    words = (ROOT / "presets/quick.txt").read_text().split()[1::2]
    kept = yaml.safe_load((ROOT / "params.yaml").read_text())["systems"].keys() - {
        word.removeprefix("~systems.") for word in words
    }
    assert kept == {"autoencoder"}
