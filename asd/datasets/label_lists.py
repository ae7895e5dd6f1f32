"""The organisers' published labels: ``eval_data_list_<year>.csv``."""

from pathlib import Path

import pandas as pd

from asd.base.errors import UserError
from asd.datasets.attributes import attributes_of_name
from asd.datasets.dcase import parse_name

COLUMNS = ("machine", "section", "name", "true_name", "anomaly", "domain", "attributes")
ANOMALY = {"normal": 0, "anomaly": 1, "0": 0, "1": 1}


def read_labels(path: Path) -> pd.DataFrame:
    """Read a label list of any year.

    Parameters
    ----------
    path : Path
        A line with a machine's name, then a line a clip: ``given_name,true_name`` or ``given_name,true_name,label``.

    Returns
    -------
    pd.DataFrame
        The columns :data:`COLUMNS`, a row a clip: ``name`` is the one given to the participants; ``anomaly`` 0 or 1;
        ``domain`` is empty in 2020, ``attributes`` where there are none (``speed=3;mic=1``).

    Raises
    ------
    UserError
        Where the file is none, or a line is neither a machine's nor a clip's, or a clip is there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as a label list: {error}") from None
    machine, rows = "", []
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 1:
            machine = cells[0] or machine
        elif row := _row(cells) if machine else None:
            rows.append((machine, *row))
        else:
            raise UserError(f"{path} line {number}: {line[:80]!r} is no clip: given_name,true_name[,label] is wanted")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if table.empty:
        raise UserError(f"{path} lists no clips: a machine's name, then given_name,true_name[,label] is wanted")
    for column in ("name", "true_name"):
        twice = table[table.duplicated(["machine", column])]
        if len(twice):
            raise UserError(f"{path}: {twice['machine'].iloc[0]} has the clip {twice[column].iloc[0]} twice")
    return table


def _row(cells: list[str]) -> tuple[str, str, str, int, str, str] | None:
    try:
        given, true = parse_name(cells[0]), parse_name(cells[1])
    except UserError:
        return None
    if true.anomaly is None or len(cells) > 3 or (len(cells) == 3 and ANOMALY.get(cells[2]) != true.anomaly):
        return None
    domain = "" if true.domain == "unknown" else true.domain
    return given.section, cells[0], cells[1], true.anomaly, domain, attributes_of_name(true.attributes)
