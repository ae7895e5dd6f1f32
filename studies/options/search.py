"""Settings that ``check`` accepts and a later stage refuses: every pair of options of a unit is tried, and run cheaply.

    python -m studies.options [--pairs 300] [--units system adapt] [--seed 0]

Alternatives of every key are read off the typed models: other choices, both booleans, bounds of numbers, a value just
inside, a large one, names of other blocks. A unit is a small params.yaml and those of its keys that act together.
Every change and every pair of changes goes through :func:`asd.params.check`; what it accepts is computed as the stages
would, in memory, over half a second of noise and tones of two machines. Prints what was accepted and failed, and
counts. Pairs with a change that fails by itself are left out. Exits with 1 where something failed.
"""

import copy
import random
import signal
import sys
import warnings
from argparse import ArgumentParser
from collections import Counter
from itertools import combinations
from typing import Any

from asd.core.errors import UserError
from asd.params import check
from studies.options.alternatives import Change, begins, changes
from studies.options.units import Unit, units

PATIENCE = 20.0  # [s] of the processor for one run


def changed(content: dict[str, Any], some: tuple[Change, ...]) -> dict[str, Any]:
    """Copy a params.yaml and change some keys; blocks that are not written are begun."""
    content = copy.deepcopy(content)
    for path, value in some:
        block = content
        for key in path[:-1]:
            block[key] = block.get(key) or {}
            block = block[key]
        block[path[-1]] = copy.deepcopy(value)
    return content


def outcome(unit: Unit, some: tuple[Change, ...]) -> tuple[str, str]:
    """Try some changes: ``refused`` by check, ``failed`` later, or ``run``; and the message."""
    try:
        params = check(changed(unit.content, some))
    except UserError as error:
        return "refused", str(error)
    except Exception as error:  # check itself must refuse in a line
        return "failed", f"check: {type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        unit.run(params)
    except Exception as error:  # whatever a stage would end with
        return "failed", " ".join(f"{type(error).__name__}: {error}".split())[:300]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return "run", ""


def search(name: str, unit: Unit, most: int | None, seed: int) -> Counter[str]:
    """Try the changes of a unit one by one, then pairs of those that do not fail by themselves; print what fails.

    Parameters
    ----------
    name : str
    unit : Unit
    most : int or None
        Pairs that are tried, chosen at random; None: all.
    seed : int
        Of the choice.

    Returns
    -------
    Counter
        ``tried``, ``refused``, ``run``, ``failed``, ``left out``.
    """
    counts: Counter[str] = Counter()

    def tried(some: tuple[Change, ...]) -> str:
        what, message = outcome(unit, some)
        counts.update(("tried", what))
        if what == "failed":
            print(f"FAILED {name}: {' '.join(map(str, some))}: {message}", flush=True)
        return what

    check(unit.content)
    single = changes(check(unit.content), unit.keys)
    tried(())
    fine = [one for one in single if tried((one,)) != "failed"]
    pairs = [pair for pair in combinations(fine, 2) if pair[0].path != pair[1].path and concerns(unit, pair)]
    counts["left out"] += sum(a.path != b.path for a, b in combinations(single, 2)) - len(pairs)
    chosen = pairs if most is None or most >= len(pairs) else random.Random(f"{seed} {name}").sample(pairs, most)
    counts["left out"] += len(pairs) - len(chosen)
    for pair in chosen:
        tried(pair)
    return counts


def concerns(unit: Unit, pair: tuple[Change, Change]) -> bool:
    """Tell whether a pair of changes is one that the unit is about."""
    return not unit.about or any(begins(one.path, unit.about) for one in pair)


def main() -> None:
    """Search all units, or some; print what failed and the counts."""
    parser = ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, help="of all units together at most, chosen at random; default: all")
    parser.add_argument("--units", nargs="*", default=[""], help="names, or their beginnings")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGVTALRM, _too_long)
    chosen = [(name, unit) for name, unit in units() if name.startswith(tuple(args.units))]
    total: Counter[str] = Counter()
    print("| unit | tried | refused by check | run | failed later | pairs left out |\n| --- |" + " ---: |" * 5)
    for name, unit in chosen:
        counts = search(name, unit, None if args.pairs is None else -(-args.pairs // len(chosen)), args.seed)
        total += counts
        print(line(name, counts), flush=True)
    print(line("all", total))
    sys.exit(bool(total["failed"]))


def line(name: str, counts: Counter[str]) -> str:
    """Write a line of the table."""
    figures = (counts[key] for key in ("tried", "refused", "run", "failed", "left out"))
    return f"| {' | '.join([name, *map(str, figures)])} |"


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {PATIENCE:g} s of the processor")
