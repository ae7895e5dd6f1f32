"""README's table is that of the committed metrics, also where another kind of processor has made others."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from committed_run import committed, committed_names
from conftest import ROOT

from asd.cli.results import papers, result_table
from asd.cli.text_tables import markdown


def holds(root: Path = ROOT) -> bool:
    """Say whether the table is in README."""
    metrics = json.loads(committed("metrics/evaluate.json", root))
    after = papers(yaml.safe_load(committed("params.yaml", root)))
    return "\n".join(markdown(result_table(metrics, after))) in committed("README.md", root)


def test_the_result_table_is_true():
    assert holds()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with README and metrics; where git is, nothing of it is committed."""
    (tmp_path / "metrics" / "adapt").mkdir(parents=True)
    (tmp_path / "metrics" / "adapt" / "tiny.json").write_text("{}")
    for name in ("README.md", "params.yaml", "metrics/evaluate.json"):
        (tmp_path / name).write_text(committed(name), encoding="utf-8")
    return tmp_path


def commit(root: Path) -> None:
    """Commit everything."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y.example"]
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Replace a text that is in a file."""
    content = (root / name).read_text(encoding="utf-8")
    assert old in content
    (root / name).write_text(content.replace(old, new), encoding="utf-8")


def other_figures(root: Path) -> None:
    """Write metrics as another kind of processor would."""
    metrics = json.loads((root / "metrics/evaluate.json").read_text())
    metrics["autoencoder"]["official"] += 1.0
    (root / "metrics/evaluate.json").write_text(json.dumps(metrics))
    (root / "metrics/adapt/more.json").write_text("{}")


def test_a_run_on_another_processor_does_not_make_it_false(checkout):
    commit(checkout)
    assert holds(checkout)
    other_figures(checkout)
    assert holds(checkout)
    assert committed_names("metrics/adapt", checkout) == ["metrics/adapt/tiny.json"]
    commit(checkout)
    assert not holds(checkout), "a commit of these metrics needs their table"


def test_it_is_found_false_before_it_is_committed(checkout):
    commit(checkout)
    edit(checkout, "README.md", "simulated/autoencoder", "simulated/autodecoder")
    assert not holds(checkout)


def test_without_git_the_files_are_what_counts(checkout):
    assert holds(checkout)
    assert committed_names("metrics/adapt", checkout) == ["metrics/adapt/tiny.json"]
    other_figures(checkout)
    assert not holds(checkout)
