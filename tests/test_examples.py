"""The examples in docstrings of metrics, clips and kinematics come out as written."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "asd.core.clips",
    "asd.datasets.attributes",
    "asd.evaluation.auc",
    "asd.evaluation.decision_figures",
    "asd.evaluation.official",
    "asd.core.kinematics",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    done = doctest.testmod(import_module(name))
    assert done.attempted
    assert not done.failed
