"""docs/tutorial.md: its code runs on the real fan clips, prints what stands below it, and draws the page's pictures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ROOT, posix

FOLDER = "mimii_fan_id_00"
PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
PICTURES = [ROOT / "docs" / name for name in re.findall(r"!\[.+\]\((.+)\)", PAGE)]
LARGEST = 60 * 1024  # [bytes]
NUMBER = re.compile(r"(?<!\w)[+-]?\d[\d.,]*(e[+-]\d+)?")
ORDERS = re.compile(r"\bx\d+[-x\d, ]*")
NEARLY = 2  # clips that another processor's rounding may decide otherwise


class Block(NamedTuple):
    """A fenced block of the page, and the blocks of text that follow it: what it prints."""

    language: str
    code: str
    shown: str


def blocks() -> list[Block]:
    fenced = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    starts = [i for i, (language, _) in enumerate(fenced) if language != "text"]
    ends = [*starts[1:], len(fenced)]
    return [
        Block(*fenced[start], "".join(text for _, text in fenced[start + 1 : end]))
        for start, end in zip(starts, ends, strict=True)
    ]


def pattern(line: str) -> str:
    """Write a line without its numbers, blanks and verdicts, which are another processor's."""
    line = NUMBER.sub("#", ORDERS.sub("orders ", line)).replace(", not resolved", "")
    return " ".join(re.sub(r"\b(anomalous|normal)$", "called", line).split())


def figures(text: str, line: str) -> list[float]:
    """Take the numbers of the first line that begins so."""
    found = next(one for one in text.splitlines() if one.startswith(line))
    return [float(number[0]) for number in NUMBER.finditer(found.removeprefix(line))]


def test_the_page_has_code_that_parses_and_pictures_that_it_makes():
    made = blocks()
    assert {block.language for block in made} == {"sh", "python"}
    for block in made:
        if block.language == "python":
            compile(block.code, "docs/tutorial.md", "exec")
    code = "".join(block.code for block in made)
    assert len(PICTURES) == 2
    for picture in PICTURES:
        assert f"--plot {picture.name}" in code
        assert picture.stat().st_size < LARGEST
    assert sorted(PICTURES) == sorted((ROOT / "docs/tutorial").iterdir())


@pytest.fixture(scope="module")
def printed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Block, str]:
    """Run the page in a folder that has the recordings: what each block printed."""
    home = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(shared / "real" / FOLDER, home / FOLDER, ignore=shutil.ignore_patterns("eight_channels"))
    command = home / "bin/asd"  # of this tree and this Python, whatever is installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m asd "$@"\n')
    command.chmod(0o755)
    own = {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    said = {}
    for block in blocks():
        words = ["sh", "-ec"] if block.language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*words, block.code], cwd=home, env=os.environ | own, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.returncode == 0, block.code + done.stderr
        said[block] = done.stderr + done.stdout
    for picture in PICTURES:
        assert (home / picture.name).read_bytes().startswith(b"\x89PNG"), picture.name
    return said


@posix
@pytest.mark.minutes
def test_what_the_page_shows_is_printed(printed: dict[Block, str]):
    for block, said in printed.items():
        lines = {pattern(line) for line in said.splitlines()}
        missing = {line for line in block.shown.splitlines() if line != "..." and pattern(line) not in lines}
        assert not missing, block.code


@posix
@pytest.mark.minutes
def test_counts_are_those_of_the_page_and_decisions_nearly(printed: dict[Block, str]):
    run = next(block for block in printed if "asd run" in block.code)
    shown, said = run.shown, printed[run]
    assert figures(said, FOLDER)[:5] == figures(shown, FOLDER)[:5] == [10, 0, 10, 20, 0]
    clips, called, stated, alarms = figures(said[said.index("machine          test clips") :], FOLDER)
    assert (clips, stated) == (30, 10)
    assert called == pytest.approx(20, abs=NEARLY)
    assert alarms <= 10 * NEARLY
    watch = printed[next(block for block in printed if "load_detector" in block.code)]
    assert watch.count(", anomalous") == pytest.approx(5, abs=NEARLY)
    assert watch.count("ALARM") == pytest.approx(3, abs=NEARLY)
    explained = printed[next(block for block in printed if "asd explain" in block.code)]
    contributions = [float(line.split()[-2]) for line in explained.splitlines() if " band " in line]
    assert max(contributions) == contributions[0] > 0.5 * sum(contributions)  # below 200 Hz
