"""The code of docs/extending.md, by file; importing this adds the parts that $ASD_ADDED has."""

import os
import re
from importlib import import_module
from pathlib import Path

from conftest import ROOT

PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
CODE = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
PARTS = {name: text for name, text in CODE.items() if name.startswith("asd/")}


def write(folder: Path) -> None:
    """Write the parts, each into a folder of its package."""
    for name, text in PARTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def add(folder: Path) -> None:
    """Make packages find the parts that were written there."""
    for name in PARTS:
        package = Path(name).parent
        import_module(".".join(package.parts)).__path__.append(str(folder / package))


if added := os.environ.get("ASD_ADDED"):
    add(Path(added))
