"""Tables as spreadsheets save them: commas, semicolons or tabs, UTF-8 or UTF-16, empty columns and rows at the end."""

import codecs
import csv
import io
from collections import Counter
from pathlib import Path

import pandas as pd

from asd.core.errors import UserError

MARKS = (  # byte order marks, the longer first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WORKBOOKS = {b"PK\x03\x04": "a workbook (xlsx, ods)", b"\xd0\xcf\x11\xe0": "a workbook (xls)", b"%PDF": "a PDF"}
SEPARATORS = ",;\t|"
SAVE = 'save it as "CSV UTF-8"'


def read_spreadsheet(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a table of text.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        The names that a header may have, in any case; by them the separator is found.

    Returns
    -------
    pd.DataFrame
        Text without blanks at its ends. The index is the line in the file less 2: 0 stands below a header in line 1.

    Raises
    ------
    UserError
        Where it is missing or no such table, in one line that says what it is and how to save it.
    """
    lines = [(number, cells) for number, cells in _rows(path, _text(path), columns) if any(cells)]
    if not lines:
        raise UserError(f"{path} is no CSV table (it is empty): {SAVE} with a header and a line a row")
    (top, header), rows = lines[0], lines[1:]
    header = _header(path, top, header, rows)
    for number, cells in rows:
        if any(cells[len(header) :]):
            raise UserError(f"{path} line {number} has {len(cells)} cells, its header {len(header)}: mend the line")
    filled = [[*cells, *[""] * len(header)][: len(header)] for _, cells in rows]
    table = pd.DataFrame(filled, columns=header, index=[number - 2 for number, _ in rows], dtype=object)
    return table.drop(columns=[name for name in header if not name])


def _header(path: Path, number: int, header: list[str], rows: list[tuple[int, list[str]]]) -> list[str]:
    """Check the header and cut off what has no name and no cells at its end."""
    while header and not header[-1]:
        header = header[:-1]
    header = ["_".join(name.casefold().split()) for name in header]
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise UserError(f"{path} line {number} has the column {twice[0]} twice: remove one")
    for place, name in enumerate(header):
        if not name and any(cells[place] for _, cells in rows if len(cells) > place):
            raise UserError(f"{path} line {number}: column {place + 1} has no name: name or remove it")
    return header


def _text(path: Path) -> str:
    """Decode a file, which says its encoding itself or is UTF-8."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: write it with python -m asd manifest DIR") from None
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}): name a CSV table") from None
    if kind := next((kind for start, kind in WORKBOOKS.items() if content.startswith(start)), ""):
        raise UserError(f"{path} is no CSV table but {kind}: {SAVE}")
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "")
    if not encoding:  # UTF-16 without a mark: every second byte of ASCII is 0
        odd, even = content[1:400:2].count(0), content[:400:2].count(0)
        half = len(content[:400]) // 4
        encoding = "utf-16-le" if odd > half else "utf-16-be" if even > half else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        what = f"line {line} is not UTF-8, perhaps of an older code page" if encoding == "utf-8" else f"no {encoding}"
        raise UserError(f"{path} is no CSV table that can be read ({what}): {SAVE}") from None


def _rows(path: Path, text: str, columns: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Take the lines apart, numbered, by the separator that shows the most known columns."""
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.strip(f' \r\n{SEPARATORS}"')), 0)
    told = lines[start].strip().strip('"').casefold() if lines else ""
    separators = SEPARATORS
    if told.startswith("sep=") and len(told) == 5:  # Excel's own first line
        separators, start = told[-1], start + 1
    elif told == "sep=":
        separators, start = "\t", start + 1
    head = "".join(lines[start : start + 1])

    def known(separator: str) -> tuple[int, int]:
        names = next(csv.reader([head], delimiter=separator), [])
        return len({name.strip().casefold() for name in names} & set(columns)), len(names)

    separator = max(separators, key=known)
    try:
        reader = csv.reader(io.StringIO("".join(lines[start:]), newline=""), delimiter=separator)
        return [(start + reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV table ({error}): {SAVE}") from None
