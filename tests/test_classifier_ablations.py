"""The study of systems' parts: every variant is a change of shipped keys that the pipeline accepts, one line each."""

import argparse

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from asd.core.errors import UserError
from asd.params import check
from studies import classifier_ablations, shared
from studies.classifier_ablations import ORACLE, SHIPPED, VARIANTS, changed, command, variants

ROWS = [(system, name) for system, own in VARIANTS.items() for name in own]
KEYED = [row for row in ROWS if row[1] not in (SHIPPED, ORACLE)]


def shipped():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize(("system", "name"), KEYED)
def test_every_variant_changes_what_is_shipped_and_is_accepted(system, name):
    content = changed(shipped(), VARIANTS[system][name])
    assert content != shipped()
    check(content)


@pytest.mark.slow
@pytest.mark.parametrize("system", VARIANTS)
def test_dvc_makes_the_same_of_the_command(system, workdir):
    for name, changes in VARIANTS[system].items():
        if name not in (SHIPPED, ORACLE):
            (workdir / "params.yaml").write_text((ROOT / "params.yaml").read_text())
            words = command(changes).split()[3:]
            assert set(words[::2]) == {"-S"}
            apply_overrides("params.yaml", words[1::2])
            assert yaml.safe_load((workdir / "params.yaml").read_text()) == changed(shipped(), changes)


@pytest.mark.parametrize("system", [system for system, own in VARIANTS.items() if ORACLE in own])
def test_oracle_labels_can_not_be_had_by_a_key(system):
    with pytest.raises(UserError, match=rf"systems\.{system}\.labels is 'oracle': one of given"):
        check(changed(shipped(), VARIANTS[system][ORACLE]))


def test_the_command_is_one_line_of_yaml_values():
    changes = {"a.b": 0.0, "c": False, "d": "none", "e": None}
    assert command(changes) == "dvc exp run -S a.b=0.0 -S c=false -S d=none -S e=null"


def test_a_key_that_is_not_there_is_no_variant():
    for key in ("systems.nobody.train.mixup", "systems.attribute_cnn.train.mixdown"):
        with pytest.raises(KeyError):
            changed(shipped(), {key: 0})


def test_a_variant_that_fails_leaves_the_project_as_shipped(workdir, monkeypatch):
    made = [workdir / "data" / kind / "noise_aware_cnn" / "made" for kind in ("models", "embeddings")]
    for file in made:
        file.parent.mkdir(parents=True)
        file.write_text("as shipped")

    def fails(_):
        assert yaml.safe_load((workdir / "params.yaml").read_text()) != shipped()
        made[0].parent.mkdir()
        made[0].write_text("as in the variant")
        raise RuntimeError

    monkeypatch.setattr(classifier_ablations, "embed_clips", fails)
    with pytest.raises(RuntimeError):
        classifier_ablations.scored(shipped(), "noise_aware_cnn", VARIANTS["noise_aware_cnn"]["softmax"])
    assert yaml.safe_load((workdir / "params.yaml").read_text()) == shipped()
    assert [file.read_text() for file in made] == ["as shipped"] * 2


@pytest.mark.minutes
@pytest.mark.parametrize("system", ["noise_aware_cnn", "noise_aware_ssl", "domain_adapted", "group_lora"])
def test_every_variant_runs_on_a_tiny_factory(system, tmp_path, monkeypatch):
    content = shipped()
    content["dataset"]["machines"] = "fan+bearing"
    content["encoders"]["tiny"] |= {"dims": 16, "heads": 2}
    content["adapt"]["tiny"] |= {"steps": 3, "batch": 4}
    content["encoders"]["dual_branch"]["width"] = 2
    train = content["systems"][system]["train"]
    train["steps"], train["freeze_steps"] = 2, 1
    if system != "noise_aware_ssl":
        del train["freeze_steps"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(shared, "PARAMS", tmp_path / "params.yaml")
    monkeypatch.setattr(shared, "PROJECTS", tmp_path / "studies")
    args = argparse.Namespace(size="tiny", training_seeds=[0], systems=[system], system=system)
    args.variants = list(VARIANTS[system])
    sections = variants(args, 1000)
    assert {section.machine for section in sections} == {"fan 1000", "bearing 1000"}
    assert all(set(section.scores) == set(VARIANTS[system]) for section in sections)
    different = [name for name in args.variants if (sections[0].scores[name] != sections[0].scores[SHIPPED]).any()]
    assert set(different) >= set(args.variants) - {SHIPPED, "labels by choice", "labels by clustering", "no mixup"}
