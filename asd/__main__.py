"""The command line: ``python -m asd <command>``. A command's module is imported when it is called."""

import argparse
import io
import os
import sys
from importlib import import_module

from asd.core.errors import UserError

COMMANDS = {
    "check": "say how healthy a data set is",
    "compare": "say whether two revisions or experiments really differ",
    "ensemble": "fuse folders of score files, of any code base",
    "evaluate": "compute a year's official metric of any folder of score files",
    "frequencies": "find the characteristic frequencies of a recording",
    "manifest": "write the manifest of a folder of own recordings",
    "results": "print the result table of the last run",
    "score": "score recordings with a trained system",
    "select": "say which system is best on several runs, by no label",
    "submission": "make the challenge's package of one system",
    "table": "tabulate stored scores of several years, each by its own metric",
    "weights": "list, get and check the weights of published encoders",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; exit status 0, or 2 with one line on what the user can mend."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m asd", description="Anomalous sound detection for machines.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, says in COMMANDS.items():
        commands.add_parser(name, help=says, add_help=False)
    chosen, rest = parser.parse_known_args(arguments)
    module = import_module(f"asd.cli.{chosen.command}")
    command = argparse.ArgumentParser(prog=f"python -m asd {chosen.command}", description=COMMANDS[chosen.command])
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
