"""Which bands and which times made the score of a clip that is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from asd.core.progress import progress
from asd.core.project import Project
from asd.detector import load_detector
from asd.explanation import explain
from asd.report.charts import digits
from asd.report.sounds import Ticks, placed, ticks

BAR = 0.8  # of the width of a part
Explain = Callable[[Project, str, pd.DataFrame], dict[str, pd.DataFrame]]
"""Type of :func:`explained`: project, system and clips to contributions by clip id."""


class Axis(NamedTuple):
    """How one kind of parts is shown: name of the axis, unit, and what the unit is of the explanation's."""

    name: str
    unit: str
    size: float


AXES = {"band": Axis("frequency", "kHz", 1000.0), "time": Axis("time", "s", 1.0)}


@dataclass(frozen=True)
class Bars:
    """Contributions to a score of the parts of one axis, drawn equally wide."""

    label: str
    """Of the axis."""
    path: str
    """In a box of 100 x 100."""
    x: Ticks
    y: Ticks
    """In units of the score."""
    largest: str
    """The part that contributes most, in words."""


def explained(project: Project, system: str, clips: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Explain the scores of clips by one system.

    Parameters
    ----------
    project : Project
        After the system was trained.
    system : str
    clips : pd.DataFrame
        ``clip_id, machine, section``.

    Returns
    -------
    dict of pd.DataFrame
        By clip id, what :func:`asd.explanation.explain` gives; nothing of a clip that the system was trained on.
    """
    detector = load_detector(project, system)
    new = clips[~clips["clip_id"].isin(detector.clips["clip_id"])]
    whose = list(zip(new["clip_id"], new["machine"], new["section"], strict=True))
    return {
        clip: explain(detector, detector.recordings[clip], machine, section)
        for clip, machine, section in progress("explain", "clip", len(whose), whose)
    }


def bars(contributions: pd.DataFrame) -> list[Bars]:
    """Draw contributions to one score, of its bands and of its time intervals on the same scale.

    Parameters
    ----------
    contributions : pd.DataFrame
        See :data:`asd.explanation.COLUMNS`.
    """
    values = contributions["contribution"]
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    high = high if high > low else low + 1.0
    return [_bars(contributions[contributions["kind"] == kind], axis, low, high) for kind, axis in AXES.items()]


def _bars(parts: pd.DataFrame, axis: Axis, low: float, high: float) -> Bars:
    values, width = parts["contribution"].to_numpy(), 100 / len(parts)
    zero, *tops = (f"{100 * (high - value) / (high - low):.1f}" for value in (0.0, *values))
    path = "".join(f"M{i * width:g} {zero}V{top}h{BAR * width:g}V{zero}" for i, top in enumerate(tops))
    edges = np.append(parts["low"], parts["high"].iloc[-1]) / axis.size
    places = np.linspace(0, 1, len(edges))
    x = placed(edges[::2], lambda edge: float(np.interp(edge, edges, places)), digits)
    top = parts.iloc[values.argmax()]
    where = f"{digits(top['low'] / axis.size)} to {digits(top['high'] / axis.size)} {axis.unit}"
    largest = f"{where}: {top['contribution']:.3g} of {top['score']:.3g}"
    return Bars(f"{axis.name} [{axis.unit}]", path, x, ticks(low, high, 4), largest)
