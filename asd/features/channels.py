"""The channel of a recording that a front end takes: one of them, their mean, or one cancelled by the other."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from asd.core.compute import parallel
from asd.core.errors import UserError
from asd.datasets.audio import dead, heard, read
from asd.features.cancellation import cancelled

SURVEYED = 100  # training clips of a machine that are compared


def one_channel(samples: np.ndarray, sample_rate: int, channel: str, weights: np.ndarray | None = None) -> np.ndarray:
    """Choose or make one channel.

    Parameters
    ----------
    samples : np.ndarray [shape=(frames, channels), dtype=float32]
        The first channel is the near microphone's, the second the far one's.
    sample_rate : int
        [Hz]
    channel : str
        ``near``, ``far``, ``mean`` (of all) or ``cancel`` (see :mod:`asd.features.cancellation`). Where the first
        channel is dead, ``near`` is the first that is not; dead ones are left out of the mean.
    weights : np.ndarray [shape=(bins, taps), dtype=complex], optional
        Of noise alone, to cancel with.

    Returns
    -------
    np.ndarray [shape=(frames,), dtype=float32]

    Raises
    ------
    UserError
        Where the far channel is wanted and there is none, or it has no signal, or none is there to cancel from.
    """
    if channel == "near":
        return heard(samples)
    without = dead(samples)
    if channel == "mean":
        return samples[:, ~without].mean(axis=1) if without.any() else samples.mean(axis=1)
    if samples.shape[1] < 2:
        raise UserError(f"channel is {channel!r}, but a recording has one channel: set features.*.channel to near")
    needed, other = (0, "far") if channel == "cancel" else (1, "near")
    if without[needed]:
        raise UserError(
            f"channel is {channel!r}, but channel {needed + 1} of a recording has no signal: "
            f"set features.*.channel to {other} or leave it out"
        )
    near, far = samples[:, 0], samples[:, 1]
    return far if channel == "far" else cancelled(near, far, sample_rate, weights).waveform


def survey(clips: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Measure how much two microphones have in common, by machine.

    Parameters
    ----------
    clips : pd.DataFrame
        Training clips: ``machine, channels, path``, sorted by clip id.

    Returns
    -------
    dict
        Of machines with a far microphone: ``clips`` compared, their mean ``coherence`` and the mean energy that
        cancelling removes, ``removed_db``.
    """
    summary = {}
    for machine, some in clips[clips["channels"] > 1].groupby("machine"):
        compared = list(parallel(_compared, some["path"].head(SURVEYED)))
        coherence, removed = np.mean(compared, axis=0)
        summary[str(machine)] = {"clips": len(compared), "coherence": float(coherence), "removed_db": float(removed)}
    return summary


def _compared(path: Path | str) -> tuple[float, float]:
    samples, sample_rate = read(path)
    done = cancelled(samples[:, 0], samples[:, 1], sample_rate)
    return done.coherence, done.removed
