"""dvc.yaml says what the code really does."""

import ast
import json
import shutil
from functools import cache
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

STAGES = {s.addressing: s for s in Repo(str(ROOT)).index.stages}
TABLES = ("registry.py", "dataset.py")  # files that import by name what stands in their folder


def module_file(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    return next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)


def imported_names(file: Path) -> set[str]:
    names: set[str] = set()
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Registry":
            names |= variants(str(getattr(node.args[0], "value", "")))
        elif file.name in TABLES and isinstance(node, ast.Constant) and str(node.value).startswith("asd."):
            name = str(node.value).split(":")[0]
            names |= {name} | {f"{name}.{own.stem}" for own in ROOT.joinpath(*name.split(".")).glob("*.py")}
    return names


def variants(package: str) -> set[str]:
    """The modules that a registry imports when asked."""
    return {f"{package}.{file.stem}" for file in ROOT.joinpath(*package.split(".")).glob("*.py")}


def tables_beside(file: Path) -> list[Path]:
    """YAML tables that a file names and that stand in its folder."""
    named = [str(n.value) for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)]
    return [file.parent / name for name in named if name.endswith(".yaml") and (file.parent / name).is_file()]


@cache
def imported(path: Path) -> frozenset[Path]:
    """Every file of ours that importing ``path`` runs or may run, itself included."""
    found: set[Path] = set()
    queue = [path]
    while queue:
        file = queue.pop()
        if file in found:
            continue
        found.add(file)
        for name in imported_names(file):
            parts = name.split(".")
            queue += [hit for i in range(1, len(parts) + 1) if (hit := module_file(".".join(parts[:i])))]
        found.update(tables_beside(file))
    return frozenset(f for f in found if f.stat().st_size)  # an empty __init__ carries nothing


def deps(name: str) -> set[str]:
    return {d.def_path for d in STAGES[name].deps}


def covers(dep: Path, file: Path) -> bool:
    return dep == file or dep in file.parents


@pytest.mark.parametrize("name", STAGES)
def test_every_import_is_a_dep_and_every_dep_an_import(name):
    runs = imported(script(name)) - {ROOT / "asd" / "__init__.py"}  # public names alone
    listed = {ROOT / d for d in deps(name) if d.startswith(("asd", "stages"))}
    missing = sorted(str(f.relative_to(ROOT)) for f in runs if not any(covers(d, f) for d in listed))
    idle = sorted(str(d.relative_to(ROOT)) for d in listed if not any(covers(d, f) for f in runs))
    assert not missing, f"{name}: add {missing}"
    assert not idle, f"{name}: drop {idle}"


def script(name: str) -> Path:
    module = STAGES[name].cmd.split()[2]
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


PACKAGES = {  # of each script its own
    "check": {"classifiers", "encoders", "features", "pseudo_labels", "scoring"},
    "download": {"datasets", "simulation"},
    "index": {"datasets", "simulation"},
    "features": {"features"},
    "adapt": {"adaptation", "encoders"},
    "embed": {"encoders"},
    "pseudo_label": {"pseudo_labels"},
    "train": {"classifiers", "encoders"},
    "embeddings": {"classifiers", "encoders"},
    "training_free": {"encoders"},
    "score": {"scoring", "selection"},
    "ensemble": {"scoring", "selection"},
    "evaluate": {"evaluation"},
    "report": {
        "classifiers",
        "datasets",
        "encoders",
        "features",
        "report",
        "scoring",
        "selection",
    },  # it explains scores
}


def test_only_packages_of_its_own_are_deps_of_a_stage():
    """Any other package would make a stage stale for nothing: of those single files."""
    for name in STAGES:
        folders = {d.removeprefix("asd/") for d in deps(name) if d.startswith("asd/") and (ROOT / d).is_dir()}
        assert folders == PACKAGES[script(name).stem] | {"core"}


def readers(path: str) -> set[str]:
    return {name.split("@")[0] for name in STAGES if path in deps(name)}


def test_truth_is_read_by_index_and_evaluate_alone():
    assert readers("data/truth") == {"index"}
    assert readers("data/ground_truth.csv") == {"evaluate"}
    assert readers("data/evaluation") == {"report"}  # scores beside truth: nothing that scores may see it


def test_only_index_features_and_the_report_open_audio():
    assert readers("data/raw") == {"index"}
    assert readers("data/files.csv") == {"features", "evaluate", "report"}  # evaluate: names in official files
    assert not readers("data/report"), "nothing that learns or judges comes behind the sounds of the report"


def test_nothing_that_learns_sees_a_test_clip():
    for name in STAGES:
        if name.split("@")[0] in ("adapt", "embed", "pseudo_label", "train"):
            assert not [d for d in deps(name) if d.startswith("data/features") and not d.endswith("/train")]
            assert not [d for d in deps(name) if d.startswith(("data/embeddings", "data/scores", "data/files"))]
            assert "data/clips.csv" not in deps(name), "a larger test set would train anew"


def test_lock_and_metrics_hold_nothing_of_stages_that_are_gone():
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    outs = {o.def_path for s in STAGES.values() for o in s.outs}
    files = {str(f.relative_to(ROOT)) for f in (ROOT / "metrics").rglob("*") if f.is_file()}
    assert set(lock) == set(STAGES)
    assert files <= outs


def test_another_list_of_systems_reruns_the_ensemble_and_what_follows_alone():
    """A stage of one system names its own block; ``check`` runs, but what it writes of encoders is the same."""
    keys = {name: {p for d in s.deps for p in getattr(d, "params", [])} for name, s in STAGES.items()}
    listing = {name.split("@")[0] for name, own in keys.items() if {"systems", "training_free"} <= own}
    assert listing == {"ensemble", "evaluate", "report"}
    made = {out.def_path for name in STAGES if name.split("@")[0] in listing for out in STAGES[name].outs}
    assert {name.split("@")[0] for name in STAGES if made & deps(name)} <= listing
    for name, own in keys.items():
        of_systems = {key for key in own if key.startswith(("systems.", "training_free."))}
        assert all(key.split(".")[1] == name.split("@")[1] for key in of_systems)


def test_scores_and_evidence_see_no_truth():
    for name in STAGES:
        if script(name).stem in ("score", "ensemble"):
            assert not [d for d in deps(name) if "truth" in d or d.startswith("data/evaluation")]


def test_how_is_never_a_reason_to_rerun():
    listed = {p for s in STAGES.values() for d in s.deps for p in getattr(d, "params", [])}
    assert not [p for p in listed if p.startswith("compute")]
    assert not [p for p in listed if p.endswith(".paper")]


def test_every_metric_file_is_committed_uncached_json():
    for stage in STAGES.values():
        for out in stage.outs:
            assert bool(out.metric or out.plot) == out.def_path.startswith("metrics/")
            assert out.use_cache != out.def_path.startswith("metrics/")
    for file in (ROOT / "metrics").rglob("*.json"):
        text = file.read_text()
        assert json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n" == text


def named_machines() -> set[str]:
    """Machines of every year and of the factory."""
    years = yaml.safe_load((ROOT / "asd/datasets/years.yaml").read_text())["years"].values()
    return {machine for year in years for part in year["machines"].values() for machine in part}


def test_no_machine_is_named_in_params_or_presets():
    """First-shot: one rule for every machine."""
    machines = named_machines()
    assert {"ToyCar", "bearing", "ScrewFeeder"} <= machines

    def keys(content):
        if isinstance(content, dict):
            for key, value in content.items():
                yield str(key)
                yield from keys(value)

    for file in ROOT.glob("*params*.yaml"):
        assert not machines & set(keys(yaml.safe_load(file.read_text())))
    for preset in (ROOT / "presets").iterdir():
        overrides = [word.split("=")[0] for word in preset.read_text().split() if "=" in word]
        assert not machines & {part for key in overrides for part in key.split(".")}


def test_params_file_survives_dvc(tmp_path):
    """``-S`` on one key makes a one-line diff: lists as blocks, no comment near them, no line above 80 columns."""
    lines = (ROOT / "params.yaml").read_text().splitlines()
    assert max(map(len, lines)) <= 80
    copy = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", copy)
    with modify_yaml(copy) as content:
        content["training_free"]["frozen"]["score"]["n_neighbors"] = 3
    changed = [(a, b) for a, b in zip(lines, copy.read_text().splitlines(), strict=True) if a != b]
    assert changed == [("      n_neighbors: 4", "      n_neighbors: 3")]
