"""``python -m bench [NAME...]``: measure, print one markdown table, write it and its JSON to data/.

A file of this folder that has a function ``rows() -> list[Row]`` adds rows; names choose files.
"""

import sys
from importlib import import_module
from pathlib import Path

from asd.core.artifacts import atomic, write_json
from bench.harness import Row, as_json, as_markdown

OUT = Path("data/bench")  # .md and .json; of this machine, so neither tracked nor committed


def main(names: list[str]) -> int:
    """Measure the files named, by default all; exit status 1 where a row is not met."""
    found = sorted(f.stem for f in Path(__file__).parent.glob("*.py"))
    files = [name for name in found if name not in ("__init__", "__main__", "harness", "products")]
    if unknown := sorted(set(names) - set(files)):
        print(f"bench: there is no {unknown[0]} (there is: {', '.join(files)})", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or files:
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        rows += import_module(f"bench.{name}").rows()
    table = as_markdown(rows)
    with atomic(OUT.with_suffix(".md"), "w") as file:
        file.write(table + "\n")
    write_json(OUT.with_suffix(".json"), as_json(rows))
    print(table)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
