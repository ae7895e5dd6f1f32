"""The command line: ``python -m asd <command>``. A command's module is imported when it is called."""

import argparse
import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from asd.core.errors import UserError

COMMANDS = {
    "check": "say how healthy a data set is",
    "compare": "say whether two revisions or experiments really differ",
    "ensemble": "fuse folders of score files, of any code base",
    "evaluate": "compute a year's official metric of any folder of score files",
    "explain": "say which bands and times of a recording made its score",
    "export": "write a trained system as one ONNX graph",
    "frequencies": "find the characteristic frequencies of a recording",
    "init": "make a project outside of the source tree",
    "manifest": "write the manifest of a folder of own recordings",
    "plots": "make pages of dvc plots open without a network",
    "results": "print the result table of the last run",
    "run": "go from a folder of recordings to decisions and the report",
    "score": "score recordings with a trained system",
    "select": "say which system is best on several runs, by no label",
    "serve": "show the report in a browser and score what is dropped onto it",
    "stage": "run one stage of the pipeline",
    "submission": "make the challenge's package of one system",
    "table": "tabulate stored scores of several years, each by its own metric",
    "weights": "list, get and check the weights of published encoders",
}
SHELLS = ("bash", "zsh", "tcsh")


class Completion(argparse.Action):
    """Prints a shell's completion script of the command ``asd``, with the options of all commands."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Print the script and exit."""
        import shtab  # which DVC brings

        whole = argparse.ArgumentParser(prog="asd")
        commands = whole.add_subparsers()
        for name, says in COMMANDS.items():
            command = commands.add_parser(name, help=says)
            import_module(f"asd.cli.{name}").add_arguments(command)
            for action in command._actions:
                if action.type is Path:
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        print(shtab.complete(whole, values))
        parser.exit()


def main(arguments: list[str] | None = None) -> int:
    """Run one command; exit status 0, or 2 with one line on what the user can mend."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m asd", description="Anomalous sound detection for machines.")
    parser.add_argument("--completion", action=Completion, choices=SHELLS, help="print the script of a shell, and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, says in COMMANDS.items():
        commands.add_parser(name, help=says, add_help=False)
    chosen, rest = parser.parse_known_args(arguments)
    module = import_module(f"asd.cli.{chosen.command}")
    command = argparse.ArgumentParser(
        prog=f"python -m asd {chosen.command}",
        description=COMMANDS[chosen.command],
        epilog=f"example: {module.EXAMPLE}",
    )
    module.add_arguments(command)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks the letters of a machine's name gets escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = int(module.main(command.parse_args(rest)))
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"asd: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads the output, such as head, has had enough; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
