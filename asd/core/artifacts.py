"""Reading and writing of artifacts: always whole, always the same bytes for the same content."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from asd.core.errors import UserError

Metrics = Mapping[str, Any]


@contextmanager
def atomic(path: Path | str, mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when it is whole.

    Parameters
    ----------
    path : Path or str
        Where the file shall stand; folders on the way are made.
    mode : str
        ``"wb"`` or ``"w"``.

    Yields
    ------
    file object
        A temporary neighbour, renamed to ``path`` when the block ends without an error.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    text: dict[str, str] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with open(part, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def publish(work: Path | str, output: Path | str) -> None:
    """Move a finished folder to where a stage's output belongs, replacing what is there."""
    work, output = Path(work), Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.is_symlink() or output.is_file():
        output.unlink()
    elif output.exists():
        shutil.rmtree(output)
    try:
        os.replace(work, output)
    except OSError:  # .asd/ on another file system
        shutil.move(work, output)


def significant(value: float, digits: int = 4) -> float:
    """Round to so many significant digits: ``0.0123456`` -> ``0.01235``."""
    return float(f"{value:.{digits - 1}e}")


def percent(value: float) -> float:
    """Express a share in percent with two decimals, as the organisers print AUCs: ``0.632478`` -> ``63.25``."""
    return round(100 * float(value), 2)


def rounded(metrics: Metrics) -> dict[str, Any]:
    """Make metrics fit for a committed file: plain types, four significant digits.

    Parameters
    ----------
    metrics : mapping
        Nested; leaves are numbers, strings or booleans. What :func:`percent` rounded stays as it is (up to 100 %).

    Returns
    -------
    dict
        The same with numbers rounded.

    Raises
    ------
    TypeError, ValueError
        On lists, None, NaN and infinities: DVC drops lists silently, and what can't be had is left out.
    """
    result: dict[str, Any] = {}
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            result[str(key)] = rounded(value)
        elif isinstance(value, bool | np.bool_):
            result[str(key)] = bool(value)
        elif isinstance(value, int | np.integer):
            result[str(key)] = int(value)
        elif isinstance(value, float | np.floating):
            if not math.isfinite(value):
                raise ValueError(f"metric {key} is {value}: leave out what can't be had")
            result[str(key)] = significant(float(value))
        elif isinstance(value, str):
            result[str(key)] = value
        else:
            raise TypeError(f"metric {key} is a {type(value).__name__}: DVC shows numbers, strings and booleans")
    return result


def write_metrics(path: Path | str, metrics: Metrics) -> None:
    """Write a metric file that DVC can diff: nested JSON, sorted keys, rounded."""
    write_json(path, rounded(metrics))


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON with sorted keys, atomically."""
    with atomic(path, "w") as file:
        json.dump(content, file, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    UserError
        Where it is missing.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run dvc repro") from None


def write_csv(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table without its index, atomically; floats keep all their digits."""
    with atomic(path, "w") as file:
        table.to_csv(file, index=False, lineterminator="\n")


def read_csv(path: Path | str, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table; empty cells of the columns in ``text`` are empty strings, all other columns are typed.

    Raises
    ------
    UserError
        Where the file is missing or is no table.
    """
    try:
        columns = pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values={column: [""] for column in columns if column not in text},
            encoding="utf-8-sig",
        )
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run dvc repro") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no CSV table ({str(error).strip().splitlines()[0]})") from None


def write_array(path: Path | str, array: np.ndarray) -> None:
    """Write one ``.npy`` array, atomically."""
    with atomic(path) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def write_with(path: Path | str, save: Callable[[Path], None]) -> None:
    """Let a library that wants a file name write, atomically."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.part{path.suffix}")
    try:
        save(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
