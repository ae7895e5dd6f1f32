"""Rows of ratios: a time or a size beside its reference and its floor, measured in turns, several times."""

import re
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, and what is asked of it."""

    name: str
    unit: str
    values: list[float]
    """Of several runs; less is better."""
    reference: str
    reference_values: list[float]
    """Of the same number of runs, in turns with ours."""
    floor: str = ""
    floor_values: list[float] = field(default_factory=list)
    """What can't be undercut."""
    least_ratio: float = 0.0
    """Of reference to value."""
    least_share: float = 0.0
    """Of floor to value."""
    most: float = float("inf")
    """Largest value allowed."""

    @property
    def ratio(self) -> float:
        """How many times as much the reference takes: the median of the runs' ratios, which other work hardly moves."""
        return _ratio(self.reference_values, self.values)

    @property
    def share(self) -> float | None:
        """How near the floor we are, 1 at best; None without a floor."""
        return _ratio(self.floor_values, self.values) if self.floor_values else None

    @property
    def met(self) -> bool:
        """Whether all that is asked of the row holds."""
        share = self.share
        near = self.least_share == 0 or (share is not None and share >= self.least_share)
        return self.ratio >= self.least_ratio and near and median(self.values) <= self.most


def in_turns(
    works: Mapping[str, Callable[[Sequence], object]],
    items: Sequence,
    runs: int = RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time several works one after the other, several times over, so that all see the same machine.

    Parameters
    ----------
    works : mapping
        What to do with the items, by name. Each does it with a few of them beforehand, which counts for nothing.
    items : sequence
    runs : int
    clock : callable
        Seconds. Works of one thread are better told by ``time.process_time``: what else runs here does not count.

    Returns
    -------
    dict
        Milliseconds an item, of each run.
    """
    for work in works.values():
        work(items[: 1 + len(items) // 20])
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs):
        for name, work in works.items():
            start = clock()
            work(items)
            times[name].append((clock() - start) / len(items) * 1000)
    return times


def peak_memory() -> float:
    """Read the peak memory of this process [MiB]."""
    status = Path("/proc/self/status")
    text = status.read_text() if status.exists() else ""
    if peak := re.search(r"VmHWM:\s+(\d+)", text):  # getrusage would count the process that started this one, too
        return int(peak[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def as_json(rows: list[Row]) -> list[dict]:
    """Write rows as plain values."""
    return [
        {
            "name": row.name,
            "unit": row.unit,
            "median": _rounded(median(row.values)),
            "low": _rounded(min(row.values)),
            "high": _rounded(max(row.values)),
            "runs": len(row.values),
            "reference": row.reference,
            "reference_median": _rounded(median(row.reference_values)),
            "ratio": _rounded(row.ratio),
            **({"floor": row.floor, "floor_median": _rounded(median(row.floor_values))} if row.floor_values else {}),
            **({"share_of_floor": _rounded(row.share)} if row.share else {}),
            "asked": asked(row),
            "met": row.met,
        }
        for row in rows
    ]


def as_markdown(rows: list[Row]) -> str:
    """Write rows as one markdown table."""
    lines = ["| what | median [low, high] | reference | ratio | floor | floor / ours | asked | met |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for row in rows:
        ours = f"{median(row.values):.3g} [{min(row.values):.3g}, {max(row.values):.3g}] {row.unit}"
        reference = f"{row.reference}: {median(row.reference_values):.3g} {row.unit}"
        floor = f"{row.floor}: {median(row.floor_values):.3g} {row.unit}" if row.floor_values else ""
        share = f"{row.share:.0%}" if row.share else ""
        cells = [row.name, ours, reference, f"{row.ratio:.2f}", floor, share, asked(row), "yes" if row.met else "NO"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def asked(row: Row) -> str:
    """Say what is asked of a row."""
    parts = [f"ratio >= {row.least_ratio:g}"] if row.least_ratio else []
    parts += [f"floor / ours >= {row.least_share:.0%}"] if row.least_share else []
    parts += [f"<= {row.most:g} {row.unit}"] if row.most < float("inf") else []
    return ", ".join(parts)


def _ratio(above: list[float], below: list[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
