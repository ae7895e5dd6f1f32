"""``python -m bench [NAME...]``: measure, print one markdown table, write it and its JSON to data/.

A file of this folder that has a function ``rows() -> list[Row]`` adds rows; names choose files. The options are given
to those functions that have parameters of these names. Three others take minutes or hours, have options of their own
and are run alone: ``python -m bench default|growth|capacity [--help]``.
"""

import argparse
import sys
from importlib import import_module
from inspect import signature
from pathlib import Path

from asd.core.artifacts import atomic, write_json
from asd.core.errors import UserError
from bench.harness import Row, as_json, as_markdown

OUT = Path("data/bench")  # .md and .json; of this machine, so neither tracked nor committed
ALONE = ("capacity", "default", "growth")  # files with a function main(words) in place of rows()
SHARED = ("__init__", "__main__", "harness", "organisers", "pipeline", "products", "transforms")


def main(words: list[str]) -> int:
    """Measure the files named, by default all; exit status 1 where a row is not met, 2 where a word is wrong."""
    try:
        if words and words[0] in ALONE:
            return int(import_module(f"bench.{words[0]}").main(words[1:]))
        return _measured_rows(words)
    except UserError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def _measured_rows(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory as ratios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="files of bench/, by default all")
    parser.add_argument("--clips", type=int, help="of the organisers' baseline among the peers; its own are 1000")
    parser.add_argument("--epochs", type=int, help="of the same; its own are 100")
    options = {key: value for key, value in vars(parser.parse_args(words)).items() if value is not None}
    names = options.pop("names")
    found = sorted(f.stem for f in Path(__file__).parent.glob("*.py"))
    files = [name for name in found if name not in (*ALONE, *SHARED)]
    if unknown := sorted(set(names) - set(files)):
        raise UserError(f"there is no {unknown[0]} (there is: {', '.join(files)}; alone: {', '.join(ALONE)})")
    rows: list[Row] = []
    missing: list[str] = []
    for name in names or files:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        measure = import_module(f"bench.{name}").rows
        try:
            rows += measure(**{key: value for key, value in options.items() if key in signature(measure).parameters})
        except UserError as error:
            missing.append(name)
            print(f"bench: {name} is not measured: {error}", file=sys.stderr)
    table = as_markdown(rows)
    with atomic(OUT.with_suffix(".md"), "w") as file:
        file.write(table + "\n")
    write_json(OUT.with_suffix(".json"), as_json(rows))
    print(table)
    return 0 if all(row.met for row in rows) and not missing else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
