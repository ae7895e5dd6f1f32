"""Hook of mkdocs: pages of the repository outside docs/ that others link to go into the site, and links lead there."""

import os.path
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")  # of a page to a file


def on_files(files: Files, config: Any) -> Files:
    """Add what pages link to outside docs/, and what those pages link to."""
    waiting = [Path(file.abs_src_path) for file in files.documentation_pages()]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        named = {(page.parent / name).resolve() for name in LINK.findall(page.read_text(encoding="utf-8"))}
        for path in sorted(path for path in named - seen if path.is_file() and ROOT / "docs" not in path.parents):
            files.append(File.generated(config, place(path), abs_src_path=str(path)))
            waiting += [path] if path.suffix == ".md" else []
        seen |= named
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Write the links of a page, which are those of the repository, as those of the site."""
    source = Path(page.file.abs_src_path)
    start = Path(place(source)).parent

    def led(link: re.Match[str]) -> str:
        path = (source.parent / link[1]).resolve()
        return Path(os.path.relpath(place(path), start)).as_posix() if path.is_file() else link[1]

    return LINK.sub(led, markdown)


def place(path: Path) -> str:
    """Give the place in the site of a file of the repository; hidden folders would be left out."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "docs":
        return Path(*inside.parts[1:]).as_posix()
    return "/".join(["repository", *(part.lstrip(".") for part in inside.parts)])
