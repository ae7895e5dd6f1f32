"""A picture of the spectra in which characteristic frequencies were sought."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from asd.core.artifacts import write_with
from asd.core.errors import UserError
from asd.features.fault_kinds import Candidate
from asd.features.frequencies import View

DRAWN = 4  # candidates, the leading ones
SHOWN = 6  # harmonics of the fastest of them
QUIETEST = 1e-30


def plot(path: Path, spectra: Sequence[View], candidates: Sequence[Candidate]) -> None:
    """Draw spectra with the harmonics of the leading candidates.

    Parameters
    ----------
    path : Path
        Of a PNG.
    spectra : sequence of View
        One picture each, from top to bottom.
    candidates : sequence of Candidate

    Raises
    ------
    UserError
        Where the file can't be written.
    """
    figure = Figure(figsize=(10, 3.2 * len(spectra)), layout="constrained")
    for axes, view in zip(np.ravel(figure.subplots(len(spectra))), spectra, strict=True):
        _draw(axes, view, candidates[:DRAWN])
    try:
        write_with(path, lambda part: figure.savefig(part, dpi=120, format="png", metadata={"Software": None}))
    except OSError as error:
        raise UserError(f"--plot {path} can't be written ({error.strerror}): name another file") from None


def _draw(axes: Axes, view: View, candidates: Sequence[Candidate]) -> None:
    top = SHOWN * max((c.frequency for c in candidates), default=view.highest / SHOWN)
    power = view.power[: round(top / view.step) + 1]
    end = (len(power) - 1) * view.step
    axes.plot(np.arange(len(power)) * view.step, 10 * np.log10(np.maximum(power, QUIETEST)), lw=0.7, color="0.3")
    for number, c in enumerate(candidates):
        for order in c.harmonics:
            if order * c.frequency <= end:
                label = f"{c.frequency:.2f} Hz ({c.kind})" if order == c.harmonics[0] else None
                axes.axvline(order * c.frequency, color=f"C{number}", lw=1, alpha=0.6, label=label)
    axes.set(xlabel="frequency [Hz]", ylabel="power [dB]", title=view.name, xlim=(0, end))
    if candidates:
        axes.legend(loc="upper right")
