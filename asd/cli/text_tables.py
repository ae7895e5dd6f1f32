"""Tables of all commands, in one style: rows of text with the heading first, for a terminal or as markdown."""

import re
from typing import Any

import pandas as pd

NUMBER = re.compile(r"[-+]?(\d[\d.,]*(e[-+]?\d+)?|nan|inf)( .*)?")  # a number, and what follows it: unit, interval


def plain(rows: list[list[str]]) -> list[str]:
    """Write rows in columns, those of numbers flush right.

    Examples
    --------
    >>> for line in plain([["machine", "clips"], ["fan", "12"], ["gearbox", "7"]]):
    ...     print(line)
    machine  clips
    fan         12
    gearbox      7
    """
    aligned = []
    for heading, *cells in zip(*rows, strict=True):
        column, width = [heading, *cells], max(map(len, [heading, *cells]))
        aligned.append([cell.rjust(width) if _of_numbers(cells) else cell.ljust(width) for cell in column])
    return ["  ".join(line).rstrip() for line in zip(*aligned, strict=True)]


def markdown(rows: list[list[str]]) -> list[str]:
    """Write rows as a markdown table, columns of numbers flush right."""
    rules = ["---:" if _of_numbers(cells) else "---" for _, *cells in zip(*rows, strict=True)]
    return ["| " + " | ".join(line) + " |" for line in (rows[0], rules, *rows[1:])]


def _of_numbers(cells: list[str]) -> bool:
    """Say whether a column is of numbers, by its first cell that is not empty: others may say that there is none."""
    return NUMBER.fullmatch(next(filter(None, cells), "0")) is not None


def rows_of(table: pd.DataFrame, digits: str = ".6g") -> list[list[str]]:
    """Write a table's cells as text.

    Parameters
    ----------
    table : pd.DataFrame
        Its index gets no column: ``reset_index`` makes it one.
    digits : str
        How a number that is no integer is written.
    """

    def text(value: Any) -> str:
        return format(value, digits) if isinstance(value, float) else str(value)

    return [[str(name) for name in table], *([text(value) for value in row] for row in table.astype(object).to_numpy())]
