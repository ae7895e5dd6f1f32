"""Registries: complete for every thread, and after an import that failed."""

import sys
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from asd.core.registry import Registry, by_name
from asd.core.section import Section

VARIANT = """
import time
from {package} import KNOWN
time.sleep(0.05)
KNOWN.register("{name}")({name!r})
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two variants, with a registry."""
    name = "variants_of_a_test"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(f"from asd.core.registry import Registry\nKNOWN = Registry({name!r})\n")
    for variant in ("one", "two"):
        (folder / f"{variant}.py").write_text(VARIANT.format(package=name, name=variant))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def known(folder) -> Registry:
    return __import__(folder.name).KNOWN


def test_every_thread_sees_all_variants(package):
    registry = known(package)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: sorted(registry), range(8))) == [["one", "two"]] * 8


def test_a_failed_import_is_tried_again(package):
    broken = package / "broken.py"
    broken.write_text("raise ImportError('no such thing')")
    registry = known(package)
    for _ in range(2):
        with pytest.raises(ImportError, match="no such thing"):
            registry["one"]
    broken.unlink()
    sleep(0.01)
    assert set(registry) == {"one", "two"}


def test_a_name_is_registered_once(package):
    with pytest.raises(ValueError, match="'one' is registered twice"):
        known(package).register("one")("another") if "one" in known(package) else None


def test_a_block_without_its_key_says_which():
    choose = by_name("kind", {"a": Section})
    with pytest.raises(ValueError, match="kind is missing: choose among a"):
        choose({})
    with pytest.raises(ValueError, match="kind is 'b': choose among a"):
        choose({"kind": "b"})
    with pytest.raises(ValueError, match="a block of keys is wanted, kind among them"):
        choose(3)
