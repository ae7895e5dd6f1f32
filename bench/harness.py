"""Rows of ratios: a time or a size beside its reference and its floor, measured in turns, several times."""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

RUNS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table: measured values, the reference, and limits."""

    name: str
    unit: str
    values: list[float]
    """Of several runs; less is better."""
    reference: str
    reference_values: list[float]
    """Of the same number of runs, in turns with ours."""
    floor: str = ""
    floor_values: list[float] = field(default_factory=list)
    """A lower bound of what is possible."""
    min_ratio: float = 0.0
    """Smallest ratio of reference to value."""
    min_fraction: float = 0.0
    """Smallest ratio of floor to value."""
    limit: float = float("inf")
    """Largest value allowed."""

    @property
    def ratio(self) -> float:
        """Ratio of the reference to ours: the median of the runs' ratios, which other load hardly changes."""
        return _ratio(self.reference_values, self.values)

    @property
    def fraction(self) -> float | None:
        """Ratio of the floor to ours, 1 at best; None without a floor."""
        return _ratio(self.floor_values, self.values) if self.floor_values else None

    @property
    def met(self) -> bool:
        """Whether the row keeps its limits."""
        fraction = self.fraction
        near = self.min_fraction == 0 or (fraction is not None and fraction >= self.min_fraction)
        met = self.ratio >= self.min_ratio and near and median(self.values) <= self.limit
        return bool(met)  # values may be numpy's


def in_turns(
    works: Mapping[str, Callable[[Sequence], object]],
    items: Sequence,
    runs: int = RUNS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time several works in turns, several times over, so that all see the same load.

    Parameters
    ----------
    works : mapping
        Functions of the items, by name. Each is called with a few of them beforehand, which is not timed.
    items : sequence
    runs : int
    clock : callable
        Seconds. Works of one thread are better measured by ``time.process_time``, which leaves other load out.

    Returns
    -------
    dict
        Milliseconds per item, of each run.
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
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

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
            **({"fraction_of_floor": _rounded(row.fraction)} if row.fraction else {}),
            "required": required(row),
            "met": row.met,
        }
        for row in rows
    ]


def as_markdown(rows: list[Row]) -> str:
    """Write rows as one markdown table."""
    lines = ["| measured | median [low, high] | reference | ratio | floor | floor / ours | required | met |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    for row in rows:
        ours = f"{median(row.values):.3g} [{min(row.values):.3g}, {max(row.values):.3g}] {row.unit}"
        reference = f"{row.reference}: {median(row.reference_values):.3g} {row.unit}"
        floor = f"{row.floor}: {median(row.floor_values):.3g} {row.unit}" if row.floor_values else ""
        fraction = f"{row.fraction:.0%}" if row.fraction else ""
        met = "yes" if row.met else "NO"
        cells = [row.name, ours, reference, f"{row.ratio:.2f}", floor, fraction, required(row), met]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def required(row: Row) -> str:
    """Write the limits of a row."""
    parts = [f"ratio >= {row.min_ratio:g}"] if row.min_ratio else []
    parts += [f"floor / ours >= {row.min_fraction:.0%}"] if row.min_fraction else []
    parts += [f"<= {row.limit:g} {row.unit}"] if row.limit < float("inf") else []
    return ", ".join(parts)


def _ratio(above: list[float], below: list[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
