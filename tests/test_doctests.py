"""Examples in docstrings run."""

import doctest
from importlib import import_module

import pytest
from conftest import ROOT

FILES = [file for file in sorted((ROOT / "asd").rglob("*.py")) if ">>> " in file.read_text(encoding="utf-8")]
MODULES = [".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for f in FILES]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed


def test_every_public_name_is_there():
    import asd

    for name in asd.__all__:
        assert callable(getattr(asd, name)) or getattr(asd, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        asd.nothing  # noqa: B018
