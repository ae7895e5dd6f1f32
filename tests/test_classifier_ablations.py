"""The study of attribute_cnn's parts: every variant is a change of shipped keys that the pipeline accepts."""

import pytest
import yaml
from conftest import ROOT

from asd.errors import UserError
from asd.params import check
from studies.classifier_ablations import ORACLE, SHIPPED, VARIANTS, changed, command


def shipped():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in (SHIPPED, ORACLE)])
def test_every_variant_changes_what_is_shipped_and_is_accepted(name):
    content = changed(shipped(), VARIANTS[name])
    assert content != shipped()
    check(content)


def test_oracle_labels_can_not_be_had_by_a_key():
    with pytest.raises(UserError, match=r"systems\.attribute_cnn\.labels is 'oracle': one of given"):
        check(changed(shipped(), VARIANTS[ORACLE]))


def test_the_command_is_one_line_of_yaml_values():
    assert command({"a.b": 0.0, "c": False, "d": "none"}) == "dvc exp run -S a.b=0.0 -S c=false -S d=none"


def test_a_key_that_is_not_there_is_no_variant():
    for key in ("systems.nobody.train.mixup", "systems.attribute_cnn.train.mixdown"):
        with pytest.raises(KeyError):
            changed(shipped(), {key: 0})
