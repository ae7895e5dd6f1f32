"""Links between pages lead somewhere, and the commands that pages name exist."""

import argparse
import os
import re
import shlex
import subprocess
import sys
from ast import literal_eval
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from dvc.utils.hydra import apply_overrides

from asd.params import check

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/README.md"])

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())

TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]
by_page_of_today = pytest.mark.parametrize("page", TODAY, ids=lambda page: page.relative_to(ROOT).as_posix())


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_page
def test_links_lead_somewhere(page: Path):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    assert [page.name for page in ROOT.glob("docs/*.md") if f"({page.name})" not in index] == ["README.md"]


def test_every_page_is_in_the_site():
    def named(entries: list) -> list[str]:
        lists = [entry if isinstance(entry, str) else named(next(iter(entry.values()))) for entry in entries]
        return [name for part in lists for name in ([part] if isinstance(part, str) else part)]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = {name for name in named(site["nav"]) if not name.startswith("repository/")}
    assert pages == {page.name for page in ROOT.glob("docs/*.md")}


def commands(page: Path) -> tuple[list[str], list[str]]:
    """Commands of a page: those of its blocks, and what stands between backticks in its text."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)```|^((?: {4}.+\n)+)", text, re.DOTALL | re.MULTILINE)
    lines = [re.split(r"\s+#", line.strip())[0] for block in blocks for line in "".join(block).splitlines()]
    return lines, re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def helped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str, *words: str) -> str:
    """Take the help of a command, which ends with status 0."""
    monkeypatch.setattr(sys, "argv", [module, *words, "--help"])
    with pytest.raises(SystemExit) as left:
        import_module(module).main()
    assert left.value.code == 0, words
    return capsys.readouterr().out


@by_page_of_today
def test_commands_that_a_page_names_exist(page: Path, capsys, monkeypatch):
    lines, spans = commands(page)
    for command in lines + spans:
        found = re.match(r"(?:python -m (?:asd|(studies\.[a-z_]+))|asd)(?: ([a-z_]+))?( .*|$)", command)
        if not found or not (found[1] or found[2]):
            continue
        module, name, rest = found.groups()
        says = helped(capsys, monkeypatch, module or "asd.__main__", *([name] if name else []))
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
            subcommand = (
                helped(capsys, monkeypatch, "asd.__main__", "weights", rest.split()[0]) if name == "weights" else ""
            )
            assert option in says + subcommand, command
        if command in lines and not module and not re.search(r"[\[<]|\.\.\. ", command):
            parser = argparse.ArgumentParser(exit_on_error=False)
            import_module(f"asd.cli.{name}").add_arguments(parser)
            parser.parse_args(shlex.split(rest))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in lines + spans:
        if found := re.fullmatch(r"make ([a-z][a-z-]*)", command):
            assert found[1] in targets, command
        if re.fullmatch(r"(asd|bench|docs|presets|stages|studies|tests|\.github)/[\w/.-]+\.\w+", command):
            assert (ROOT / command).exists(), command


@by_page_of_today
def test_settings_that_a_page_names_are_right(page: Path, workdir: Path):
    lines, spans = commands(page)
    shipped = Path("params.yaml").read_text(encoding="utf-8")
    for command in lines + spans:
        if not re.match(r"dvc exp run .|python -m studies\.real .*(-S|cat)|-S ", command) or "NAME" in command:
            continue
        presets = " ".join(re.findall(r"\$\(cat ([^)]+)\)", command)).split()
        words = [word for preset in presets for word in (ROOT / preset).read_text(encoding="utf-8").split()]
        words += shlex.split(re.sub(r"\$\([^)]+\)", "", command))
        Path("params.yaml").write_text(shipped, encoding="utf-8")
        if "dataset.machines" in command:  # of own recordings
            words += ["-S", "dataset.name=folder"]
        apply_overrides("params.yaml", [word for flag, word in pairwise(words) if flag == "-S"])
        check(yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_the_settings_are_those_of_the_types():
    make = "import runpy; print(ascii(runpy.run_path('docs/params.py')['page']()))"  # here, tests have registered more
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", make], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    page = literal_eval(done.stdout.decode())
    assert (ROOT / "docs/params.md").read_text(encoding="utf-8") == page, "run python docs/params.py"
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| `")]
    assert len(rows) > 150
    for key, values, *_, says in rows:
        closed = values.startswith("`")  # values that are listed speak for themselves
        assert closed or says != " |", (
            f"{key}: say what it is, in the field, a docstring, params.yaml or docs/params.py"
        )
