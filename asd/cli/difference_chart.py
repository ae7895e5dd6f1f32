"""Differences with their intervals as a picture: of letters, which shows wherever text does, or a file."""

from pathlib import Path

from asd.core.artifacts import write_with
from asd.core.errors import UserError
from asd.evaluation.difference import Difference

COLUMNS = 41  # of the axis, which has zero in the middle
FORMATS = (".svg", ".png")


def text_chart(compared: dict[str, Difference]) -> list[str]:
    """Draw a row a system: ``===#===`` a real difference, ``---o---`` any other, ``|`` zero.

    Only letters that have one width in every font and encoding.

    Parameters
    ----------
    compared : dict of Difference
        By system.

    Returns
    -------
    list of str
        Lines, the axis [points] first.
    """
    end = max(map(abs, _points(compared))) or 1.0
    name_width, middle = max(map(len, compared)), COLUMNS // 2
    left, right = f"{-end:+.1f}", f"{end:+.1f} points"
    lines = [f"{'':{name_width}}  {left}{'0':>{middle - len(left) + 1}}{right:>{middle + len(' points')}}"]
    for name, gain in compared.items():
        low, value, high = (middle + round(part / end * middle) for part in _points({name: gain}))
        line, point = ("=", "#") if gain.verdict == "real" else ("-", "o")
        row = [line if low <= column <= high else " " for column in range(COLUMNS)]
        row[middle], row[value] = "|", point  # the point last: it may stand on the line of zero
        lines.append(f"{name:{name_width}}  {''.join(row)}  {gain.verdict}")
    return lines


def write_chart(path: Path, compared: dict[str, Difference], title: str) -> None:
    """Write the same as an SVG or PNG file.

    Parameters
    ----------
    path : Path
        Ends with .svg or .png.
    compared : dict of Difference
        By system.
    title : str
        What the axis shows.

    Raises
    ------
    UserError
        Where the file has another ending or can't be written.
    """
    from matplotlib.figure import Figure  # which takes its time

    if path.suffix not in FORMATS:
        raise UserError(f"--picture is {path}: give a name that ends with {' or '.join(FORMATS)}")
    figure = Figure(figsize=(6.4, 0.8 + 0.3 * len(compared)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=1)
    for row, gain in enumerate(compared.values()):
        low, value, high = _points({"": gain})
        colour, inside = ("#0b62a8", "#0b62a8") if gain.verdict == "real" else ("#7d8794", "white")
        axes.plot([low, high], [row, row], color=colour, linewidth=2)
        axes.plot(value, row, "o", color=colour, markerfacecolor=inside)
    labels = [f"{name}: {gain.verdict}" for name, gain in compared.items()]
    axes.set(xlabel=title, yticks=range(len(labels)), yticklabels=labels, ylim=(len(labels) - 0.5, -0.5))
    try:
        write_with(path, lambda part: figure.savefig(part, dpi=120))
    except OSError as error:
        raise UserError(f"--picture {path} can't be written ({error.strerror}): name another file") from None


def _points(compared: dict[str, Difference]) -> list[float]:
    return [100 * part for gain in compared.values() for part in (gain.low, gain.value, gain.high)]
