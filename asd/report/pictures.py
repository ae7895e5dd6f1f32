"""Pictures of a few recordings, for a command's ``--plot``: their scores, and what made the score of each."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asd.core.artifacts import write_with
from asd.core.errors import UserError
from asd.report.charts import INK, LABEL_COLOURS, RULE, STYLE, digits

WIDTH, HEIGHT, ROW = 6.4, 2.2, 0.45  # [inch] of a picture, of the bars of one recording, of a folder's scores
SPREAD = 0.3  # of the height of a row: how far scores of one folder are drawn apart
CALLED = {0: "normal", 1: "anomalous"}
UNITS = {"band": "frequency [Hz]", "time": "time [s]"}


def plot_scores(path: Path, table: pd.DataFrame) -> None:
    """Draw scores with their threshold, a row for each folder that recordings lie in, one part a machine's section.

    Parameters
    ----------
    path : Path
        Of a PNG.
    table : pd.DataFrame
        ``file, machine, score, threshold, decision``, at least one recording.

    Raises
    ------
    UserError
        Where the file can't be written.
    """
    parts = [rows for _, rows in table.groupby(["machine", "threshold"])]
    rows = [part["file"].map(_folder).nunique() for part in parts]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(0.9 + ROW * count for count in rows)), layout="constrained")
        every = figure.subplots(len(parts), squeeze=False, height_ratios=[2 + count for count in rows])[:, 0]
        for axes, part in zip(every, parts, strict=True):
            scores_by_folder(axes, part)
        _write(path, figure)


def plot_contributions(path: Path, tables: Sequence[pd.DataFrame]) -> None:
    """Draw what each band and each interval makes of the scores of recordings, one below the other.

    Parameters
    ----------
    path : Path
        Of a PNG.
    tables : sequence of pd.DataFrame
        Of :func:`asd.explanation.explain`, at least one.

    Raises
    ------
    UserError
        Where the file can't be written.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(tables)), layout="constrained")
        for part, table in zip(figure.subfigures(len(tables), squeeze=False)[:, 0], tables, strict=True):
            file, score = table.iloc[0][["file", "score"]]
            part.suptitle(f"{_folder(file)}/{Path(file).name}, score {score:.4g}")
            for axes, (kind, rows) in zip(part.subplots(1, 2, sharey=True), table.groupby("kind"), strict=True):
                contribution_bars(axes, rows, UNITS[str(kind)])
        _write(path, figure)


def scores_by_folder(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the scores of one machine's section, a row a folder, in the colours of what they were called.

    Parameters
    ----------
    axes : Axes
    table : pd.DataFrame
        ``file, machine, score, threshold, decision``.
    """
    folders = table["file"].map(_folder)
    names = list(dict.fromkeys(folders))
    place = folders.map(names.index) + SPREAD * _apart(folders)
    for decision, called in CALLED.items():
        some = table["decision"] == decision
        colour = LABEL_COLOURS[called]
        axes.plot(
            table["score"][some], place[some], "o", ms=4, mew=0, alpha=0.7, color=colour, label=f"called {called}"
        )
    axes.axvline(table["threshold"].iloc[0], color=INK, linestyle="--", linewidth=1, label="threshold")
    axes.set(xlabel="anomaly score", title=table["machine"].iloc[0], ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def contribution_bars(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    """Draw contributions to a score, one bar a band or interval, between its edges.

    Parameters
    ----------
    axes : Axes
    rows : pd.DataFrame
        ``low, high, contribution``, in order.
    unit : str
        Of the edges.
    """
    colours = [LABEL_COLOURS[CALLED[int(value > 0)]] for value in rows["contribution"]]
    axes.bar(np.arange(len(rows)) + 0.5, rows["contribution"], width=0.85, color=colours)
    axes.axhline(0, color=RULE, linewidth=1)
    edges = [*rows["low"], rows["high"].iloc[-1]]
    axes.set_xticks(range(len(edges)), [digits(edge) for edge in edges])
    axes.tick_params(axis="x", labelrotation=45)
    axes.set(xlabel=unit, ylabel="contribution to the score")
    axes.label_outer()


def _folder(file: str) -> str:
    return Path(file).absolute().parent.name


def _apart(folders: pd.Series) -> pd.Series:
    """Spread the recordings of each folder over -1 to 1, in their order."""
    number, count = folders.groupby(folders).cumcount(), folders.groupby(folders).transform("size")
    return 2 * (number + 0.5) / count - 1


def _write(path: Path, figure: Figure) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        try:
            write_with(path, lambda part: figure.savefig(part, dpi=120, format="png", metadata={"Software": None}))
        except OSError as error:
            raise UserError(f"--plot {path} can't be written ({error.strerror}): name another file") from None
