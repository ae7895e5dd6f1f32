"""``python -m asd plots``: from now on pages of ``dvc plots`` hold their scripts and open without a network."""

import argparse
from pathlib import Path

from asd.core.artifacts import atomic
from asd.core.errors import UserError

DVC = Path(".dvc")
PAGE = "plots_page.html"  # in .dvc, where git sees only what is said to be the project's
BEFORE = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>dvc plots</title>\n{refresh_tag}\n'
BEHIND = "</head>\n<body>\n{plot_divs}\n</body>\n</html>\n"  # DVC fills in braces; without {scripts} it names no server
EXAMPLE = "python -m asd plots && dvc plots diff HEAD~1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Make pages of dvc plots open without a network: the page that DVC fills in holds the scripts of Vega, which "
        "otherwise come from a server at each look. Once a clone. Needs pip install asd[plots]."
    )


def main(_: argparse.Namespace) -> int:
    """Write the page, and say in DVC's local configuration that it is to be used."""
    from dvc.config import Config

    if not DVC.is_dir():
        raise UserError(f"{DVC} is missing: run from the root of a project")
    with atomic(DVC / PAGE, "w") as file:
        file.write(f"{BEFORE}<script>{_scripts()}</script>\n{BEHIND}")
    with Config(dvc_dir=str(DVC)).edit("local") as config:
        config["plots"]["html_template"] = PAGE
    print("dvc plots show and dvc plots diff now write pages that open without a network; to undo it:")
    print("dvc config --local --unset plots.html_template")
    return 0


def _scripts() -> str:
    try:
        from vl_convert import javascript_bundle
    except ImportError:
        raise UserError("vl_convert is not installed: pip install asd[plots]") from None
    return javascript_bundle()
